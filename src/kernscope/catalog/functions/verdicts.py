"""Verdicts: what the kernel does with the event. An extension of the language, for kinds that have `verdicts`.

A verdict ends the action. A refusal is counted, and returned to the kernel only while the session enforces: the
deadline for that is a time in `globals`, so that a tracer that hangs does not enforce beyond its time. An approval
decides nothing, as an action without a verdict does, so that it never undoes what another action has refused.
"""

from kernscope.bundle.globals_layout import ENFORCE_UNTIL_NS, OWN_PID
from kernscope.catalog.base import CheckContext, Function, LowerContext
from kernscope.catalog.task import task_id
from kernscope.diagnostics import error, suggest
from kernscope.ssa import Cond
from kernscope.syntax.ast import Call, Expr, Identifier
from kernscope.tables.helpers import HELPER_IDS
from kernscope.types import NONE, UINT32, String, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.probes.verdicts import Verdicts
    from kernscope.ssa import Value

__all__ = ["FUNCTIONS"]

_EPERM = 1
_COMM = String(16)
"""TASK_COMM_LEN of include/linux/sched.h."""


class _Verdict(Function):
    decides = True
    refuses = False

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        for target in cx.targets:
            verdicts = target.kind.verdicts
            if verdicts is None or self.name not in verdicts.values:
                self._not_here(cx, call, target.name, verdicts)
                return NONE
        if not (cx.config.get("unsafe") or cx.config.get("enforce") or cx.config.get("dry_run")):
            cx.report(
                error(
                    "enforcement-not-allowed",
                    f"`{call.name}()` decides what the system that is traced does",
                    call.span,
                    help="allow it with `--enforce`; `--dry-run` only counts what would be decided",
                )
            )
        cx.keep(call, self._errno(cx, call))
        return NONE

    @staticmethod
    def _not_here(cx: CheckContext, call: Call, target: str, verdicts: "Verdicts | None") -> None:
        if verdicts is None or not verdicts.values:
            help = "verdicts exist in `lsm`, `netfilter`, `xdp`, `tc` and `cgroup` probes"
        else:
            help = f"here it is {' or '.join(f'`{name}()`' for name in verdicts.values)}"
        cx.report(error("no-verdict", f"`{target}` has no verdict `{call.name}()`", call.span, help=help))

    @staticmethod
    def _errno(cx: CheckContext, call: Call) -> tuple[int, str]:
        """Number and name of the error that the process gets."""
        if not call.args:
            return _EPERM, "EPERM"
        from kernscope.tables.errno_names import MAX_ERRNO, errno_name

        arg = call.args[0]
        if not all(t.kind.verdicts and t.kind.verdicts.takes_errno for t in cx.targets):
            target = next(t for t in cx.targets if not (t.kind.verdicts and t.kind.verdicts.takes_errno))
            cx.report(
                error("wrong-arguments", f"`{call.name}()` of `{target.name}` takes no error", arg.span)
            )
        number = _errno_number(cx, arg)
        if number is None:
            return _EPERM, ""
        if not 1 <= number <= MAX_ERRNO:
            cx.report(
                error(
                    "wrong-arguments",
                    f"{number} is no error number",
                    arg.span,
                    notes=f"error numbers go from 1 to {MAX_ERRNO}",
                    help="write its name: `EPERM`, `EACCES`",
                )
            )
            return _EPERM, ""
        return number, errno_name(number)

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        kept = lo.kept(call)
        assert isinstance(kept, tuple)
        errno, errno_text = kept
        target = lo.targets[0]
        verdicts = target.kind.verdicts
        assert verdicts is not None
        if self.refuses and verdicts.of_processes:
            self._spare_tracer(lo)
        shown = f"{self.name}({errno_text if self.refuses and verdicts.takes_errno else ''})"
        lo.count_verdict(shown)
        if lo.config.get("tell_verdicts"):
            self._tell(lo, call, shown, of_processes=verdicts.of_processes)
        if self.refuses:
            b = lo.b
            enforce, over = b.block("enforce"), b.block("over")
            now = b.call(HELPER_IDS["ktime_get_ns"])
            b.branch_cmp(Cond.ULT, now, b.load(8, lo.global_address(ENFORCE_UNTIL_NS)), enforce, over)
            b.seal(over)
            b.position(over)
            lo.end_action()
            b.seal(enforce)
            b.position(enforce)
            lo.decide(verdicts.value(self.name, errno), errno)
        else:
            lo.end_action()
        return None

    @staticmethod
    def _spare_tracer(lo: LowerContext) -> None:
        """End the action if the event is of the tracer's own process."""
        b = lo.b
        other, own = b.block("other_process"), b.block("own_process", likely=False)
        b.branch_cmp(Cond.NE, task_id(lo, process=True), b.load(8, lo.global_address(OWN_PID)), other, own)
        b.seal(own)
        b.position(own)
        lo.end_action()
        b.seal(other)
        b.position(other)

    @staticmethod
    def _tell(lo: LowerContext, call: Call, shown: str, *, of_processes: bool) -> None:
        """A line of output per verdict."""
        text = f"{', '.join(t.name for t in lo.targets)}: {shown}"
        if not of_processes:
            lo.send(lo.record("printf", (), text=f"{_escaped(text)}\n", span=call.span), ())
            return
        name = lo.place(_COMM)
        lo.clear(name, _COMM.size)
        lo.b.call(HELPER_IDS["get_current_comm"], name, _COMM.size)
        record = lo.record("printf", (_COMM, UINT32), text=f"{_escaped(text)}, %s (%d)\n", span=call.span)
        lo.send(record, (name, task_id(lo, process=True)))


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _errno_number(cx: CheckContext, arg: Expr) -> int | None:
    from kernscope.tables.errno_names import ERRNO_NAMES, errno_number

    if isinstance(arg, Identifier):
        if arg.name in ERRNO_NAMES.values():
            return errno_number(arg.name)
        near = suggest(arg.name, ERRNO_NAMES.values())
        cx.report(
            error(
                "unknown-name",
                f"there is no error `{arg.name}`",
                arg.span,
                help=f"did you mean `{near}`?" if near else "for instance `EPERM`, `EACCES`, `ENOENT`",
            )
        )
        return None
    cx.type_of(arg)
    number = cx.constant(arg)
    if number is None:
        cx.report(
            error("constant-needed", "the error must be known when compiling: `EPERM`, `EACCES`", arg.span)
        )
    return number


class _Allow(_Verdict):
    name = "allow"
    usage = ("allow()",)
    doc = "Verdict of `lsm` and `cgroup` probes: end the action; the kernel goes on. Needs `--enforce`."


class _Deny(_Verdict):
    name = "deny"
    usage = ("deny()", "deny(ERROR)")
    doc = (
        "Verdict of `lsm` and `cgroup` probes: end the action; what the process wants fails with the error, `EPERM` "
        "unless given. Needs `--enforce`."
    )
    arity = (0, 1)
    refuses = True


class _Accept(_Verdict):
    name = "accept"
    usage = ("accept()",)
    doc = "Verdict about a packet: end the action; the packet goes on. Needs `--enforce`."


class _Drop(_Verdict):
    name = "drop"
    usage = ("drop()",)
    doc = "Verdict about a packet: end the action; the packet is thrown away. Needs `--enforce`."
    refuses = True


FUNCTIONS = (_Allow(), _Deny(), _Accept(), _Drop())
