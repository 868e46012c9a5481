"""What processes have mapped, now and before: addresses from before an exec, or in a library that was unloaded since,
keep their meaning.

A process's mappings are remembered whenever it is met, with the files behind them, so that it may end before its
addresses are named.

A weakness: which of two programs that ran in one process an address belongs to is not told by the address. The newest
one that has something there counts; programs that are mapped at a fixed place can be mixed up.
"""

from bisect import bisect_right

from kernscope.kernel.mappings import Mapping, read_mappings, start_time
from kernscope.symbols.files import MappedFile, MappedFiles
from kernscope.symbols.perf_map import PerfMap

__all__ = ["Generation", "Process"]

MOST_GENERATIONS = 8
MOST_MAPPINGS = 16384
"""Executable mappings of one process that are looked at."""


class Generation:
    """What was mapped at one time."""

    __slots__ = ("files", "known_perf_map", "mappings", "pid", "started", "starts")

    def __init__(
        self, pid: int, started: str, mappings: list[Mapping], perf_map: PerfMap | None = None
    ) -> None:
        self.pid, self.started, self.mappings, self.known_perf_map = pid, started, mappings, perf_map
        self.starts = [mapping.start for mapping in mappings]
        self.files: list[MappedFile | None] = [None] * len(mappings)

    @property
    def perf_map(self) -> PerfMap:
        """Found when it is first asked for: few processes have one."""
        if self.known_perf_map is None:
            self.known_perf_map = PerfMap(self.pid)
        return self.known_perf_map

    def find(self, address: int) -> tuple[Mapping, MappedFile | None] | None:
        at = bisect_right(self.starts, address) - 1
        if at >= 0 and address < self.mappings[at].end:
            return self.mappings[at], self.files[at]
        return None

    def keys(self) -> set[tuple[int, int, int, str]]:
        """What tells the mappings of files."""
        return {(m.start, m.end, m.inode, m.path) for m in self.mappings if m.path}


class Process:
    """All that was ever mapped in what had one process id."""

    __slots__ = ("_files", "generations")

    def __init__(self, files: MappedFiles) -> None:
        self._files = files
        self.generations: list[Generation] = []
        """The newest first."""

    @property
    def started(self) -> str:
        """When the process began of which something is known; empty where nothing is."""
        return self.generations[0].started if self.generations else ""

    def read(self, pid: int) -> bool:
        """Read what is mapped now; whether anything has changed."""
        try:
            started, mappings = start_time(pid), read_mappings(pid)[:MOST_MAPPINGS]
        except (OSError, ValueError):
            return False
        last = self.generations[0] if self.generations else None
        if not mappings or not started:
            return False  # gone, or about to be
        same = last is not None and last.started == started
        if last is not None and same:
            last.perf_map.refresh()  # it may go with the process
        if last is not None and same and _places(last.mappings) == _places(mappings):
            return False
        perf_map = last.perf_map if last is not None and same else PerfMap(pid)
        new = Generation(pid, started, mappings, perf_map)
        known = dict(zip(map(_place, last.mappings), last.files, strict=True)) if last and same else {}
        for i, mapping in enumerate(mappings):
            place = _place(mapping)
            new.files[i] = known[place] if place in known else self._files.get(pid, mapping)
        if last is not None and same and last.keys() <= new.keys():
            self.generations[0] = new
        else:
            self.generations = [new, *self.generations[: MOST_GENERATIONS - 1]]
        return True

    def add(self, pid: int, started: str, mapping: Mapping, file: MappedFile) -> None:
        """One mapping was met in the process that began at this time; it may have ended meanwhile."""
        last = self.generations[0] if self.generations else None
        if last is None or last.started != started:
            kept: list[tuple[Mapping, MappedFile | None]] = []
        else:
            at = bisect_right(last.starts, mapping.start) - 1
            if at >= 0 and last.mappings[at].end == mapping.end and last.files[at] is file:
                return
            kept = [
                (other, its)
                for other, its in zip(last.mappings, last.files, strict=True)
                if other.end <= mapping.start or mapping.end <= other.start
            ]
        whole = sorted([*kept, (mapping, file)], key=lambda one: one[0].start)
        new = Generation(
            pid, started, [one for one, _ in whole], last.known_perf_map if kept and last else None
        )
        new.files = [its for _, its in whole]
        if last is not None and last.started == started and len(kept) == len(last.mappings):
            self.generations[0] = new
        else:
            self.generations = [new, *self.generations[: MOST_GENERATIONS - 1]]

    def find(self, address: int) -> tuple[Generation, Mapping, MappedFile | None] | None:
        """The newest mapping that an address is in."""
        for generation in self.generations:
            found = generation.find(address)
            if found is not None:
                return generation, *found
        return None


def _place(mapping: Mapping) -> tuple[int, int, int, int, str]:
    return mapping.start, mapping.end, mapping.offset, mapping.inode, mapping.path


def _places(mappings: list[Mapping]) -> list[tuple[int, int, int, int, str]]:
    return [_place(mapping) for mapping in mappings]
