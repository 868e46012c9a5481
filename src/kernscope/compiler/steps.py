"""What the walks over stacks share: a state that goes from step to step, loops, and the words that are kept.

The state lies in the scratch area, of whose content the verifier knows nothing: so every step looks the same to it.
"""

from collections.abc import Callable

from kernscope.ssa import Block, Builder, Cond, Function, Value
from kernscope.tables.helpers import HELPER_IDS

from .memory import FunctionState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .statements import Statements

__all__ = ["StackEmitter", "StepEmitter"]


class StepEmitter:
    """Emits code in steps: `state` is the offset of what they share in the scratch area."""

    def __init__(self, lo: "Statements", state_bytes: int) -> None:
        self.lo = lo
        self.state = lo.scratch_offset(state_bytes)

    def _go(self, block: Block) -> None:
        """Continue in a block to which all jumps have been made."""
        self.lo.b.seal(block)
        self.lo.b.position(block)

    def _get(self, offset: int, size: int = 8) -> Value:
        return self.lo.b.load(size, self.lo.scratch_at(self.state), offset)

    def _set(self, offset: int, value: Value | int) -> None:
        self.lo.b.store(8, self.lo.scratch_at(self.state), value, offset)

    def _read_kernel(self, offset: int, size: int, address: Value, failed: Block) -> None:
        """Copy memory of the kernel to `offset` of the state; where it cannot be read, jump."""
        b, read = self.lo.b, self.lo.b.block("read")
        place = b.ptr_add(self.lo.scratch_at(self.state), offset)
        status = b.call(HELPER_IDS["probe_read_kernel"], place, size, address)
        b.branch_cmp(Cond.EQ, status, 0, read, failed)
        self._go(read)

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

    def _loop(self, rounds: int, callback: Function, handed: Value | int = 0) -> None:
        """bpf_loop()"""
        b = self.lo.b
        struct = b.frame_addr(b.frame(8))
        b.store(8, struct, handed)
        b.call(HELPER_IDS["loop"], rounds, b.function_ref(callback), struct, 0)


class StackEmitter(StepEmitter):
    """Emits the walk over one kind of frames; what it finds goes behind what the walks before it have found.

    `frames` and `count` (of words so far) are offsets in the scratch area.
    """

    def __init__(self, lo: "Statements", frames: int, count: int, state_bytes: int) -> None:
        super().__init__(lo, state_bytes)
        self.frames, self.count = frames, count

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
