"""Frames of CPython: emits a walk over the interpreter's own list of frames, behind the native frames of a stack.

The thread's state is found by its `thread_id`, which is what the thread's register fs points to, in the lists of all
interpreters and threads; from its current frame each leads to its caller's. What is kept of a frame is a number for its
code object and the instruction (`kernscope.tables.cpython`). User space is told of each code object once, with the
beginning of its name, file and lines: those of modules and classes are freed as soon as they have run. A frame with
which a call of the interpreter's loop began is followed by a mark, so that the frames of Python can later be put in the
places of the loop's native frames.

A weakness: the lists are read while other threads may change them. A walk then ends early, or misses its thread.
"""

from kernscope.catalog.task import task_id
from kernscope.ssa import Block, Cond, Value
from kernscope.tables.bpf import MapFlag, MapType
from kernscope.tables.cpython import (
    CODE_BYTES,
    CODES_MAP,
    ENTRY,
    FRAME_WORD,
    INDEX_BITS,
    MOST_CODES,
    MOST_PYTHON_FRAMES,
    MOST_PYTHON_PROCESSES,
    NOWHERE,
    NUMBER_BITS,
    PROGRAM_FIELDS,
    PYTHON_FRAME_BYTES,
    PYTHON_MAP,
    PYTHON_PROCESS_BYTES,
    SENT_BYTES,
    SENT_OBJECTS,
    SHIM_OWNER,
)
from kernscope.tables.helpers import HELPER_IDS
from kernscope.types import UINT32, UINT64, Buffer, Tuple

from .steps import StackEmitter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .statements import Statements

__all__ = ["python_frames"]

_THREAD, _INTERPRETER, _FRAME, _FSBASE, _PID = 0, 8, 16, 24, 32
_STATE_BYTES = 40
MOST_THREADS = 512
MOST_INTERPRETERS = 2
"""In whose calls one thread can be at the same time, as far as is looked. The newest comes first in the list, and is
called by the others."""
_MIX = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio: a multiplication by it spreads bits upwards."""


def python_frames(lo: "Statements", frames: int, count: int, words: int) -> None:
    """Emit the walk: words are appended to those at `frames`, `words` at most in all; at `count` they are counted."""
    _PythonWalk(lo, frames, count, words).emit()


class _PythonWalk(StackEmitter):
    def __init__(self, lo: "Statements", frames: int, count: int, words: int) -> None:
        super().__init__(lo, frames, count, _STATE_BYTES)
        self.words = words
        self.frame = lo.scratch_offset(_mask(PYTHON_FRAME_BYTES) + 8)
        self.code = lo.scratch_offset(_mask(CODE_BYTES) + 8)
        self.sent = lo.scratch_offset(4 + SENT_BYTES)
        flags = MapFlag.NO_PREALLOC if lo.storage.grows else 0
        lo.storage.kernel_map(
            PYTHON_MAP, MapType.HASH, 4, PYTHON_PROCESS_BYTES, MOST_PYTHON_PROCESSES, flags=flags
        )
        lo.storage.kernel_map(CODES_MAP, MapType.LRU_HASH, 16, 8, MOST_CODES)

    def emit(self) -> None:
        lo, b = self.lo, self.lo.b
        done, python = b.block("python_done"), b.block("python")
        pid = task_id(lo, process=True)
        key = lo.place(UINT32)
        b.store(4, key, pid)
        layout = b.call(HELPER_IDS["map_lookup_elem"], b.map_fd(PYTHON_MAP), key, pointer=True)
        b.branch_cmp(Cond.EQ, layout, 0, done, python)
        self._go(python)
        task = b.call(HELPER_IDS["get_current_task"], pure=True)
        at = b.add(task, lo.member_offset("task_struct", "thread.fsbase"))
        self._set(_FSBASE, lo.read_kernel(at, 8, False))
        self._set(_PID, pid)
        self._set(_FRAME, 0)
        self._set(_THREAD, 0)
        runtime = b.load(8, layout)
        first = self._user_word(b.add(runtime, self._offset(layout, "interpreters_head")), done)
        self._set(_INTERPRETER, first)
        thread = self._callback("thread", self._look_at_thread)
        frame = self._callback("python_frame", self._frame)
        for _ in range(MOST_INTERPRETERS):
            self._loop(MOST_THREADS, thread, layout)
            self._loop(MOST_PYTHON_FRAMES, frame, layout)
            more = b.block("more_interpreters", likely=False)
            b.branch_cmp(Cond.EQ, self._get(_INTERPRETER), 0, done, more)
            self._go(more)
        b.jump(done)
        self._go(done)

    def _offset(self, layout: Value, name: str) -> Value:
        return self.lo.b.load(4, layout, 8 + 4 * PROGRAM_FIELDS.index(name))

    def _look_at_thread(self, layout: Value, goon: Block, stop: Block) -> None:
        """One thread's state: ours, or on to the next one, which after the last is the next interpreter's first."""
        b = self.lo.b
        interpreter, thread = self._get(_INTERPRETER), self._get(_THREAD)
        first, other = b.block("first_thread"), b.block("other_thread")
        inside = b.block("interpreter")
        b.branch_cmp(Cond.EQ, thread, 0, first, other)
        self._go(first)
        b.branch_cmp(Cond.EQ, interpreter, 0, stop, inside)
        self._go(inside)
        self._set(_THREAD, self._user_word(b.add(interpreter, self._offset(layout, "threads_head")), stop))
        following = b.add(interpreter, self._offset(layout, "interpreter_next"))
        self._set(_INTERPRETER, self._user_word(following, stop))
        b.jump(goon)
        self._go(other)
        found, another = b.block("found_thread"), b.block("another_thread")
        id = self._user_word(b.add(thread, self._offset(layout, "thread_id")), stop)
        b.branch_cmp(Cond.EQ, id, self._get(_FSBASE), found, another)
        self._go(found)
        current = self._user_word(b.add(thread, self._offset(layout, "thread_frame")), stop)
        direct, through = b.block("direct"), b.block("through")
        running = b.block("running")
        b.branch_cmp(Cond.EQ, self._offset(layout, "through"), NOWHERE, direct, through)
        self._go(through)
        self._set(_FRAME, self._user_word(b.add(current, self._offset(layout, "through")), stop))
        b.jump(running)
        self._go(direct)
        self._set(_FRAME, current)
        b.jump(running)
        self._go(running)
        runs = b.block("runs")
        b.branch_cmp(Cond.EQ, self._get(_FRAME), 0, another, runs)
        self._go(another)
        self._set(_THREAD, self._user_word(b.add(thread, self._offset(layout, "thread_next")), stop))
        b.jump(goon)
        self._go(runs)
        self._set(_THREAD, 0)  # on with the next interpreter, if at all: it may have called this one
        b.jump(stop)

    def _frame(self, layout: Value, goon: Block, stop: Block) -> None:
        b = self.lo.b
        frame, some = self._get(_FRAME), b.block("some")
        shim, function, following = b.block("shim"), b.block("function"), b.block("following")
        b.branch_cmp(Cond.EQ, frame, 0, stop, some)
        self._go(some)
        self._read(frame, self.frame, PYTHON_FRAME_BYTES, stop)
        owner = self._member(layout, "frame_owner", self.frame, PYTHON_FRAME_BYTES, size=1)
        entry = self._offset(layout, "frame_entry")
        marks = b.cmp(Cond.EQ, entry, NOWHERE)  # from 3.12 on frames of their own mark the loop's calls
        b.branch(b.and_(marks, b.cmp(Cond.UGE, owner, SHIM_OWNER)), shim, function)
        self._go(shim)
        self._keep(ENTRY, self.words, stop)
        b.jump(following)
        self._go(function)
        self._keep_function(layout, stop)
        flagged = b.block("flagged")
        b.branch(marks, following, flagged)
        self._go(flagged)
        begins = self._member(layout, "frame_entry", self.frame, PYTHON_FRAME_BYTES, size=1)
        outermost = b.block("outermost")
        b.branch_cmp(Cond.EQ, begins, 0, following, outermost)
        self._go(outermost)
        self._keep(ENTRY, self.words, stop)
        b.jump(following)
        self._go(following)
        self._set(_FRAME, self._member(layout, "frame_previous", self.frame, PYTHON_FRAME_BYTES))
        b.jump(goon)

    def _read(self, address: Value, buffer: int, size: int, failed: Block) -> None:
        """Copy memory of the process into the scratch area."""
        b, read = self.lo.b, self.lo.b.block("read")
        there = self.lo.scratch_at(buffer)
        status = b.call(HELPER_IDS["probe_read_user"], there, size, address)
        b.branch_cmp(Cond.EQ, status, 0, read, failed)
        self._go(read)

    def _member(self, layout: Value, name: str, buffer: int, bytes: int, *, size: int = 8) -> Value:
        """A member of a structure of `bytes` that was copied to `buffer`, with room behind it."""
        b = self.lo.b
        offset = b.and_(self._offset(layout, name), _mask(bytes))
        return b.load(size, b.ptr_add(self.lo.scratch_at(buffer), offset))

    def _keep_function(self, layout: Value, stop: Block) -> None:
        b = self.lo.b
        code = self._member(layout, "frame_code", self.frame, PYTHON_FRAME_BYTES)
        code = b.shl(b.lshr(code, 2), 2)  # 3.14 tags pointers in their lowest bits
        self._read(code, self.code, CODE_BYTES, stop)
        instruction = self._member(layout, "frame_instr", self.frame, PYTHON_FRAME_BYTES)
        bytecode = b.add(code, self._offset(layout, "code_bytecode"))
        index = b.and_(b.ashr(b.sub(instruction, bytecode), 1), (1 << INDEX_BITS) - 1)
        number = self._number(layout, code)
        self._keep(b.or_(b.or_(b.shl(number, INDEX_BITS), index), FRAME_WORD), self.words, stop)
        self._tell(layout, code, number)

    def _number(self, layout: Value, code: Value) -> Value:
        """What tells a code object from others, also from those that were, or will be, in its place: 43 bits made of
        where it is, where the objects are that it refers to, and its first line.
        """
        b = self.lo.b
        mixed = b.mul(code, _MIX)
        for name, size in (
            ("code_qualname", 8), ("code_filename", 8), ("code_linetable", 8), ("code_firstlineno", 4),
        ):  # fmt: skip
            mixed = b.xor(mixed, b.lshr(mixed, 29))
            mixed = b.mul(b.xor(mixed, self._member(layout, name, self.code, CODE_BYTES, size=size)), _MIX)
        return b.or_(b.lshr(mixed, 64 - NUMBER_BITS), 1)

    def _tell(self, layout: Value, code: Value, number: Value) -> None:
        """Tell user space of a code object that has not been seen before."""
        lo, b = self.lo, self.lo.b
        key = lo.place(Tuple((UINT64, UINT64)))
        pid = self._get(_PID)
        b.store(8, key, pid)
        b.store(8, key, number, 8)
        known = b.call(HELPER_IDS["map_lookup_elem"], b.map_fd(CODES_MAP), key, pointer=True)
        new, told = b.block("new_code", likely=False), b.block("told")
        b.branch_cmp(Cond.EQ, known, 0, new, told)
        self._go(new)
        b.call(HELPER_IDS["map_update_elem"], b.map_fd(CODES_MAP), key, key, 0)
        b.store(4, lo.scratch_at(self.sent), SENT_BYTES)
        first_line = self._member(layout, "code_firstlineno", self.code, CODE_BYTES, size=4)
        b.store(8, lo.scratch_at(self.sent), first_line, 4)
        at = 12
        for name, size in SENT_OBJECTS:
            address = self._member(layout, name, self.code, CODE_BYTES)
            b.call(HELPER_IDS["probe_read_user"], b.ptr_add(lo.scratch_at(self.sent), at), size, address)
            at += size
        record = lo.record("python_code", (UINT32, UINT64, UINT64, Buffer(SENT_BYTES)))
        lo.send_control(record, (pid, number, code, lo.scratch_at(self.sent)))
        b.jump(told)
        self._go(told)


def _mask(size: int) -> int:
    """Bounds an offset into a buffer of at least `size` bytes for the verifier."""
    return (1 << (size - 1).bit_length()) - 1
