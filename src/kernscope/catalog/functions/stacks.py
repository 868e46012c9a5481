"""Stacks and addresses: `kstack`, `ustack`, `ksym`, `usym`, `kaddr`.

A stack's frames are kept in a map of the program under their hash, each stack once; the value that the program
works with is (hash, shape) and for processes the pid, so that equal stacks are equal keys. The shape is the number
of frames found, and from bit 32 on the most that are shown, from bit 48 on the most that are kept: where the kernel
puts functions of its own between the event and the program, more are kept than shown.
"""

from kernscope.catalog.base import Builtin, CheckContext, Function, LowerContext
from kernscope.catalog.task import task_id
from kernscope.diagnostics import error, suggest
from kernscope.ssa import Cond
from kernscope.syntax.ast import Call, Identifier
from kernscope.tables.cpython import MOST_PYTHON_FRAMES
from kernscope.tables.helpers import HELPER_IDS
from kernscope.types import UINT64, Integer, Pointer, Symbolic, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.ssa import Value

__all__ = ["BUILTINS", "FUNCTIONS"]

DEFAULT_FRAMES = 127
"""PERF_MAX_STACK_DEPTH of include/uapi/linux/perf_event.h."""
MOST_FRAMES = 1024

_USER_STACK = 1 << 8
"""BPF_F_USER_STACK of include/uapi/linux/bpf.h."""
_ANY = 0
_PRIME = 0x100000001B3
"""Of the FNV hash."""

_MODES = ("bpftrace", "perf", "raw", "build_id")


class _Kind:
    """The stack of the kernel, or of the process."""

    def __init__(self, name: str, user: bool) -> None:
        self.name, self.user = name, user
        self.words = 3 if user else 2

    def type(self, mode: str) -> Symbolic:
        return Symbolic(self.name if mode == "bpftrace" else f"{self.name}_{mode}", self.words)

    def default(self, cx: CheckContext) -> Symbolic:
        return self.type(str(cx.config.get("stack_mode", "bpftrace")))

    def lower(self, lo: LowerContext, limit: int) -> "Value":
        """Keep the frames, give the value."""
        b = lo.b
        place = lo.place(self.type("bpftrace"))
        if limit == 0:
            lo.clear(place, 8 * self.words)
            return place
        kept = limit if self.user else limit + max(t.kind.most_hidden_frames for t in lo.targets)
        if self.user and _has_tables(lo):
            frames, size = lo.unwound_stack(limit, mark_depth=limit == DEFAULT_FRAMES)
            if lo.config.get("python_frames"):
                kept = limit = limit + MOST_PYTHON_FRAMES
        else:
            frames = lo.scratch(8 * kept)
            flags = _USER_STACK if self.user else 0
            got = b.call(HELPER_IDS["get_stack"], lo.context, frames, 8 * kept, flags)
            size = b.select(b.cmp(Cond.SGT, got, 0), got, 0)
        hash = _hash(lo, frames, size, kept)
        stored = lo.stack_map(kept)
        b.store(8, place, hash)
        key = lo.place(UINT64)
        b.store(8, key, hash)
        known = b.call(HELPER_IDS["map_lookup_elem"], b.map_fd(stored), key, pointer=True)
        new, done = b.block("new_stack", likely=False), b.block("stack")
        b.branch_cmp(Cond.EQ, known, 0, new, done)
        b.seal(new)
        b.position(new)
        b.call(HELPER_IDS["map_update_elem"], b.map_fd(stored), key, frames, _ANY)
        b.jump(done)
        b.seal(done)
        b.position(done)
        b.store(8, place, b.or_(b.lshr(size, 3), (kept << 16 | limit) << 32), 8)
        if self.user:
            b.store(8, place, task_id(lo, process=True), 16)
        return place


def _has_tables(lo: LowerContext) -> bool:
    """Whether stacks of processes are walked by unwind tables; else frame pointers must do."""
    needs = ("bpf_loop", "task_btf", "mapping_tree")
    return lo.config.get("unwind") == "tables" and all(lo.kernel.has_feature(name) for name in needs)


def _hash(lo: LowerContext, frames: "Value", size: "Value", limit: int) -> "Value":
    """FNV over whole words, mixed at the end."""
    b = lo.b
    at, sum = object(), object()
    head, inside, body = b.block("hash"), b.block("inside"), b.block("frame")
    done = b.block("hashed")
    b.write_var(at, lo.unforeseen(b.const(0)))
    b.write_var(sum, lo.unforeseen(size))
    b.jump(head)
    b.position(head)
    if lo.kernel.has_feature("may_goto"):
        bounded = b.block("bounded")
        b.may_goto(done, bounded)
        b.seal(bounded)
        b.position(bounded)
    offset = b.read_var(at)
    b.branch_cmp(Cond.ULE, offset, 8 * limit - 8, inside, done)
    b.seal(inside)
    b.position(inside)
    b.branch_cmp(Cond.ULT, offset, size, body, done)
    b.seal(body)
    b.position(body)
    frame = b.load(8, b.ptr_add(frames, offset))
    b.write_var(sum, b.mul(b.xor(b.read_var(sum), frame), _PRIME))
    b.write_var(at, b.add(offset, 8))
    b.jump(head)
    b.seal(head)
    b.seal(done)
    b.position(done)
    total = b.read_var(sum)
    return b.xor(total, b.lshr(total, 29))


KERNEL, USER = _Kind("kstack", False), _Kind("ustack", True)


class _Stack(Builtin):
    """The name alone: all frames in the form that is configured."""

    def __init__(self, kind: _Kind, doc: str) -> None:
        self.kind, self.name, self.doc = kind, kind.name, doc

    def check(self, cx: CheckContext, node: "Identifier | Call") -> Type | None:
        return self.kind.default(cx)

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        return self.kind.lower(lo, DEFAULT_FRAMES)


class _StackCall(Function):
    """With a form, a number of frames, or both."""

    arity = (1, 2)

    def __init__(self, kind: _Kind, doc: str) -> None:
        self.kind, self.name, self.doc = kind, kind.name, doc
        self.usage = (f"{kind.name}(FRAMES)", f"{kind.name}(MODE)", f"{kind.name}(MODE, FRAMES)")

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        args = list(call.args)
        t = self.kind.default(cx)
        first = args[0]
        if isinstance(first, Identifier) and cx.constant(first) is None:
            mode = first.name
            if mode not in _MODES or (mode == "build_id" and not self.kind.user):
                near = suggest(mode, _MODES)
                cx.report(
                    error(
                        "wrong-arguments",
                        f"`{self.name}()` has no mode `{mode}`",
                        first.span,
                        notes="the modes are `bpftrace`, `perf`, `raw`, and for `ustack` `build_id`",
                        help=f"did you mean `{near}`?" if near else None,
                    )
                )
                return None
            t = self.kind.type(mode)
            args = args[1:]
        limit: int | None = DEFAULT_FRAMES
        if len(args) == 2:
            cx.report(error("wrong-arguments", "the mode comes before the number of frames", first.span))
            return None
        if args:
            cx.type_of(args[0])
            limit = cx.constant(args[0])
            if limit is None or not 0 <= limit <= MOST_FRAMES:
                cx.report(
                    error(
                        "constant-needed" if limit is None else "wrong-arguments",
                        f"the number of frames is known when compiling, 0 to {MOST_FRAMES}",
                        args[0].span,
                    )
                )
                return None
        cx.keep(call, limit)
        return t

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        limit = lo.kept(call)
        assert isinstance(limit, int)
        return self.kind.lower(lo, limit)


class _Address(Function):
    """The name of the function that an address is in."""

    arity = (1, 1)

    def __init__(self, name: str, words: int, doc: str) -> None:
        self.name, self.doc, self.words = name, doc, words
        self.usage = (f"{name}(ADDRESS)",)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        t = cx.type_of(call.args[0])
        if t is not None and not isinstance(t, Integer | Pointer):
            cx.report(
                error("type-mismatch", f"`{self.name}()` wants an address, this is `{t}`", call.args[0].span)
            )
        return Symbolic(self.name, self.words)

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        b = lo.b
        address = lo.value(call.args[0])
        if self.words == 1:
            return address
        place = lo.place(Symbolic(self.name, self.words))
        b.store(8, place, address)
        b.store(8, place, task_id(lo, process=True), 8)
        return place


class _Kaddr(Function):
    name = "kaddr"
    usage = ("kaddr(NAME)",)
    doc = "Address of a function or variable of the kernel, from /proc/kallsyms."
    arity = (1, 1)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        cx.type_of(call.args[0])
        name = cx.constant_string(call.args[0])
        if name is None:
            cx.report(
                error(
                    "constant-needed",
                    "`kaddr()` wants a name that is known when compiling: a string in quotes",
                    call.args[0].span,
                )
            )
            return UINT64
        address = cx.kernel.symbol_address(name)
        if address is None:
            cx.report(error("unknown-symbol", f"this kernel has no symbol `{name}`", call.args[0].span))
        cx.keep(call, address)
        return UINT64

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        address = lo.kept(call)
        assert isinstance(address, int)
        return lo.b.const(address)


BUILTINS = (
    _Stack(KERNEL, "The kernel's stack of the current thread."),
    _Stack(USER, "The stack of the current process in user space (of code built with frame pointers)."),
)

FUNCTIONS = (
    _StackCall(KERNEL, "The kernel's stack, at most FRAMES frames; MODE is `bpftrace`, `perf` or `raw`."),
    _StackCall(USER, "The process's stack, at most FRAMES frames; MODE also `build_id`."),
    _Address(
        "ksym", 1, "Name of the kernel function that an address is in; the address where it is in none."
    ),
    _Address("usym", 2, "Name of the current process's function that an address is in."),
    _Kaddr(),
)
