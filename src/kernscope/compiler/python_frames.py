"""Frames of CPython: emits a walk over the interpreter's own list of frames, behind the native frames of a stack.

The thread's state is found by its `thread_id`, which is what the thread's register fs points to, in the lists of all
interpreters and threads; from its current frame each leads to its caller's. What is kept of a frame is the address of
its code object and the instruction (`kernscope.tables.cpython`); user space is told of each code object once, and reads
its name while the process lives. A frame with which a call of the interpreter's loop began is followed by a mark, so
that the frames of Python can later be put in the places of the loop's native frames.

A weakness: the lists are read while other threads may change them. A walk then ends early, or misses its thread.
"""

from kernscope.catalog.task import task_id
from kernscope.ssa import Block, Cond, Value
from kernscope.tables.bpf import MapFlag, MapType
from kernscope.tables.cpython import (
    CODE_SHIFT,
    CODES_MAP,
    ENTRY,
    FRAME_WORD,
    INDEX_BITS,
    MOST_CODES,
    MOST_PYTHON_FRAMES,
    MOST_PYTHON_PROCESSES,
    NOWHERE,
    PROGRAM_FIELDS,
    PYTHON_MAP,
    PYTHON_PROCESS_BYTES,
    SHIM_OWNER,
)
from kernscope.tables.helpers import HELPER_IDS
from kernscope.types import UINT32, UINT64, Tuple

from .unwinding import StackEmitter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .statements import Statements

__all__ = ["python_frames"]

_THREAD, _INTERPRETER, _FRAME, _FSBASE, _PID = 48, 56, 64, 72, 80
"""Behind the state of the native walk."""
MOST_THREADS = 512


def python_frames(lo: "Statements", frames: int, state: int, words: int) -> None:
    """Emit the walk: words are appended to those at `frames`, `words` at most in all."""
    _PythonWalk(lo, frames, state, words).emit()


class _PythonWalk(StackEmitter):
    def __init__(self, lo: "Statements", frames: int, state: int, words: int) -> None:
        super().__init__(lo, frames, state)
        self.words = words
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
        self._loop(MOST_THREADS, self._callback("thread", self._look_at_thread), layout)
        self._loop(MOST_PYTHON_FRAMES, self._callback("python_frame", self._frame), layout)
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
        self._go(another)
        self._set(_THREAD, self._user_word(b.add(thread, self._offset(layout, "thread_next")), stop))
        b.jump(goon)
        self._go(found)
        current = self._user_word(b.add(thread, self._offset(layout, "thread_frame")), stop)
        self._set(_FRAME, current)
        through, further = self._offset(layout, "through"), b.block("through")
        b.branch_cmp(Cond.EQ, through, NOWHERE, stop, further)
        self._go(further)
        self._set(_FRAME, self._user_word(b.add(current, through), stop))
        b.jump(stop)

    def _frame(self, layout: Value, goon: Block, stop: Block) -> None:
        b = self.lo.b
        frame, some = self._get(_FRAME), b.block("some")
        shim, function, following = b.block("shim"), b.block("function"), b.block("following")
        b.branch_cmp(Cond.EQ, frame, 0, stop, some)
        self._go(some)
        owner = b.and_(self._user_word(b.add(frame, self._offset(layout, "frame_owner")), stop), 0xFF)
        entry = self._offset(layout, "frame_entry")
        marks = b.cmp(Cond.EQ, entry, NOWHERE)  # from 3.12 on frames of their own mark the loop's calls
        b.branch(b.and_(marks, b.cmp(Cond.UGE, owner, SHIM_OWNER)), shim, function)
        self._go(shim)
        self._keep(ENTRY, self.words, stop)
        b.jump(following)
        self._go(function)
        self._keep_function(layout, frame, stop)
        flagged = b.block("flagged")
        b.branch(marks, following, flagged)
        self._go(flagged)
        begins = b.and_(self._user_word(b.add(frame, entry), stop), 0xFF)
        outermost = b.block("outermost")
        b.branch_cmp(Cond.EQ, begins, 0, following, outermost)
        self._go(outermost)
        self._keep(ENTRY, self.words, stop)
        b.jump(following)
        self._go(following)
        self._set(_FRAME, self._user_word(b.add(frame, self._offset(layout, "frame_previous")), stop))
        b.jump(goon)

    def _keep_function(self, layout: Value, frame: Value, stop: Block) -> None:
        b = self.lo.b
        code = self._user_word(b.add(frame, self._offset(layout, "frame_code")), stop)
        code = b.shl(b.lshr(code, CODE_SHIFT), CODE_SHIFT)  # 3.14 tags pointers in their lowest bits
        instruction = self._user_word(b.add(frame, self._offset(layout, "frame_instr")), stop)
        bytecode = b.add(code, self._offset(layout, "code_bytecode"))
        index = b.and_(b.ashr(b.sub(instruction, bytecode), 1), (1 << INDEX_BITS) - 1)
        address = b.and_(b.lshr(code, CODE_SHIFT), (1 << 62 - INDEX_BITS) - 1)
        self._keep(b.or_(b.or_(b.shl(address, INDEX_BITS), index), FRAME_WORD), self.words, stop)
        self._tell(code)

    def _tell(self, code: Value) -> None:
        """Tell user space of a code object that has not been seen before."""
        lo, b = self.lo, self.lo.b
        key = lo.place(Tuple((UINT64, UINT64)))
        pid = self._get(_PID)
        b.store(8, key, pid)
        b.store(8, key, code, 8)
        known = b.call(HELPER_IDS["map_lookup_elem"], b.map_fd(CODES_MAP), key, pointer=True)
        new, told = b.block("new_code", likely=False), b.block("told")
        b.branch_cmp(Cond.EQ, known, 0, new, told)
        self._go(new)
        b.call(HELPER_IDS["map_update_elem"], b.map_fd(CODES_MAP), key, key, 0)
        lo.send_control(lo.record("python_code", (UINT32, UINT64)), (pid, code))
        b.jump(told)
        self._go(told)
