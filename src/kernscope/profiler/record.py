"""Profiling without an end, in bounded space: a folder of parts, each a profile of some time, the oldest out first.

A part is one file, `MODE-TIME.json.gz`, with the time at which it began in UTC. It is written under another name, made
durable and renamed, so that a file with that name is whole. Before that as many of the oldest go as it takes to stay
within the limit. A part that cannot be written now is kept in memory, in bounded space too, until there is room.
"""

from __future__ import annotations

import gzip
import os
import re
import time

from kernscope.output.complaints import WarningCollector
from kernscope.profiler.collect import Collector
from kernscope.profiler.formats import json_file
from kernscope.profiler.stacks import Stacks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kernscope.profiler.collect import Session
    from kernscope.profiler.modes.base import Mode, Options
    from kernscope.profiler.profile import Profile

__all__ = ["Busy", "Folder", "Recorder", "recorded_parts"]

MOST_WAITING_BYTES = 16 << 20
"""Of parts that wait for room on the disk."""

_PART = re.compile(r"([a-z]+)-(\d{8}T\d{6}\.\d{3})Z(?:-\d+)?\.json\.gz")
_UNFINISHED = ".unfinished"


class Busy(Exception):
    """Another process records into the folder."""


class _Taken:
    """A session's maps, each taken when it is asked for: what a mode collects is in no other part."""

    def __init__(self, maps: Mapping[str, Mapping[object, object]]) -> None:
        self._maps = maps

    def __getitem__(self, name: str) -> Mapping[object, object]:
        taken: dict[object, object] = self._maps[name].take()  # type: ignore[attr-defined]
        return taken


class Recorder(Collector):
    """Collects in parts."""

    def __init__(self, mode: Mode, options: Options, *, what: str = "") -> None:
        super().__init__(mode, options, what=what)
        self._part_start_ns = self._part_began = 0

    def part(self, session: Session) -> Profile:
        """What came since the last part, or since the start; nothing is in two parts, nothing in none."""
        self._start_ns = self._part_start_ns or self._start_ns
        self._began = self._part_began or self._began
        self._part_start_ns, self._part_began = time.time_ns(), time.monotonic_ns()
        # What it knows grows with every process.
        self._stacks = Stacks(session.facts, lines=self.options.lines)
        profile = self.profile(session)
        self._complaints, self._left_out = WarningCollector(), 0
        session.take_stacks()
        return profile

    def _note(self, profile: Profile) -> None:
        pass  # what is to be said of stacks is said of all parts that are shown

    def _maps(self, session: Session) -> Mapping[str, Mapping[object, object]]:
        return _Taken(session.maps)  # type: ignore[return-value]

    def _records_now(self) -> list[tuple[object, ...]]:
        taken, self._records, self._texts = self._records, [], {}
        return taken

    def record(
        self,
        session: Session,
        folder: Folder,
        *,
        every_s: float = 60.0,
        look: Callable[[], None] | None = None,
        look_s: float = 1.0,
    ) -> None:
        """Run the session to its end and add a part to the folder every so many seconds, and one at the end.

        `look` is called about every `look_s` seconds.
        """
        self._begin(session)
        following = time.monotonic() + every_s
        ended = False
        while not ended:
            left = following - time.monotonic()
            ended = session.wait(max(0.0, min(left, look_s) if look is not None else left))
            if ended or time.monotonic() >= following:
                folder.add(self.part(session))
                following = max(following + every_s, time.monotonic())
            if look is not None:
                look()


class Folder:
    """Where parts go. `tell` is given sentences about what went wrong, each once, and that it is over.

    Attributes:
        parts, bytes: how many parts there are, and how large they are together.
        written, dropped: parts that were written by this process, and those that were left out without ever being so.

    Raises:
        Busy: another process records here.
        OSError: it cannot be used.
    """

    def __init__(self, path: str, keep_bytes: int, tell: Callable[[str], None]) -> None:
        import fcntl

        if not os.path.isdir(path):
            os.mkdir(path)
        self.path, self.keep_bytes, self._tell = path, keep_bytes, tell
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._clean()
        except BlockingIOError:
            self.close()
            raise Busy(path) from None
        except OSError:
            self.close()
            raise
        self.written = self.dropped = self._dropped_told = 0
        self._waiting: list[tuple[str, bytes]] = []
        self.parts = self.bytes = 0
        self._problem = ""
        self._measure()

    @property
    def unwritten(self) -> int:
        """Parts that were not written: those that wait, and those that were left out."""
        return len(self._waiting) + self.dropped

    def close(self) -> None:
        """Others may record here now."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, profile: Profile) -> None:
        """Write a part; what could not be written before goes first."""
        if self.dropped > self._dropped_told:
            left_out = self.dropped - self._dropped_told
            profile.notes.append(f"parts before this one that could not be kept: {left_out}")
            self._dropped_told = self.dropped
        self._waiting.append((_name(profile), gzip.compress(json_file.encode(profile), 6)))
        try:
            while self._waiting:
                name, content = self._waiting[0]
                if self._write(name, content):
                    self.written += 1
                del self._waiting[0]
        except OSError as error:
            self._cannot(error)
        else:
            if self._problem:
                self._problem = ""
                self._tell("recording goes on")

    def _cannot(self, error: OSError) -> None:
        text = error.strerror or str(error)
        if text != self._problem:
            self._problem = text
            self._tell(
                f"cannot write to `{self.path}`: {text}; what comes is kept in memory until that is over"
            )
        size = sum(len(content) for _, content in self._waiting)
        while size > min(MOST_WAITING_BYTES, self.keep_bytes):
            size -= len(self._waiting.pop(0)[1])
            self.dropped += 1

    def _write(self, name: str, content: bytes) -> bool:
        """Whether it could be written in the space that is allowed."""
        if len(content) > self.keep_bytes:
            self._tell(f"a part of {len(content):,} bytes is more than may be kept: left out")
            self.dropped += 1
            return False
        self._make_room(len(content))
        path = os.path.join(self.path, self._free_name(name))
        try:
            with open(path + _UNFINISHED, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.rename(path + _UNFINISHED, path)
        except BaseException:
            _remove(path + _UNFINISHED)
            raise
        self._measure()
        return True

    def _free_name(self, name: str) -> str:
        stem, number = name.removesuffix(".json.gz"), 1
        while os.path.exists(os.path.join(self.path, name)):
            number += 1
            name = f"{stem}-{number}.json.gz"
        return name

    def _make_room(self, needed: int) -> None:
        parts = [(start, path, _size(path)) for start, _, path in recorded_parts(self.path)]
        total = sum(size for *_, size in parts)
        for _, path, size in parts:
            if total + needed <= self.keep_bytes:
                break
            _remove(path)
            total -= size

    def _measure(self) -> None:
        sizes = [_size(path) for *_, path in recorded_parts(self.path)]
        self.parts, self.bytes = len(sizes), sum(sizes)

    def _clean(self) -> None:
        """What a process that was killed was about to write."""
        for entry in os.listdir(self.path):
            if _PART.fullmatch(entry.removesuffix(_UNFINISHED)) and entry.endswith(_UNFINISHED):
                _remove(os.path.join(self.path, entry))


def recorded_parts(folder: str, mode: str = "") -> list[tuple[float, str, str]]:
    """(when it began, by CLOCK_REALTIME in seconds; its mode; its file) of all parts, the oldest first."""
    return sorted(_parts(folder, mode), key=lambda part: (part[0], part[1], len(part[2]), part[2]))


def _parts(folder: str, mode: str) -> Iterator[tuple[float, str, str]]:
    from datetime import UTC, datetime

    for entry in os.listdir(folder):
        match = _PART.fullmatch(entry)
        if match is None or (mode and match[1] != mode):
            continue
        try:
            began = datetime.strptime(match[2], "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)
        except ValueError:
            continue
        yield began.timestamp(), match[1], os.path.join(folder, entry)


def _name(profile: Profile) -> str:
    from datetime import UTC, datetime

    began = datetime.fromtimestamp(profile.start_ns // 1_000_000 / 1000, UTC)
    return f"{profile.mode}-{began:%Y%m%dT%H%M%S}.{began.microsecond // 1000:03}Z.json.gz"


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _remove(path: str) -> None:
    try:  # noqa: SIM105 - contextlib is not loaded otherwise
        os.unlink(path)
    except OSError:
        pass
