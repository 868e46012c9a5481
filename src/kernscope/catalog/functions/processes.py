"""Facts about the event's process and probe, and signals to it."""

from sys import byteorder

from kernscope.catalog.base import Builtin, CheckContext, Function, LowerContext
from kernscope.catalog.functions.checks import string_limit, wants_integer, wants_unsafe
from kernscope.catalog.task import task_id, task_of
from kernscope.diagnostics import error, suggest
from kernscope.ssa import Cond
from kernscope.syntax.ast import Call, Identifier
from kernscope.tables.helpers import HELPER_IDS
from kernscope.types import BOOL, INT64, NONE, UINT8, UINT32, UINT64, Integer, Pointer, String, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.ssa import Value

__all__ = ["BUILTINS", "COMM_BYTES", "FUNCTIONS"]

COMM_BYTES = 16
"""TASK_COMM_LEN of include/linux/sched.h."""

_NOBODY = b"N/A\0"

_USER_PRIVILEGE = 3
"""The ring of user space in the low bits of the code segment (arch/x86/include/asm/segment.h)."""


class _HasCpid(Builtin):
    name = "has_cpid"
    doc = "Whether `-c` started a command."
    type = BOOL

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        return lo.b.const(int(bool(lo.config.get("cpid", 0))))


class _ProbeType(Builtin):
    name = "probetype"
    doc = "Kind of the probe that fired, such as `tracepoint`; `special` in `begin` and `end`."

    def check(self, cx: CheckContext, node: "Identifier | Call") -> Type | None:
        return String(1 + max((len(t.type_name) for t in cx.targets), default=0))

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        size = lo.type_of(node).size
        return lo.global_address(lo.constant_table(lo.targets[0].type_name.encode().ljust(size, b"\0")))


class _Usermode(Builtin):
    name = "usermode"
    doc = "1 if the event happened in user space, as samples may, 0 if in the kernel. For x86_64."
    type = UINT8

    def check(self, cx: CheckContext, node: "Identifier | Call") -> Type | None:
        if "cs" not in cx.kernel.arch.register_offsets:
            cx.report(
                error("not-available-here", f"`usermode` is not known on {cx.kernel.arch.machine}", node.span)
            )
        return self.type

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        b = lo.b
        target = lo.targets[0]
        if not target.kind.registers:
            return b.const(int(target.kind.runs_in_tracer))
        segment = b.load(8, lo.context, lo.kernel.arch.register_offsets["cs"])
        return b.cmp(Cond.EQ, b.and_(segment, _USER_PRIVILEGE), _USER_PRIVILEGE)


class _DefaultStringLength(Builtin):
    name = "default_str_length"
    doc = "The size that strings are read with, `max_strlen`."
    type = UINT64

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        size = string_limit(lo)
        return lo.b.const(size)


class _IdIn(Function):
    """`pid` and `tid` with a namespace."""

    arity = (1, 1)
    modes = ("curr_ns", "init")

    def __init__(self, name: str, process: bool, doc: str) -> None:
        self.name, self.process, self.doc = name, process, doc
        self.usage = (f"{name}(curr_ns)", f"{name}(init)")

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        arg = call.args[0]
        name = arg.name if isinstance(arg, Identifier) else ""
        if name not in self.modes:
            near = suggest(name, self.modes)
            cx.report(
                error(
                    "wrong-arguments",
                    f"`{self.name}()` wants `curr_ns` or `init`, the pid namespace of the tracer or the first one",
                    arg.span,
                    help=f"did you mean `{near}`?" if near else None,
                )
            )
        cx.keep(call, name == "init")
        return UINT32

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        return task_id(lo, process=self.process, initial=bool(lo.kept(call)))


class _OfTask(Function):
    """Something about the parent of a task that a pointer leads to."""

    arity = (1, 1)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        t = cx.type_of(call.args[0])
        if t is not None and not isinstance(t, Pointer):
            cx.report(
                error(
                    "type-mismatch",
                    f"`{self.name}()` wants a pointer to a task, this is `{t}`",
                    call.args[0].span,
                    help=f"`{self.name}` alone is that of the current task",
                )
            )
        return self.result

    result: Type = UINT32

    def parent(self, lo: LowerContext, call: Call) -> "Value":
        task = lo.value(call.args[0])
        return lo.read_kernel(lo.b.add(task, lo.member_offset("task_struct", "real_parent")), 8, False)


class _PpidOf(_OfTask):
    name = "ppid"
    usage = ("ppid(TASK)",)
    doc = "Process id of a task's parent."

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        where = lo.b.add(self.parent(lo, call), lo.member_offset("task_struct", "tgid"))
        return lo.read_kernel(where, 4, False)


class _CommOf(Function):
    name = "comm"
    usage = ("comm(PID)",)
    doc = "Name of the process or thread with an id (of the first pid namespace), `N/A` where there is none."
    arity = (1, 1)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        wants_integer(cx, call, call.args[0])
        return String(COMM_BYTES)

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        b = lo.b
        task = task_of(lo, b.ext(lo.value(call.args[0]), 32, False))
        destination = lo.place(String(COMM_BYTES))
        lo.clear(destination, COMM_BYTES)
        known = b.cmp(Cond.NE, task, 0)
        where = b.select(known, b.add(task, lo.member_offset("task_struct", "comm")), 0)
        lo.read_string(where, "kernel", destination, COMM_BYTES)
        b.store(4, destination, b.select(known, b.load(4, destination), int.from_bytes(_NOBODY, byteorder)))
        return destination


class _PcommOf(_OfTask):
    name = "pcomm"
    usage = ("pcomm(TASK)",)
    doc = "Name of a task's parent."
    result = String(COMM_BYTES)

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        destination = lo.place(self.result)
        lo.clear(destination, COMM_BYTES)
        where = lo.b.add(self.parent(lo, call), lo.member_offset("task_struct", "comm"))
        lo.read_string(where, "kernel", destination, COMM_BYTES)
        return destination


class _Signal(Function):
    """A signal to the current process or thread."""

    arity = (1, 1)

    def __init__(self, name: str, helper: str, doc: str) -> None:
        self.name, self.helper, self.doc = name, helper, doc
        self.usage = (f'{name}("NAME")', f"{name}(NUMBER)")

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        wants_unsafe(cx, call)
        here = next((t for t in cx.targets if t.kind.runs_in_tracer), None)
        if here is not None:
            cx.report(error("not-available-here", f"`{here.name}` has no process to signal", call.span))
        arg = call.args[0]
        t = cx.type_of(arg)
        name = cx.constant_string(arg) if isinstance(t, String) else None
        if name is not None:
            cx.keep(call, self._number(cx, call, name))
        elif t is not None and not isinstance(t, Integer):
            cx.report(
                error("type-mismatch", f"`{self.name}()` wants a name or a number, this is `{t}`", arg.span)
            )
        elif (number := cx.constant(arg)) is not None and not 1 <= number <= 64:
            cx.report(error("wrong-arguments", "signals have the numbers 1 to 64", arg.span))
        return NONE

    @staticmethod
    def _number(cx: CheckContext, call: Call, name: str) -> int | None:
        import signal  # takes long to load

        signals = {s.name: int(s) for s in signal.Signals}
        number = signals.get(name if name.startswith("SIG") else f"SIG{name}")
        if number is None:
            near = suggest(name, signals)
            cx.report(
                error(
                    "wrong-arguments",
                    f"there is no signal `{name}`",
                    call.args[0].span,
                    help=f"did you mean `{near}`?" if near else None,
                )
            )
        return number

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        number = lo.kept(call)
        value = lo.b.const(number) if isinstance(number, int) else lo.value(call.args[0])
        lo.b.call(HELPER_IDS[self.helper], value)
        return None


class _Reg(Function):
    name = "reg"
    needs_registers = True
    usage = ('reg("NAME")',)
    doc = 'A register at the event, for probes that have them: `reg("ip")`.'
    arity = (1, 1)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        arg = call.args[0]
        cx.type_of(arg)
        without = next((t for t in cx.targets if not t.kind.registers), None)
        if without is not None:
            cx.report(error("not-available-here", f"`{without.name}` has no registers", call.span))
        name = cx.constant_string(arg)
        known = cx.kernel.arch.register_offsets
        if name is None:
            cx.report(error("constant-needed", "`reg()` wants the name of a register in quotes", arg.span))
        elif name not in known:
            cx.report(
                error(
                    "wrong-arguments",
                    f"there is no register `{name}`",
                    arg.span,
                    notes=f"they are {', '.join(f'`{r}`' for r in known)}",
                )
            )
        else:
            cx.keep(call, known[name])
        return UINT64

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        offset = lo.kept(call)
        assert isinstance(offset, int)
        return lo.b.load(8, lo.context, offset)


class _Unwatch(Function):
    name = "unwatch"
    usage = ("unwatch(ADDRESS)",)
    doc = "Detach the `watchpoint` probes of an address. Events that happen until the tracer has done so still count."
    arity = (1, 1)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        t = cx.type_of(call.args[0])
        if t is not None and not isinstance(t, Integer | Pointer):
            cx.report(
                error("type-mismatch", f"`unwatch()` wants an address, this is `{t}`", call.args[0].span)
            )
        return NONE

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        from kernscope.probes.watchpoint import SERVERS  # few programs need it

        record = lo.record(
            "unwatch", (UINT64,), values=tuple(kind.providers[0] for kind in SERVERS), span=call.span
        )
        lo.send_control(record, (lo.value(call.args[0]),))
        return None


class _Elsewhere(Function):
    """A function of probes that a program cannot have here yet: whoever uses it learns which they are."""

    def __init__(self, name: str, arguments: str, arity: tuple[int, int], where: str, doc: str) -> None:
        self.name, self.arity, self.where, self.doc = name, arity, where, doc
        self.usage = (f"{name}({arguments})",)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        for arg in call.args:
            cx.type_of(arg)
        name = cx.targets[0].name if cx.targets else "this probe"
        cx.report(
            error(
                "not-available-here",
                f"`{self.name}()` does not work in `{name}`",
                call.span,
                label=f"only in {self.where}",
            )
        )
        return INT64


BUILTINS = (_HasCpid(), _ProbeType(), _Usermode(), _DefaultStringLength())

FUNCTIONS = (
    _IdIn("pid", True, "Process id in the tracer's pid namespace, or in the initial one."),
    _IdIn("tid", False, "Thread id in the tracer's pid namespace, or in the initial one."),
    _PpidOf(),
    _PcommOf(),
    _CommOf(),
    _Signal("signal", "send_signal", "Send a signal to the current process. Unsafe."),
    _Signal("signal_thread", "send_signal_thread", "Send a signal to the current thread. Unsafe."),
    _Reg(),
    _Unwatch(),
    _Elsewhere(
        "skboutput", "FILE, SKB, LENGTH, OFFSET", (4, 4), "`fentry` and `fexit`", "Write a packet to a file."
    ),
)
