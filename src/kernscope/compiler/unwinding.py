"""User stacks of code without frame pointers: emits a walk from frame to frame by the rules of `.eh_frame`.

User space keeps the rules in maps (`kernscope.tables.unwinding`). For each frame the program finds the mapping that
the address is in (`.mapping_search`), then the last row at or before it, among the few that an index leaves, and from
the row the caller's address, rsp and rbp. The walk is a callback of bpf_loop(), which the verifier checks once. The
search among rows has no branches, so that it is checked once too: each step adds its width or zero.
"""

from collections.abc import Callable

from kernscope.elf.eh_rules import (
    CFA_AT_RBP,
    CFA_RSP,
    END,
    NOTHING,
    PLT,
    RBP_AT_RBP,
    SIGNAL,
    UNSUPPORTED,
)
from kernscope.ssa import Block, Builder, Cond, Value
from kernscope.tables.bpf import MapFlag, MapType
from kernscope.tables.cpython import MOST_PYTHON_FRAMES
from kernscope.tables.helpers import HELPER_IDS
from kernscope.tables.unwinding import (
    BLOCK_BITS,
    BLOCK_BYTES,
    INCOMPLETE,
    MOST_WORDS,
    ROWS_MAP,
    Reason,
)

from .mapping_search import MappingSearch
from .steps import StackEmitter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .statements import Statements

__all__ = ["unwound_stack"]

_IP, _SP, _BP, _PC, _STATUS, _CALL = 0, 8, 16, 24, 32, 40
_STATE_BYTES = 48
_COMPLETE = 16
"""Status of a walk that has reached the root; smaller ones are a `Reason`."""

_REGS_BP, _REGS_CALL, _REGS_IP, _REGS_SP = 32, 120, 128, 152
"""In `struct pt_regs` of x86-64 (arch/x86/include/asm/ptrace.h)."""
_UCONTEXT_BP, _UCONTEXT_SP, _UCONTEXT_IP = 120, 160, 168
"""In a signal's `struct ucontext`, to which rsp points in the code that returns from it (uapi/asm/sigcontext.h)."""
_ADDRESS_BITS = 56
"""Of an address in user space at most (five-level page tables)."""
_EXECVE, _EXECVEAT = 59, 322
"""arch/x86/entry/syscalls/syscall_64.tbl"""
_PF_KTHREAD = 0x00200000
"""include/linux/sched.h"""


def unwound_stack(lo: "Statements", most: int, *, mark_depth: bool) -> tuple[Value, Value]:
    """Emit the walk; (address of the frames in the scratch area, their size in bytes).

    An incomplete stack ends with a word of its own, see INCOMPLETE, also one of more than `most` frames if `mark_depth`
    says so.
    """
    return _Walk(lo, most, mark_depth).emit()


class _Ways:
    """Where the code for one frame goes on: with the next frame, at the end, or at a problem."""

    __slots__ = ("goon", "no_rule", "pointers", "stop", "unknown", "unreadable")

    def __init__(self, b: Builder, goon: Block, stop: Block) -> None:
        self.goon, self.stop = goon, stop
        self.no_rule = b.block("no_rule", likely=False)
        self.pointers = b.block("frame_pointers", likely=False)
        self.unreadable = b.block("unreadable", likely=False)
        self.unknown = b.block("unknown_file", likely=False)


class _Walk(StackEmitter):
    """The walk of one stack, at most `most` native frames, behind which there may be those of Python."""

    def __init__(self, lo: "Statements", most: int, mark_depth: bool) -> None:
        self.python = bool(lo.config.get("python_frames"))
        self.words = most + (MOST_PYTHON_FRAMES if self.python else 0)
        super().__init__(lo, lo.scratch_offset(8 * self.words), lo.scratch_offset(8), _STATE_BYTES)
        self.most, self.mark_depth = most, mark_depth
        lo.storage.kernel_map(ROWS_MAP, MapType.ARRAY, 4, 8 * MOST_WORDS, 1, flags=MapFlag.MMAPABLE)
        self.mapping = MappingSearch(lo)

    def emit(self) -> tuple[Value, Value]:
        lo, b = self.lo, self.lo.b
        self._set_count(0)
        done, process, memory = b.block("unwound"), b.block("process"), b.block("memory")
        task = b.call(HELPER_IDS["get_current_task_btf"], pointer=True)
        flags = b.load(4, task, lo.member_offset("task_struct", "flags"))
        self._set(_STATUS, _COMPLETE)
        b.branch(b.and_(flags, _PF_KTHREAD), done, process)
        self._go(process)
        mm = b.load(8, task, lo.member_offset("task_struct", "mm"), pointer_result=True)
        b.branch_cmp(Cond.EQ, mm, 0, done, memory)  # it is about to end, and has no memory any more
        self._go(memory)
        self._set(_STATUS, 0)
        self.mapping.begin(mm)
        registers = b.call(HELPER_IDS["task_pt_regs"], task, pointer=True)
        for offset, at in ((_IP, _REGS_IP), (_SP, _REGS_SP), (_BP, _REGS_BP), (_CALL, _REGS_CALL)):
            self._set(offset, b.load(8, registers, at))
        self._set(_PC, self._get(_IP))
        self._loop(self.most, self._callback("frame", self._frame))
        b.jump(done)
        self._go(done)
        self._mark()
        if self.python:
            from .python_frames import python_frames

            python_frames(lo, self.frames, self.count, self.words)
        return lo.scratch_at(self.frames), b.shl(self._bounded_count(), 3)

    def _leave_out_exec(self, status: Value, done: Block) -> None:
        """In the middle of execve() the memory is the new program's already, the registers are still those of the old
        one, of which there is nothing to walk any more.
        """
        b, call = self.lo.b, self._get(_CALL)
        execs = b.or_(b.cmp(Cond.EQ, call, _EXECVE), b.cmp(Cond.EQ, call, _EXECVEAT))
        lost = b.and_(b.cmp(Cond.EQ, status, Reason.BAD_MEMORY), b.cmp(Cond.EQ, self._get_count(), 1))
        between, other = b.block("between", likely=False), b.block("other_reason")
        b.branch(b.and_(execs, lost), between, other)
        self._go(between)
        self._set_count(0)
        b.jump(done)
        self._go(other)

    def _bounded_count(self) -> Value:
        b = self.lo.b
        count = self._get_count()
        return b.select(b.cmp(Cond.ULE, count, self.words), count, self.words)

    def _mark(self) -> None:
        """Write why the stack ends too early behind its frames, and ask for a file that is not known."""
        lo, b = self.lo, self.lo.b
        status, done = self._get(_STATUS), b.block("marked")
        incomplete, shallow = b.block("incomplete"), b.block("shallow")
        b.branch_cmp(Cond.EQ, status, _COMPLETE, done, incomplete)
        self._go(incomplete)
        if not self.mark_depth:
            b.branch_cmp(Cond.EQ, status, 0, done, shallow)
            self._go(shallow)
        self._leave_out_exec(status, done)
        reason = b.select(b.cmp(Cond.EQ, status, 0), Reason.TOO_DEEP, status)
        count = self._get_count()
        index = b.select(b.cmp(Cond.ULT, count, self.most), count, self.most - 1)
        b.store(8, b.ptr_add(lo.scratch_at(self.frames), b.shl(index, 3)), b.or_(reason, INCOMPLETE))
        self._set_count(b.add(index, 1))
        unknown = b.block("unknown", likely=False)
        b.branch_cmp(Cond.EQ, reason, Reason.NOT_MAPPED, unknown, done)
        self._go(unknown)
        self.mapping.ask()
        b.jump(done)
        self._go(done)

    # --- one frame ------------------------------------------------------------------------------------------

    def _frame(self, _: Value, goon: Block, stop: Block) -> None:
        b = self.lo.b
        self._keep(self._get(_IP), self.most, stop)
        pc, ways = self._get(_PC), _Ways(b, goon, stop)
        mapped, described, inside = b.block("mapped"), b.block("described"), b.block("inside")
        self.mapping.find(pc, mapped, ways.unknown, ways.unreadable)
        self._go(mapped)
        relative, blocks = b.sub(pc, self.mapping.bias), self.mapping.blocks
        b.branch_cmp(Cond.EQ, blocks, 0, ways.pointers, described)
        self._go(described)
        b.branch_cmp(Cond.ULE, relative, 0xFFFFFFFF, inside, ways.no_rule)
        self._go(inside)
        self._apply(self._find_row(relative, self.mapping.table, blocks), relative, ways)
        self._go(ways.pointers)
        self._follow_pointers(ways)
        for block, reason in (
            (ways.no_rule, Reason.NO_RULE), (ways.unreadable, Reason.BAD_MEMORY), (ways.unknown, Reason.NOT_MAPPED),
        ):  # fmt: skip
            self._go(block)
            self._set(_STATUS, reason)
            b.jump(stop)

    def _find_row(self, relative: Value, table: Value, blocks: Value) -> Value:
        """The last row at or before an address: between the last ones before its block begins, and before the next."""
        b = self.lo.b

        def entry(number: Value) -> Value:
            place = b.and_(b.add(b.shl(table, 1), number), 2 * MOST_WORDS - 1)
            return b.load(4, b.ptr_add(b.map_value(ROWS_MAP), b.shl(place, 2)))

        def row(number: Value) -> Value:
            place = b.and_(b.add(b.add(table, first), number), MOST_WORDS - 1)
            return b.ptr_add(b.map_value(ROWS_MAP), b.shl(place, 3))

        block = b.lshr(relative, BLOCK_BITS)
        block = b.select(b.cmp(Cond.ULT, block, blocks), block, b.sub(blocks, 1))
        first, last = entry(block), entry(b.add(block, 1))
        number = _search(b, relative, b.sub(last, first), lambda number: b.load(4, row(number)), BLOCK_BYTES)
        return b.load(8, row(number))

    def _apply(self, row: Value, relative: Value, ways: _Ways) -> None:
        """From a row to the caller's registers. Between the functions of a file there may be code that its author left
        undescribed, as an interpreter's written in assembler: it is followed by frame pointers.
        """
        b = self.lo.b
        kind, offset = b.lshr(row, 56), b.ext(b.lshr(row, 32), 16, True)
        rule, simple, special = b.block("rule"), b.block("simple"), b.block("special", likely=False)
        base, read, based = object(), b.block("read_cfa", likely=False), b.block("based")
        end, plt, signal = b.block("end"), b.block("plt"), b.block("signal")
        b.branch_cmp(Cond.ULE, b.and_(row, 0xFFFFFFFF), relative, rule, ways.pointers)
        self._go(rule)
        b.branch_cmp(Cond.ULE, b.sub(kind, CFA_RSP), CFA_AT_RBP - CFA_RSP, simple, special)
        self._go(simple)
        start = b.select(b.cmp(Cond.EQ, kind, CFA_RSP), self._get(_SP), self._get(_BP))
        b.write_var(base, b.add(start, offset))
        b.branch_cmp(Cond.EQ, kind, CFA_AT_RBP, read, based)
        self._go(read)
        b.write_var(base, self._user_word(b.add(start, offset), ways.unreadable))
        b.jump(based)
        self._go(special)
        targets = {END: end, PLT: plt, SIGNAL: signal, UNSUPPORTED: ways.no_rule, NOTHING: ways.pointers}
        self._switch(kind, targets, ways.no_rule)
        self._go(end)
        self._set(_STATUS, _COMPLETE)
        b.jump(ways.stop)
        self._go(plt)
        pushed = b.cmp(Cond.UGE, b.and_(self._get(_IP), 15), 11)
        b.write_var(base, b.add(b.add(self._get(_SP), 8), b.shl(pushed, 3)))
        b.jump(based)
        self._go(signal)
        self._through_signal(ways)
        self._go(based)
        self._return(b.read_var(base), b.and_(b.lshr(row, 48), 0xFF), ways)

    def _switch(self, kind: Value, targets: dict[int, Block], otherwise: Block) -> None:
        b = self.lo.b
        for number, target in targets.items():
            following = b.block("other_kind")
            b.branch_cmp(Cond.EQ, kind, number, target, following)
            self._go(following)
        b.jump(otherwise)

    def _return(self, cfa: Value, place: Value, ways: _Ways) -> None:
        """The caller of a frame whose base is known."""
        b = self.lo.b
        kept, same = b.block("rbp_kept"), b.block("rbp_same")
        upwards = b.block("upwards")
        b.branch_cmp(Cond.UGT, cfa, self._get(_SP), upwards, ways.unreadable)
        self._go(upwards)
        back = self._user_word(b.sub(cfa, 8), ways.unreadable)
        b.branch_cmp(Cond.EQ, place, 0, same, kept)
        self._go(kept)
        bp = self._get(_BP)
        where = b.select(b.cmp(Cond.EQ, place, RBP_AT_RBP), bp, b.sub(cfa, b.shl(place, 3)))
        # Compilers are not exact about a function's last instructions: where it cannot be read, it is restored already.
        self._set(_BP, self._user_word(where, same))
        b.jump(same)
        self._go(same)
        self._set(_SP, cfa)
        self._continue_at(back, ways)

    def _continue_at(self, back: Value, ways: _Ways) -> None:
        """Go on at a return address: the call before it tells whose frame it is."""
        b = self.lo.b
        root, caller = b.block("root", likely=False), b.block("caller")
        self._set(_IP, back)
        self._set(_PC, b.sub(back, 1))
        b.branch_cmp(Cond.EQ, back, 0, root, caller)
        self._go(root)
        self._set(_STATUS, _COMPLETE)
        b.jump(ways.stop)
        self._go(caller)
        b.branch_cmp(Cond.EQ, b.lshr(back, _ADDRESS_BITS), 0, ways.goon, ways.unreadable)

    def _through_signal(self, ways: _Ways) -> None:
        """Go on where a signal came: the instruction there has not been executed, or was about to be again."""
        b = self.lo.b
        sp = self._get(_SP)
        ip = self._user_word(b.add(sp, _UCONTEXT_IP), ways.unreadable)
        self._set(_BP, self._user_word(b.add(sp, _UCONTEXT_BP), ways.unreadable))
        self._set(_SP, self._user_word(b.add(sp, _UCONTEXT_SP), ways.unreadable))
        self._set(_IP, ip)
        self._set(_PC, ip)
        b.jump(ways.goon)

    def _follow_pointers(self, ways: _Ways) -> None:
        """Code that nothing describes, as a JIT compiler makes it: rbp points to the caller's rbp and the way back.

        At a process's start rbp is 0, which marks the outermost frame (System V ABI for x86-64, section 3.4.1). Where
        code was generated it may as well be a register like any other.
        """
        b = self.lo.b
        bp, blocks = self._get(_BP), self.mapping.blocks
        sensible, bad = b.block("sensible"), b.block("senseless", likely=False)
        b.branch_cmp(Cond.UGE, bp, self._get(_SP), sensible, bad)
        self._go(bad)
        outermost = b.and_(b.cmp(Cond.EQ, bp, 0), b.cmp(Cond.NE, blocks, 0))
        self._set(_STATUS, b.select(outermost, _COMPLETE, Reason.NO_RULE))
        b.jump(ways.stop)
        self._go(sensible)
        back = self._user_word(b.add(bp, 8), ways.unreadable)
        self._set(_BP, self._user_word(bp, ways.unreadable))
        self._set(_SP, b.add(bp, 16))
        self._continue_at(back, ways)


def _search(b: Builder, wanted: Value, last: Value, load: Callable[[Value], Value], size: int) -> Value:
    """The index, up to `last`, of the last entry that is not above `wanted`; 0 where even the first one is.

    Everything is below 2^63, so that the sign of a difference tells which is larger.
    """
    at: Value = b.const(0)
    step = size // 2
    while step:
        candidate = b.add(at, step)
        beyond = b.or_(b.sub(last, candidate), b.sub(wanted, load(candidate)))
        at = b.add(at, b.and_(b.not_(b.ashr(beyond, 63)), step))
        step //= 2
    return at
