"""What a mode provides."""

from __future__ import annotations

from kernscope.profiler.profile import Profile, Sample
from kernscope.selection import Filter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kernscope.output.histogram import Histogram
    from kernscope.profiler.stacks import Stacks

    Maps = Mapping[str, Mapping[object, object]]

__all__ = ["CONFIG", "STACK_KEYS", "Mode", "Options", "add", "config", "histogram_tables"]

STACK_KEYS = 65_536
"""Different stacks that a run can tell apart; what does not fit is counted and reported."""


def config(*more: str) -> str:
    """The config block with which a mode's program begins; `more` are settings of that mode."""
    settings = (f"max_map_keys = {STACK_KEYS}", 'unwind = "tables"', "python_frames = true", *more)
    return f"config = {{ {'; '.join(settings)} }}\n"


CONFIG = config()
"""What the programs of most modes begin with."""


class Options:
    """What the user chose.

    Attributes:
        filter: whose events count.
        frequency: samples per second and CPU.
        wakers: also who ended the waiting.
        minimum_ns: what took less is left out.
        malloc: also what is asked of the C library, for which each call is probed.
        files: what has these functions: files, `libc` for the system's, or `*` for all that a process has mapped.
        timeline: a record of each sample with its time, instead of how often each stack was seen.
        lines: files and lines of native code, and the functions that were inlined there, by debug information.
    """

    __slots__ = ("files", "filter", "frequency", "lines", "malloc", "minimum_ns", "timeline", "wakers")

    def __init__(
        self,
        filter: Filter | None = None,
        *,
        frequency: int = 99,
        wakers: bool = False,
        minimum_ns: int = 0,
        timeline: bool = False,
        malloc: bool = False,
        files: tuple[str, ...] = ("libc",),
        lines: bool = False,
    ) -> None:
        self.filter = filter or Filter()
        self.frequency, self.wakers, self.minimum_ns = frequency, wakers, minimum_ns
        self.timeline, self.lines = timeline, lines
        self.malloc, self.files = malloc, files


MOST_TABLES = 6
"""Histograms that a mode shows; those with most events."""


class Mode:
    """One entry: its `name` on the command line, the `unit` of its values, and the two halves below."""

    name = ""
    unit = "samples"
    nothing = "nothing of the kind happened"
    """What is said where no sample was taken."""
    in_parts = True
    """Whether what it counts in one part of a recording means something without the other parts."""
    has_timeline = False
    """Whether it can give each sample with its time."""
    timeline_is_cheap = False
    """Whether formats that show time get it without being asked for: events may come by the million."""

    def warning(self, options: Options) -> str:
        """What a user has to know before it runs, such as how much it slows down what it looks at; or nothing."""
        return ""

    def why_nothing(self, options: Options) -> str:
        """What may be the reason that no sample was taken, and what to do then."""
        return self.nothing

    def program(self, options: Options) -> str:
        """The text of the program that collects."""
        raise NotImplementedError

    def collect(self, maps: Maps, stacks: Stacks, profile: Profile) -> None:
        """Add what the program's maps hold to a profile."""
        raise NotImplementedError

    def collect_records(
        self, records: Sequence[tuple[object, ...]], stacks: Stacks, profile: Profile
    ) -> None:
        """Add what the program printed to a profile: instead of `collect`, with `Options.timeline`."""
        raise NotImplementedError


def add(
    profile: Profile,
    stack: int,
    key: tuple[object, ...],
    value: int,
    count: int = 1,
    labels: dict[str, str] | None = None,
    *,
    time_ns: int = 0,
) -> None:
    """Add a sample whose map key begins with pid, tid and name."""
    pid, tid, comm = key[:3]
    assert isinstance(pid, int) and isinstance(tid, int)
    profile.add(Sample(stack, pid, tid, str(comm), value, count, time_ns, labels))


def histogram_tables(
    histograms: Mapping[object, object], label: Callable[[object], str], unit: str = "nanoseconds"
) -> list[tuple[str, list[str]]]:
    """Histograms as tables, those with most events first; `label` names a map's key."""
    found: list[tuple[int, str, Histogram]] = []
    for key, histogram in histograms.items():
        total: int = histogram.total  # type: ignore[attr-defined]
        found.append((total, label(key), histogram))  # type: ignore[arg-type]
    found.sort(key=lambda entry: (-entry[0], entry[1]))
    return [
        (f"{name}: {total:,} times, by {unit}", str(histogram).splitlines())
        for total, name, histogram in found[:MOST_TABLES]
    ]
