"""User stacks of code without frame pointers: emits a walk from frame to frame by the rules of `.eh_frame`.

User space keeps the rules in maps (`kernscope.tables.unwinding`). For each frame the program finds the mapping that
the address is in: most often that of the frame before, else by binary search. Then the last row at or before it, among
the few that an index leaves, and from the row the caller's address, rsp and rbp. The walk is a callback of bpf_loop(),
which the verifier checks once. What goes from frame to frame lies in the scratch area, of whose content the verifier
knows nothing, so that every frame looks the same to it. The searches have no branches, for the same reason: each step
adds its width or zero.

A weakness: a mapping is trusted until a program finds that its process has called exec, or reaches an address in none.
Between an unmap and a new map in the same place the wrong rules may be used; frames are then wrong, or the walk ends.
"""

from collections.abc import Callable

from kernscope.catalog.task import task_id
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
from kernscope.ssa import Block, Builder, Cond, Function, Value
from kernscope.tables.bpf import MapFlag, MapType
from kernscope.tables.cpython import MOST_PYTHON_FRAMES
from kernscope.tables.helpers import HELPER_IDS
from kernscope.tables.unwinding import (
    ANY_EXEC_ID,
    ASKED_MAP,
    BLOCK_BITS,
    BLOCK_BYTES,
    HEADER_BYTES,
    INCOMPLETE,
    MAPPING_BYTES,
    MOST_ASKED,
    MOST_MAPPINGS,
    MOST_PROCESSES,
    MOST_WORDS,
    PROCESS_BYTES,
    PROCESSES_MAP,
    ROWS_MAP,
    Reason,
)
from kernscope.types import UINT32, UINT64

from .memory import FunctionState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .statements import Statements

__all__ = ["StackEmitter", "unwound_stack"]

_IP, _SP, _BP, _PC, _STATUS, _MAPPING = 0, 8, 16, 24, 32, 40
_STATE_BYTES = 48
_COMPLETE = 16
"""Status of a walk that has reached the root; smaller ones are a `Reason`."""

_REGS_BP, _REGS_IP, _REGS_SP = 32, 128, 152
"""In `struct pt_regs` of x86-64 (arch/x86/include/asm/ptrace.h)."""
_UCONTEXT_BP, _UCONTEXT_SP, _UCONTEXT_IP = 120, 160, 168
"""In a signal's `struct ucontext`, to which rsp points in the code that returns from it (uapi/asm/sigcontext.h)."""
_ADDRESS_BITS = 56
"""Of an address in user space at most (five-level page tables)."""
_PF_KTHREAD = 0x00200000
"""include/linux/sched.h"""


def unwound_stack(lo: "Statements", most: int, *, mark_depth: bool) -> tuple[Value, Value]:
    """Emit the walk; (address of the frames in the scratch area, their size in bytes).

    An incomplete stack ends with a word of its own, see INCOMPLETE, also one of more than `most` frames if `mark_depth`
    says so. Of a process of which nothing is known yet there is the leaf alone, and user space is asked about it.
    """
    return _Walk(lo, most, mark_depth).emit()


class StackEmitter:
    """What the walks over native frames and over an interpreter's share: words that are kept, state in between.

    `frames`, `count` (of words so far) and `state` are offsets in the scratch area.
    """

    def __init__(self, lo: "Statements", frames: int, count: int, state_bytes: int) -> None:
        self.lo, self.frames, self.count = lo, frames, count
        self.state = lo.scratch_offset(state_bytes)

    def _go(self, block: Block) -> None:
        """Continue in a block to which all jumps have been made."""
        self.lo.b.seal(block)
        self.lo.b.position(block)

    def _get(self, offset: int) -> Value:
        return self.lo.b.load(8, self.lo.scratch_at(self.state), offset)

    def _set(self, offset: int, value: Value | int) -> None:
        self.lo.b.store(8, self.lo.scratch_at(self.state), value, offset)

    def _get_count(self) -> Value:
        return self.lo.b.load(8, self.lo.scratch_at(self.count))

    def _set_count(self, value: Value | int) -> None:
        self.lo.b.store(8, self.lo.scratch_at(self.count), value)

    def _keep(self, word: Value | int, most: int, full: Block) -> None:
        """Append a word; where there are `most` already, jump."""
        b = self.lo.b
        count = self._get_count()
        room = b.block("room")
        b.branch_cmp(Cond.ULT, count, most, room, full)
        self._go(room)
        b.store(8, b.ptr_add(self.lo.scratch_at(self.frames), b.shl(count, 3)), word)
        self._set_count(b.add(count, 1))

    def _user_word(self, address: Value, failed: Block) -> Value:
        """The word at an address of the process; where it cannot be read, jump."""
        b = self.lo.b
        slot = b.frame_addr(b.frame(8))
        read = b.block("read")
        status = b.call(HELPER_IDS["probe_read_user"], slot, 8, address)
        b.branch_cmp(Cond.EQ, status, 0, read, failed)
        self._go(read)
        return b.load(8, slot)

    def _callback(self, name: str, body: Callable[[Value, Block, Block], None]) -> Function:
        """long NAME(u64 index, void **handed) for bpf_loop(): `body` is emitted with what was handed, where to go
        on with the next round, and where to stop.
        """
        lo = self.lo
        outer = lo.state
        function = lo.module.new_function(f"{name}_{len(lo.module.functions)}", params=2)
        b = Builder(function)
        goon, stop = b.block("goon"), b.block("stop")
        lo.state = FunctionState(function, b, stop)
        handed = b.load(8, b.param(1, pointer=True), 0, pointer_result=True)
        lo.open_setup()
        body(handed, goon, stop)
        lo.close_setup()
        for block, result in ((goon, 0), (stop, 1)):
            self._go(block)
            b.ret(result)
        lo.state = outer
        return function

    def _loop(self, rounds: int, callback: Function, handed: Value) -> None:
        """bpf_loop()"""
        b = self.lo.b
        struct = b.frame_addr(b.frame(8))
        b.store(8, struct, handed)
        b.call(HELPER_IDS["loop"], rounds, b.function_ref(callback), struct, 0)


class _Ways:
    """Where the code for one frame goes on: with the next frame, at the end, or at a problem."""

    __slots__ = ("goon", "no_rule", "pointers", "stop", "unreadable")

    def __init__(self, b: Builder, goon: Block, stop: Block) -> None:
        self.goon, self.stop = goon, stop
        self.no_rule = b.block("no_rule", likely=False)
        self.pointers = b.block("frame_pointers", likely=False)
        self.unreadable = b.block("unreadable", likely=False)


class _Walk(StackEmitter):
    """The walk of one stack, at most `most` native frames, behind which there may be those of Python."""

    def __init__(self, lo: "Statements", most: int, mark_depth: bool) -> None:
        self.python = bool(lo.config.get("python_frames"))
        self.words = most + (MOST_PYTHON_FRAMES if self.python else 0)
        super().__init__(lo, lo.scratch_offset(8 * self.words), lo.scratch_offset(8), _STATE_BYTES)
        self.most, self.mark_depth = most, mark_depth
        _describe_maps(lo)

    def emit(self) -> tuple[Value, Value]:
        lo, b = self.lo, self.lo.b
        self._set_count(0)
        self._set(_PC, 0)
        self._set(_MAPPING, 0)
        done = b.block("unwound")
        task = b.call(HELPER_IDS["get_current_task_btf"], pointer=True)
        flags = b.load(4, task, lo.member_offset("task_struct", "flags"))
        process = b.block("process")
        self._set(_STATUS, _COMPLETE)
        b.branch(b.and_(flags, _PF_KTHREAD), done, process)
        self._go(process)
        self._set(_STATUS, 0)
        unknown, known = b.block("unknown_process", likely=False), b.block("known_process")
        mappings = self._mappings(task, unknown, known)
        self._go(known)
        self._begin()
        self._loop(self.most, self._callback("frame", self._frame), mappings)
        b.jump(done)
        self._go(unknown)
        self._leaf_alone()
        b.jump(done)
        self._go(done)
        self._mark()
        if self.python:
            from .python_frames import python_frames

            python_frames(lo, self.frames, self.count, self.words)
        return lo.scratch_at(self.frames), b.shl(self._bounded_count(), 3)

    # --- the program's main function ------------------------------------------------------------------------

    def _mappings(self, task: Value, unknown: Block, known: Block) -> Value:
        """The process's entry. It is unknown where there is none, or where it is from before an exec."""
        lo, b = self.lo, self.lo.b
        key = lo.place(UINT32)
        b.store(4, key, task_id(lo, process=True))
        entry = b.call(HELPER_IDS["map_lookup_elem"], b.map_fd(PROCESSES_MAP), key, pointer=True)
        found, new, old = b.block("found"), b.block("new"), b.block("old")
        b.branch_cmp(Cond.EQ, entry, 0, unknown, found)
        self._go(found)
        exec_id = b.load(4, task, lo.member_offset("task_struct", "self_exec_id"))
        seen = b.load(4, entry, 8)
        b.branch_cmp(Cond.EQ, seen, ANY_EXEC_ID, new, old)
        self._go(new)
        b.store(4, entry, exec_id, 8)
        b.jump(known)
        self._go(old)
        b.branch_cmp(Cond.EQ, seen, exec_id, known, unknown)
        return entry

    def _begin(self) -> None:
        """The registers with which the thread entered the kernel."""
        b = self.lo.b
        task = b.call(HELPER_IDS["get_current_task_btf"], pointer=True)
        registers = b.call(HELPER_IDS["task_pt_regs"], task, pointer=True)
        for offset, at in ((_IP, _REGS_IP), (_SP, _REGS_SP), (_BP, _REGS_BP)):
            self._set(offset, b.load(8, registers, at))
        self._set(_PC, self._get(_IP))

    def _leaf_alone(self) -> None:
        """Of a process of which nothing is known: frame pointers would make up what they do not know."""
        self._set(_STATUS, Reason.NOT_MAPPED)
        self._begin()
        self._set(_PC, 0)
        out = self.lo.b.block("no_room")
        self._keep(self._get(_IP), self.most, out)
        self.lo.b.jump(out)
        self._go(out)

    def _bounded_count(self) -> Value:
        b = self.lo.b
        count = self._get_count()
        return b.select(b.cmp(Cond.ULE, count, self.words), count, self.words)

    def _mark(self) -> None:
        """Write why the stack ends too early behind its frames, and ask for mappings that are not known."""
        lo, b = self.lo, self.lo.b
        status, done = self._get(_STATUS), b.block("marked")
        incomplete, shallow, ask = b.block("incomplete"), b.block("shallow"), b.block("ask")
        b.branch_cmp(Cond.EQ, status, _COMPLETE, done, incomplete)
        self._go(incomplete)
        if not self.mark_depth:
            b.branch_cmp(Cond.EQ, status, 0, done, shallow)
            self._go(shallow)
        reason = b.select(b.cmp(Cond.EQ, status, 0), Reason.TOO_DEEP, status)
        count = self._get_count()
        index = b.select(b.cmp(Cond.ULT, count, self.most), count, self.most - 1)
        b.store(8, b.ptr_add(lo.scratch_at(self.frames), b.shl(index, 3)), b.or_(reason, INCOMPLETE))
        self._set_count(b.add(index, 1))
        b.branch_cmp(Cond.EQ, reason, Reason.NOT_MAPPED, ask, done)
        self._go(ask)
        self._ask(done)
        self._go(done)

    def _ask(self, done: Block) -> None:
        """Ask for a process's mappings, once per page of the address that is in none."""
        lo, b = self.lo, self.lo.b
        pid, page = task_id(lo, process=True), b.lshr(self._get(_PC), 12)
        key = lo.place(UINT64)
        b.store(8, key, b.or_(b.shl(pid, 32), b.and_(page, 0xFFFFFFFF)))
        asked = b.call(HELPER_IDS["map_lookup_elem"], b.map_fd(ASKED_MAP), key, pointer=True)
        first = b.block("first")
        b.branch_cmp(Cond.EQ, asked, 0, first, done)
        self._go(first)
        b.call(HELPER_IDS["map_update_elem"], b.map_fd(ASKED_MAP), key, key, 0)
        record = lo.record("unwind_wanted", (UINT32, UINT64))
        lo.send_control(record, (pid, b.and_(page, 0xFFFFFFFF)))
        b.jump(done)

    # --- one frame ------------------------------------------------------------------------------------------

    def _frame(self, mappings: Value, goon: Block, stop: Block) -> None:
        b = self.lo.b
        self._keep(self._get(_IP), self.most, stop)
        pc, ways = self._get(_PC), _Ways(b, goon, stop)
        mapping = self._find_mapping(mappings, pc, ways)
        relative = b.sub(pc, b.load(8, mapping, 16))
        blocks = b.load(4, mapping, 28)
        described, inside = b.block("described"), b.block("inside")
        b.branch_cmp(Cond.EQ, blocks, 0, ways.pointers, described)
        self._go(described)
        b.branch_cmp(Cond.ULE, relative, 0xFFFFFFFF, inside, ways.no_rule)
        self._go(inside)
        row = self._find_row(relative, b.load(4, mapping, 24), blocks)
        self._apply(row, relative, ways)
        self._go(ways.pointers)
        self._follow_pointers(ways)
        for block, reason in ((ways.no_rule, Reason.NO_RULE), (ways.unreadable, Reason.BAD_MEMORY)):
            self._go(block)
            self._set(_STATUS, reason)
            b.jump(stop)

    def _find_mapping(self, mappings: Value, pc: Value, ways: _Ways) -> Value:
        """The mapping that an address is in: the one that was found last, or else it is searched for."""
        b = self.lo.b

        def at(index: Value) -> Value:
            masked = b.shl(b.and_(index, MOST_MAPPINGS - 1), MAPPING_BYTES.bit_length() - 1)
            return b.ptr_add(b.ptr_add(mappings, HEADER_BYTES), masked)

        def branch_inside(mapping: Value, inside: Block, outside: Block) -> None:
            above = b.block("above")
            b.branch_cmp(Cond.UGE, pc, b.load(8, mapping), above, outside)
            self._go(above)
            b.branch_cmp(Cond.ULT, pc, b.load(8, mapping, 8), inside, outside)

        inside, outside, other = b.block("mapped"), b.block("outside", likely=False), b.block("other_mapping")
        branch_inside(at(self._get(_MAPPING)), inside, other)
        self._go(other)
        last = b.sub(b.load(4, mappings, 0), 1)
        self._set(_MAPPING, _search(b, pc, last, lambda index: b.load(8, at(index)), MOST_MAPPINGS))
        branch_inside(at(self._get(_MAPPING)), inside, outside)
        self._go(outside)
        # Nothing is ever mapped at the lowest addresses: the walk went wrong, and asking would not help.
        self._set(_STATUS, b.select(b.cmp(Cond.ULT, pc, 4096), Reason.BAD_MEMORY, Reason.NOT_MAPPED))
        b.jump(ways.stop)
        self._go(inside)
        return at(self._get(_MAPPING))

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
        self._set(_BP, self._user_word(where, ways.unreadable))
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
        """Code that nothing describes, as a JIT compiler makes it: rbp points to the caller's rbp and the way back."""
        b = self.lo.b
        bp = self._get(_BP)
        sensible, bad = b.block("sensible"), b.block("senseless", likely=False)
        b.branch_cmp(Cond.UGE, bp, self._get(_SP), sensible, bad)
        self._go(bad)
        self._set(_STATUS, Reason.NO_RULE)
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


def _describe_maps(lo: "Statements") -> None:
    """Add the maps to the bundle, once."""
    flags = MapFlag.NO_PREALLOC if lo.storage.grows else 0
    lo.storage.kernel_map(ROWS_MAP, MapType.ARRAY, 4, 8 * MOST_WORDS, 1, flags=MapFlag.MMAPABLE)
    processes = MOST_PROCESSES if lo.storage.grows else MOST_PROCESSES // 8
    lo.storage.kernel_map(PROCESSES_MAP, MapType.HASH, 4, PROCESS_BYTES, processes, flags=flags)
    lo.storage.kernel_map(ASKED_MAP, MapType.LRU_HASH, 8, 8, MOST_ASKED)
