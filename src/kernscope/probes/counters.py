"""`software` and `hardware`: every so many events of a counter, of the kernel or of the processor."""

from collections.abc import Sequence

from kernscope.bundle import Attach
from kernscope.diagnostics import error, suggest
from kernscope.tables.bpf import ProgramType

from .base import ProbeKind, ProgramShape, Report, Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess, KernelFacts
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program
    from kernscope.syntax.ast import AttachPoint

__all__ = ["HARDWARE", "SOFTWARE"]

_MOST_EVENTS = (1 << 63) - 1
"""perf_event_open(2) refuses a period with the highest bit."""

_SOFTWARE = 1
_SOFTWARE_EVENTS = {
    "cpu-clock": (0, 1_000_000),
    "cpu": (0, 1_000_000),
    "task-clock": (1, 1),
    "page-faults": (2, 100),
    "faults": (2, 100),
    "context-switches": (3, 1_000),
    "cs": (3, 1_000),
    "cpu-migrations": (4, 1),
    "minor-faults": (5, 100),
    "major-faults": (6, 1),
    "alignment-faults": (7, 1),
    "emulation-faults": (8, 1),
    "dummy": (9, 1),
    "bpf-output": (10, 1),
}
"""``enum perf_sw_ids`` of include/uapi/linux/perf_event.h, and after how many events bpftrace 0.27 fires where the
target does not say (seen in its calls of perf_event_open)."""

_HARDWARE = 0
_HARDWARE_EVENTS = {
    "cpu-cycles": (0, 1_000_000),
    "cycles": (0, 1_000_000),
    "instructions": (1, 1_000_000),
    "cache-references": (2, 1_000_000),
    "cache-misses": (3, 1_000_000),
    "branch-instructions": (4, 100_000),
    "branches": (4, 100_000),
    "branch-misses": (5, 100_000),
    "bus-cycles": (6, 100_000),
    "frontend-stalls": (7, 1_000_000),
    "backend-stalls": (8, 1_000_000),
    "ref-cycles": (9, 1_000_000),
}
"""``enum perf_hw_id``, and the same."""


class _Counter(ProbeKind):
    """A perf event of `perf_type` on every CPU, or in the threads of one process.

    A target's key is `(config, count, process)`.
    """

    registers = True

    def __init__(
        self, providers: tuple[str, ...], perf_type: int, events: dict[str, tuple[int, int]], doc: str
    ) -> None:
        self.providers, self.perf_type, self.events, self.doc = providers, perf_type, events, doc
        self.syntax = (f"{providers[0]}:EVENT:COUNT", f"{providers[0]}:EVENT")

    def expand(self, point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
        name = self.providers[0]
        if len(point.args) not in (1, 2) or not point.args[0]:
            report(
                error(
                    "bad-target",
                    f"`{point.text}` does not name a {name} event",
                    point.span,
                    notes=self._known(),
                    help=f"write `{name}:{next(iter(self.events))}:1000`, for instance",
                )
            )
            return []
        event = point.args[0]
        if event not in self.events:
            near = suggest(event, self.events)
            report(
                error(
                    "unknown-probe",
                    f"there is no {name} event `{event}`",
                    point.span,
                    notes=self._known(),
                    help=f"did you mean `{name}:{near}`?" if near else None,
                )
            )
            return []
        config, usual = self.events[event]
        if len(point.args) == 1 or not point.args[1]:
            return [Target(self, f"{name}:{event}", (config, usual, point.process))]
        count = _number(point.args[1])
        if not 0 < count <= _MOST_EVENTS:
            report(
                error(
                    "bad-target",
                    f"`{point.text}` does not say after how many events it runs",
                    point.span,
                    notes=f"without a number it is {usual}",
                    help=f"write `{name}:{event}:1000`, for instance",
                )
            )
            return []
        return [Target(self, f"{name}:{event}:{count}", (config, count, point.process))]

    def _known(self) -> str:
        return f"the {self.providers[0]} events are: {', '.join(f'`{event}`' for event in self.events)}"

    def list_names(self, kernel: "KernelFacts") -> Sequence[str]:
        return tuple(f"{self.providers[0]}:{event}:" for event in self.events)

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        attach = tuple(Attach(self.providers[0], t.name, t.key) for t in targets)
        name = targets[0].name.replace(":", "_").replace("-", "_")
        return ProgramShape(name, ProgramType.PERF_EVENT, attach)

    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        config, count, process = attach.target
        assert isinstance(config, int) and isinstance(count, int) and isinstance(process, int)
        return kernel.attach_counter(
            program, self.perf_type, config, period=count, process=process, target=attach.probe
        )


def _number(text: str) -> int:
    """A count as numbers are written in programs (`1e6`, `10_000`, `1ms` of a clock); -1 for what is none."""
    from kernscope.syntax.literals import NumberError, read_number  # few programs count

    try:
        return read_number(text)[0]
    except NumberError:
        return -1


SOFTWARE = _Counter(
    ("software", "s"),
    _SOFTWARE,
    _SOFTWARE_EVENTS,
    "Runs after so many events that the kernel counts, for instance `software:page-faults:100`.",
)
HARDWARE = _Counter(
    ("hardware", "h"),
    _HARDWARE,
    _HARDWARE_EVENTS,
    "Runs after so many events that the processor counts, for instance `hardware:cache-misses:1e6`.",
)

KINDS: tuple[ProbeKind, ...] = (SOFTWARE, HARDWARE)
