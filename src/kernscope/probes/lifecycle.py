"""`begin`, `end` and `self:signal:NAME`: programs that user space itself runs."""

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

__all__ = ["BEGIN", "BENCH", "END", "SELF", "TEST"]


class _RunBySession(ProbeKind):
    """Loaded as a raw tracepoint program and run with BPF_PROG_TEST_RUN."""

    seldom = True
    runs_in_tracer = True
    of_processes = False

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        target = targets[0]
        attach = Attach(self.providers[0], target.name, target.key)
        return ProgramShape(target.name.replace(":", "_"), ProgramType.RAW_TRACEPOINT, (attach,))

    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        return []


class _Lifecycle(_RunBySession):
    def __init__(self, name: str, doc: str, *, after_exit: bool = False) -> None:
        self.providers = (name, name.upper())
        self.syntax = (name,)
        self.doc, self.after_exit = doc, after_exit

    def expand(self, point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
        if point.args:
            report(
                error(
                    "bad-target",
                    f"`{point.provider}` takes no target",
                    point.span,
                    help=f"write `{self.providers[0]}`",
                )
            )
            return []
        return [Target(self, self.providers[0])]

    def list_names(self, kernel: "KernelFacts") -> Sequence[str]:
        return self.providers[:1]


class _Self(_RunBySession):
    providers = ("self",)
    syntax = ("self:signal:NAME",)
    doc = "Runs when the tracer itself receives a signal, for instance `self:signal:SIGUSR1`."

    def expand(self, point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
        signals = _signal_numbers()
        if len(point.args) != 2 or point.args[0] != "signal":
            report(
                error(
                    "bad-target",
                    f"`{point.text}` is not a target of `self`",
                    point.span,
                    help="write `self:signal:SIGUSR1`, for instance",
                )
            )
            return []
        name = point.args[1]
        number = signals.get(name if name.startswith("SIG") else f"SIG{name}")
        if number is None:
            near = suggest(name, signals)
            report(
                error(
                    "bad-target",
                    f"there is no signal `{name}` that a tracer can wait for",
                    point.span,
                    help=f"did you mean `{near}`?" if near else f"the signals are: {', '.join(signals)}",
                )
            )
            return []
        return [Target(self, f"self:signal:{name}", (number,))]

    def list_names(self, kernel: "KernelFacts") -> Sequence[str]:
        return ("self:signal:SIGUSR1",)


class _OnDemand(_RunBySession):
    on_demand = True

    def __init__(self, name: str, doc: str) -> None:
        self.providers = (name,)
        self.syntax = (f"{name}:NAME",)
        self.doc = doc

    def expand(self, point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
        kind = self.providers[0]
        if len(point.args) != 1 or not point.args[0]:
            report(
                error(
                    "bad-target",
                    f"`{point.text}` needs a name",
                    point.span,
                    help=f"write `{kind}:name`",
                )
            )
            return []
        return [Target(self, f"{kind}:{point.args[0]}", (point.args[0],))]


def _signal_numbers() -> dict[str, int]:
    import signal

    unusable = {"SIGKILL", "SIGSTOP", "SIGINT", "SIGTERM"}
    return {s.name: int(s) for s in signal.Signals if s.name not in unusable}


BEGIN = _Lifecycle("begin", "Runs once, before the first event of any other probe is handled.")
END = _Lifecycle("end", "Runs once, when everything else has stopped.", after_exit=True)
SELF = _Self()
TEST = _OnDemand("test", "Runs under `--test`; it fails if its action returns another number than 0.")
BENCH = _OnDemand("bench", "Runs many times under `--bench`, which tells how long it takes.")

KINDS: tuple[ProbeKind, ...] = (BEGIN, END, SELF, TEST, BENCH)
