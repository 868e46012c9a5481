"""`interval` (one CPU) and `profile` (every CPU): programs that a clock starts."""

from collections.abc import Sequence

from kernscope.bundle import Attach
from kernscope.diagnostics import error
from kernscope.tables.bpf import ProgramType

from .base import ProbeKind, ProgramShape, Report, Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess, KernelFacts
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program
    from kernscope.syntax.ast import AttachPoint

__all__ = ["INTERVAL", "PROFILE"]

_UNIT_NS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_DURATION_NS = _UNIT_NS | {"": 1, "m": 60_000_000_000, "h": 3_600_000_000_000, "d": 86_400_000_000_000}


class _Timer(ProbeKind):
    """A software clock perf event with a fixed period, or a frequency (`hz`)."""

    seldom = True
    registers = True

    def __init__(self, providers: tuple[str, ...], every_cpu: bool, doc: str) -> None:
        self.providers, self.every_cpu, self.doc = providers, every_cpu, doc
        self.of_processes = every_cpu  # an interval is a clock; a profile samples whatever runs
        name = providers[0]
        self.syntax = (f"{name}:s:N", f"{name}:ms:N", f"{name}:us:N", f"{name}:hz:N", f"{name}:1s")

    def expand(self, point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
        period = _parse_period(point.args)
        if period is None:
            report(
                error(
                    "bad-target",
                    f"`{point.text}` does not say how often",
                    point.span,
                    notes="the units are `hz`, `s`, `ms`, `us`; the number is at least 1",
                    help=f"write `{self.providers[0]}:s:1` or `{self.providers[0]}:hz:99`, for instance",
                )
            )
            return []
        # a duration is named by its microseconds, as in bpftrace
        rest = ":".join(point.args) if len(point.args) == 2 else f"us:{period[0] // 1000}"
        return [Target(self, f"{self.providers[0]}:{rest}", period)]

    def list_names(self, kernel: "KernelFacts") -> Sequence[str]:
        return tuple(f"{self.providers[0]}:{unit}:N" for unit in ("hz", "s", "ms", "us"))

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        attach = tuple(Attach(self.providers[0], t.name, t.key) for t in targets)
        return ProgramShape(targets[0].name.replace(":", "_"), ProgramType.PERF_EVENT, attach)

    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        period_ns, frequency = attach.target
        assert isinstance(period_ns, int) and isinstance(frequency, int)
        return kernel.attach_timer(
            program, period_ns=period_ns, frequency=frequency, every_cpu=self.every_cpu
        )


def _parse_period(args: Sequence[str]) -> tuple[int, int] | None:
    """`(period in ns, 0)` or `(0, frequency in Hz)`; None where the parts make no sense."""
    if len(args) == 2 and args[1].isdecimal() and (count := int(args[1])) > 0:
        unit = args[0]
        if unit == "hz":
            return (0, count)
        if unit in _UNIT_NS:
            return _checked_period(count * _UNIT_NS[unit])
    if len(args) == 1:
        digits = args[0].rstrip("abcdefghijklmnopqrstuvwxyz")
        unit = args[0][len(digits) :]
        if digits.isdecimal():
            return _checked_period(int(digits) * _DURATION_NS.get(unit, 0))
    return None


def _checked_period(ns: int) -> tuple[int, int] | None:
    return (ns, 0) if 0 < ns < 1 << 63 else None


INTERVAL = _Timer(("interval", "i"), False, "Runs every so often on one CPU, for instance `interval:s:1`.")
PROFILE = _Timer(("profile", "p"), True, "Runs every so often on every CPU, for instance `profile:hz:99`.")

KINDS: tuple[ProbeKind, ...] = (INTERVAL, PROFILE)
