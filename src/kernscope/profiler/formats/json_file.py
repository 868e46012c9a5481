"""The profile itself as JSON, with nothing left out; `decode` reads it again.

Text that is not UTF-8 is kept: JSON's escapes carry the lone surrogates that stand for its bytes.
"""

from __future__ import annotations

import json

from kernscope.profiler.profile import Frame, Profile, Sample

__all__ = ["BadProfileFile", "decode", "encode"]

VERSION = 1
_HEAD = ("mode", "unit", "period_ns", "command", "start_ns", "duration_ns", "lost", "notes")
_LATER = ("lines",)
"""What files of earlier versions do not have."""
_GZIP = b"\x1f\x8b"
MOST_BYTES = 1 << 30
"""Of a file once it is unpacked: more would be an attempt to use up our memory."""


class BadProfileFile(ValueError):
    """The bytes are no profile of ours."""


def encode(profile: Profile) -> bytes:
    """One JSON object."""
    content: dict[str, object] = {"kernscope_profile": VERSION}
    content |= {name: getattr(profile, name) for name in (*_HEAD, *_LATER)}
    content["frames"] = [[f.name, f.kind, f.module, f.file, f.line, f.address] for f in profile.frames]
    content["stacks"] = profile.stacks
    content["tables"] = profile.tables
    content["samples"] = [
        [s.stack, s.pid, s.tid, s.comm, s.value, s.count, s.time_ns, s.labels] for s in profile.samples
    ]
    return json.dumps(content, separators=(",", ":")).encode()


def decode(data: bytes) -> Profile:
    """What `encode` wrote, also when packed by gzip. Raises BadProfileFile."""
    try:
        content = json.loads(_unpacked(data) if data.startswith(_GZIP) else data)
        if content["kernscope_profile"] != VERSION:
            raise BadProfileFile(f"a profile of version {content['kernscope_profile']}, not {VERSION}")
        profile = Profile(content["mode"], content["unit"])
        for name in _HEAD[2:]:
            setattr(profile, name, content[name])
        profile.lines = bool(content.get("lines"))
        frames = [Frame(*frame) for frame in content["frames"]]
        stacks = [profile.stack([frames[number] for number in stack]) for stack in content["stacks"]]
        profile.tables = [(str(title), list(map(str, lines))) for title, lines in content.get("tables", ())]
        for stack, *rest in content["samples"]:
            profile.add(Sample(stacks[stack], *rest))
    except BadProfileFile:
        raise
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as problem:
        raise BadProfileFile(f"not a profile that `--format json` wrote: {problem}") from None
    return profile


def _unpacked(data: bytes) -> bytes:
    import zlib

    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        content = reader.decompress(data, MOST_BYTES)
    except zlib.error as problem:
        raise BadProfileFile(f"its gzip data is broken: {problem}") from None
    if not reader.eof:
        raise BadProfileFile("its gzip data ends too early, or is more than a profile can be")
    return content
