"""The built-in variables of the language: one class each, listed in `BUILTINS` at the end."""

from collections.abc import Sequence

from kernscope.bundle.globals_layout import START_NS
from kernscope.diagnostics import error, warning
from kernscope.tables.helpers import HELPER_IDS
from kernscope.types import INT64, UINT32, UINT64, Pointer, String, Struct, Symbolic, Type

from . import packets
from .base import Builtin, CheckContext, LowerContext
from .functions import processes, stacks
from .task import task_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelFacts
    from kernscope.probes import Target
    from kernscope.ssa import Value
    from kernscope.syntax.ast import Call, Identifier

__all__ = ["BUILTINS", "COMM_BYTES", "find_builtin"]

COMM_BYTES = 16
"""TASK_COMM_LEN of include/linux/sched.h."""

PROBE = Symbolic("probe")
USERNAME = Symbolic("username")
FUNCTION = Symbolic("function")
"""The index of a name in `Bundle.strings`."""


class _Helper(Builtin):
    """One helper without arguments gives the value."""

    helper = ""
    pure = False
    """Whether it is the same throughout one run of a program."""

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        return lo.b.call(HELPER_IDS[self.helper], pure=self.pure)


class _Ids(Builtin):
    """Process and thread ids. In a pid namespace of its own, the tracer shows the ids that are seen there."""

    type = UINT32
    process = True

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        return task_id(lo, process=self.process)


class _Pid(_Ids):
    name = "pid"
    doc = "Process id (the kernel's thread group id)."


class _Tid(_Ids):
    name = "tid"
    doc = "Thread id (the kernel's task id)."
    process = False


class _Uid(Builtin):
    name = "uid"
    doc = "User id of the current process."
    type: Type | None = UINT32

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        return lo.b.ext(lo.b.call(HELPER_IDS["get_current_uid_gid"], pure=True), 32, False)


class _Gid(Builtin):
    name = "gid"
    doc = "Group id of the current process."
    type = UINT32

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        return lo.b.lshr(lo.b.call(HELPER_IDS["get_current_uid_gid"], pure=True), 32)


class _Username(_Uid):
    name = "username"
    doc = "Login name of the current process's user; the number where it has none."
    type = USERNAME


class _Comm(Builtin):
    name = "comm"
    doc = "Name of the current thread, at most 15 bytes."
    type = String(COMM_BYTES)

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        destination = lo.place(self.type or String(COMM_BYTES))
        self.lower_into(lo, destination, COMM_BYTES)
        return destination

    def lower_into(self, lo: LowerContext, destination: "Value", size: int) -> bool:
        # Not every kernel's helper writes what is behind the NUL (6.1 does not): keys would differ by what lay there.
        lo.clear(destination, size)
        lo.b.call(HELPER_IDS["get_current_comm"], destination, size)
        return True


class _Cpu(_Helper):
    name = "cpu"
    doc = "Number of the CPU that the event happened on."
    type = UINT32
    helper = "get_smp_processor_id"
    pure = True


class _Numaid(_Helper):
    name = "numaid"
    aliases = ("numaidx",)
    doc = "Number of the NUMA node of this CPU."
    type = UINT32
    helper = "get_numa_node_id"
    pure = True


class _Nsecs(_Helper):
    name = "nsecs"
    doc = "Nanoseconds since boot, time asleep included; `nsecs(monotonic)` without it."
    type = UINT64
    helper = "ktime_get_boot_ns"


class _Elapsed(Builtin):
    name = "elapsed"
    doc = "Nanoseconds since tracing began."
    type = UINT64

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        b = lo.b
        return b.sub(b.call(HELPER_IDS["ktime_get_ns"]), b.load(8, lo.global_address(START_NS)))


class _Rand(Builtin):
    name = "rand"
    doc = "A random 32-bit number."
    type = UINT32

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        return lo.b.ext(lo.b.call(HELPER_IDS["get_prandom_u32"]), 32, False)


class _Jiffies(_Helper):
    name = "jiffies"
    doc = "The kernel's tick counter (64 bits)."
    type = UINT64
    helper = "jiffies64"


class _Cgroup(_Helper):
    name = "cgroup"
    doc = "Id of the current process's cgroup (version 2)."
    type = UINT64
    helper = "get_current_cgroup_id"
    pure = True


class _Ncpus(Builtin):
    name = "ncpus"
    doc = "Number of CPUs that this machine can have."
    type = UINT64

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        return lo.b.const(lo.kernel.possible_cpus)


class _Probe(Builtin):
    name = "probe"
    doc = "Full name of the probe that fired."
    type = PROBE

    def needs_probe(self, targets: "Sequence[Target]") -> bool:
        return True

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        return lo.probe_number()


class _Curtask(_Helper):
    name = "curtask"
    doc = "Address of the current `struct task_struct`."
    type = Pointer(Struct("struct task_struct", 0, {}), "kernel")
    helper = "get_current_task"
    pure = True


class _Userregs(Builtin):
    name = "userregs"
    doc = (
        "Address of the `struct pt_regs` that the running task left behind when it entered the kernel: "
        "`((struct pt_regs *)userregs)->orig_ax` is the number of the system call, wherever in it the probe is. Since "
        "Linux 5.15."
    )
    type = Pointer(Struct("struct pt_regs", 0, {}), "kernel")

    def check(self, cx: CheckContext, node: "Identifier | Call") -> Type | None:
        if not cx.kernel.has_feature("task_pt_regs"):
            cx.report(
                error(
                    "not-available-here",
                    "this kernel does not give programs the registers that a task entered it with",
                    node.span,
                    notes="they came with Linux 5.15",
                    help="at the begin of a system call `args` has its arguments",
                )
            )
        return self.type

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        b = lo.b
        task = b.call(HELPER_IDS["get_current_task_btf"], pointer=True)
        registers = b.call(HELPER_IDS["task_pt_regs"], task, pointer=True)
        return b.opaque(registers)  # a number to us, as all addresses of the kernel


class _Ctx(Builtin):
    name = "ctx"
    doc = "Address of the program's context; in iterators, what they give: `ctx.task`."
    type: Type | None = Pointer(UINT64, "ctx")
    is_context = True
    by_target = True

    def type_for(self, kernel: "KernelFacts", target: "Target") -> Type | None:
        return target.kind.context_type(kernel, target) or self.type

    def check(self, cx: CheckContext, node: "Identifier | Call") -> Type | None:
        return self.type_for(cx.kernel, cx.targets[0]) if cx.targets else self.type

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        if lo.type_of(node) == self.type:
            return lo.context
        # What it leads to is read as any memory of the kernel, by addresses that are numbers to us.
        slot = lo.b.frame_addr(lo.b.frame(8))
        lo.b.store(8, slot, lo.context)
        return lo.b.load(8, slot)


class _Parent(Builtin):
    """What the parent process (`task->real_parent`) has."""

    def parent(self, lo: LowerContext) -> "Value":
        b = lo.b
        task = b.call(HELPER_IDS["get_current_task"], pure=True)
        return lo.read_kernel(b.add(task, lo.member_offset("task_struct", "real_parent")), 8, False)


class _Ppid(_Parent):
    name = "ppid"
    doc = "Process id of the parent."
    type = UINT32

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        where = lo.b.add(self.parent(lo), lo.member_offset("task_struct", "tgid"))
        return lo.read_kernel(where, 4, False)


class _Pcomm(_Parent):
    name = "pcomm"
    doc = "Name of the parent, at most 15 bytes."
    type = String(COMM_BYTES)

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        destination = lo.place(String(COMM_BYTES))
        lo.clear(destination, COMM_BYTES)
        where = lo.b.add(self.parent(lo), lo.member_offset("task_struct", "comm"))
        lo.read_string(where, "kernel", destination, COMM_BYTES)
        return destination


class _Cpid(Builtin):
    name = "cpid"
    doc = "Process id of the command that `-c` started; 0 where there is none."
    type: Type | None = INT64

    def check(self, cx: CheckContext, node: "Identifier | Call") -> Type | None:
        if not cx.config.get("cpid", 0):
            cx.report(
                warning(
                    "no-command",
                    "no command is traced: `cpid` is 0",
                    node.span,
                    help="start one with `-c`, or ask `has_cpid` first",
                )
            )
        return self.type

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        cpid = lo.config.get("cpid", 0)
        return lo.b.const(cpid if isinstance(cpid, int) else 0)


class _NotHere(Builtin):
    """A built-in of some probes only. `holders`: which probes have it; `name` and `doc` as everywhere."""

    def __init__(self, name: str, holders: str, doc: str = "") -> None:
        self.name, self.holders, self.doc = name, holders, doc

    def check(self, cx: CheckContext, node: "Identifier | Call") -> Type | None:
        where = cx.targets[0].name if cx.targets else "this probe"
        help: list[str] = []
        if cx.args is not None and "ret" in cx.args.fields:
            if self.name == "retval":
                help.append("the return value of this probe is `args.ret`")
        elif cx.args is not None and cx.args.fields:
            help.append(f"this probe's values are {', '.join(f'`args.{f}`' for f in cx.args.fields)}")
        cx.report(
            error(
                "not-available-here",
                f"`{where}` has no `{self.name}`",
                node.span,
                label=f"only {self.holders} have it",
                help=help,
            )
        )
        return None


class _Arg(Builtin):
    """`arg0` to `arg9`: what a function, a static probe or a raw tracepoint gets, as 64-bit numbers."""

    type: Type | None = UINT64

    def __init__(self, index: int) -> None:
        self.name, self.index = f"arg{index}", index
        self.doc = f"Argument {index} of a function, a static probe or a raw tracepoint, as a 64-bit number."

    def check(self, cx: CheckContext, node: "Identifier | Call") -> Type | None:
        found: Type | None = None
        for kind in dict.fromkeys(target.kind for target in cx.targets):
            if not kind.most_args:
                return _NotHere(self.name, "raw tracepoints, function probes and static probes").check(
                    cx, node
                )
            targets = [target for target in cx.targets if target.kind is kind]
            t = kind.check_positional(cx.kernel, targets, self.index, node.span, cx.report)
            if t is None:
                return None
            found = t if found is None or t == INT64 else found
        return found

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        return lo.load_positional(self.index)


class _Retval(_NotHere):
    """What a function returns; its type is up to the target."""

    by_target = True

    def __init__(self) -> None:
        super().__init__(
            "retval",
            "probes on the return of a function (`kretprobe`, `fexit`, `uretprobe`)",
            "What the function returned, in probes on its return.",
        )

    def type_for(self, kernel: "KernelFacts", target: "Target") -> Type | None:
        return target.kind.retval(kernel, target)

    def check(self, cx: CheckContext, node: "Identifier | Call") -> Type | None:
        t = self.type_for(cx.kernel, cx.targets[0]) if cx.targets else None
        return t if t is not None else super().check(cx, node)

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        return lo.load_retval()


class _Func(_NotHere):
    """The function that was hit, of the kernel or of the process."""

    by_target = True

    def __init__(self) -> None:
        super().__init__(
            "func", "function probes (`kprobe`, `fentry`, `uprobe`)", "Name of the function that was hit."
        )

    def type_for(self, kernel: "KernelFacts", target: "Target") -> Type | None:
        if not target.kind.has_func:
            return None
        if target.kind.func_by_name:
            return FUNCTION
        return Symbolic("usym", 2) if target.kind.pointer_space == "user" else Symbolic("ksym")

    def check(self, cx: CheckContext, node: "Identifier | Call") -> Type | None:
        t = self.type_for(cx.kernel, cx.targets[0]) if cx.targets else None
        return t if t is not None else super().check(cx, node)

    def needs_probe(self, targets: "Sequence[Target]") -> bool:
        return any(target.kind.func_by_name for target in targets)

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        t = lo.type_of(node)
        if t == FUNCTION:
            return lo.func_name()
        address = lo.func_address()
        if not isinstance(t, Symbolic) or t.words == 1:
            return address
        place = lo.place(t)
        lo.b.store(8, place, address)
        lo.b.store(8, place, task_id(lo, process=True), 8)
        return place


_ENTRIES: tuple[Builtin, ...] = (
    _Pid(),
    _Tid(),
    _Uid(),
    _Gid(),
    _Username(),
    _Comm(),
    _Cpu(),
    _Numaid(),
    _Nsecs(),
    _Elapsed(),
    _Rand(),
    _Jiffies(),
    _Cgroup(),
    _Ncpus(),
    _Probe(),
    _Curtask(),
    _Userregs(),
    _Ctx(),
    _Ppid(),
    _Pcomm(),
    _Cpid(),
    *stacks.BUILTINS,
    *processes.BUILTINS,
    *packets.BUILTINS,
    *(_Arg(i) for i in range(10)),
    _Retval(),
    _Func(),
)

BUILTINS: dict[str, Builtin] = {name: entry for entry in _ENTRIES for name in (entry.name, *entry.aliases)}
"""By name; `args` is not here, for it has members but no value."""


def find_builtin(name: str) -> Builtin | None:
    """The entry of a name; names may be written with two underscores before them (`__builtin_pid`)."""
    return BUILTINS.get(name.removeprefix("__builtin_"))
