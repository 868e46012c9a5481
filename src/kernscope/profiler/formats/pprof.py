"""profile.proto, compressed with gzip, as pprof reads and writes it.

The messages and their field numbers are those of github.com/google/pprof, proto/profile.proto. The encoding is
protocol buffers' wire format: varints, and fields of bytes with their length before them.
"""

from __future__ import annotations

import gzip

from kernscope.profiler.formats.labels import as_utf8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kernscope.profiler.profile import Profile, Sample

__all__ = ["encode"]

_UNITS = {"samples": "count", "nanoseconds": "nanoseconds", "bytes": "bytes", "events": "count"}


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1  # negative numbers are written as 64 bits
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value) if value else b""


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _packed(field: int, values: Iterable[int]) -> bytes:
    return _bytes(field, b"".join(map(_varint, values)))


class _Strings:
    """The string table; its first entry is empty."""

    def __init__(self) -> None:
        self.numbers = {"": 0}

    def number(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))

    def encoded(self) -> bytes:
        return b"".join(_bytes(6, as_utf8(text).encode()) for text in self.numbers)


def encode(profile: Profile) -> bytes:
    """The file."""
    strings = _Strings()
    unit = strings.number(_UNITS.get(profile.unit, "count"))
    kind = strings.number(profile.mode)
    value_type = _number(1, kind) + _number(2, unit)
    counted = _number(1, strings.number("samples")) + _number(2, strings.number("count"))
    both = profile.unit not in ("samples", "events")
    parts = [_bytes(1, counted), _bytes(1, value_type)] if both else [_bytes(1, value_type)]
    locations = _Locations(profile)
    parts += [
        _bytes(2, _sample(sample, locations.of(profile.stacks[sample.stack]), strings, both))
        for sample in profile.samples
    ]
    parts += locations.encoded(strings)
    parts += [_number(9, profile.start_ns), _number(10, profile.duration_ns)]
    if profile.period_ns:
        period_type = _number(1, strings.number("cpu")) + _number(2, strings.number("nanoseconds"))
        parts += [_bytes(11, period_type), _number(12, profile.period_ns)]
    parts += [_number(13, strings.number(note)) for note in profile.notes]
    parts.insert(0, strings.encoded())
    return gzip.compress(b"".join(parts), mtime=0)


def _sample(sample: Sample, locations: list[int], strings: _Strings, both: bool) -> bytes:
    values = (sample.count, sample.value) if both else (sample.value,)
    labels = {"thread": sample.comm, **sample.labels}
    parts = [_packed(1, locations), _packed(2, values)]
    parts += [
        _bytes(3, _number(1, strings.number(key)) + _number(2, strings.number(text)))
        for key, text in labels.items()
    ]
    parts += [
        _bytes(3, _number(1, strings.number(key)) + _number(3, number))
        for key, number in (("pid", sample.pid), ("tid", sample.tid))
    ]
    return b"".join(parts)


class _Locations:
    """Places of code, numbered from 1 on: a frame, with those that are inlined into it."""

    def __init__(self, profile: Profile) -> None:
        self.frames = profile.frames
        self.numbers: dict[tuple[int, ...], int] = {}

    def of(self, stack: Sequence[int]) -> list[int]:
        """The places of a stack, whose frames come root first; leaf first as the format has it."""
        groups: list[tuple[int, ...]] = []
        for number in stack:
            if self.frames[number].kind == "inlined" and groups:
                groups[-1] = (*groups[-1], number)
            else:
                groups.append((number,))
        return [self.numbers.setdefault(group, len(self.numbers) + 1) for group in groups][::-1]

    def encoded(self, strings: _Strings) -> list[bytes]:
        """Mappings, one per module, locations, and functions, which are numbered as frames are."""
        modules: dict[str, int] = {}
        for frame in self.frames:
            if frame.module:
                modules.setdefault(frame.module, len(modules) + 1)
        parts = []
        for group, number in self.numbers.items():
            frame = self.frames[group[0]]
            # What was inlined last comes first.
            lines = [
                _bytes(4, _number(1, one + 1) + _number(2, self.frames[one].line)) for one in reversed(group)
            ]
            place = _number(1, number) + _number(2, modules.get(frame.module, 0)) + _number(3, frame.address)
            parts.append(_bytes(4, place + b"".join(lines)))
        for i, frame in enumerate(self.frames, 1):
            name, file = strings.number(frame.name), strings.number(frame.file)
            parts.append(_bytes(5, _number(1, i) + _number(2, name) + _number(3, name) + _number(4, file)))
        # What a mapping says that is resolved already: it has functions, and is not to be symbolised again. With
        # inlined functions it has files and lines, too.
        inlined = any(frame.kind == "inlined" for frame in self.frames)
        flags = _number(7, 1) + (_number(8, 1) + _number(9, 1) + _number(10, 1) if inlined else b"")
        mappings = [
            _bytes(3, _number(1, number) + _number(5, strings.number(path)) + flags)
            for path, number in modules.items()
        ]
        return mappings + parts
