"""Code that moves bytes: temporaries, copies, zeroing, comparing, reading through pointers.

Values that do not fit a register are handled by the address of their stored form. Small temporaries lie in the
stack frame; larger ones, and those that a loop over a map must reach from its callback, in a per-CPU scratch
area of the program, which is safe because one program never nests on one CPU (the kernel skips such a run and
counts it; but for `lsm` and uprobes on kernels that preempt them, which docs/probes.md says).
"""

from kernscope.bundle.globals_layout import GLOBALS_MAP
from kernscope.ssa import Block, Builder, Cond, FrameSlot, Function, Value
from kernscope.tables.helpers import HELPER_IDS
from kernscope.types import Type, align_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from kernscope.kernel.interface import KernelFacts

    from .storage import Storage

__all__ = ["FunctionState", "Memory"]

_FRAME_VALUE_BYTES = 64
"""Largest temporary in the stack frame."""
_FRAME_BYTES = 256
"""Temporaries of one function in the stack frame, together; the rest of the 512 is for spills and loops."""
_UNROLLED_BYTES = 128
"""Copies up to here are single moves; larger ones call bpf_probe_read_kernel(), which is a memcpy."""
SCRATCH_LIMIT_BYTES = 32 * 1024
"""A per-CPU map's value can be no larger (PCPU_MIN_UNIT_SIZE in include/linux/percpu.h)."""


class FunctionState:
    """What belongs to the function being emitted: the program's main function, or the callback of a loop."""

    __slots__ = (
        "builder",
        "frame_bytes",
        "free_slots",
        "function",
        "leave",
        "outside",
        "scratch",
        "setup",
        "taken",
    )

    def __init__(self, function: Function, builder: Builder, leave: Block) -> None:
        self.function, self.builder, self.leave = function, builder, leave
        self.outside: list[Block] = []
        """Where `leave` led outside of the functions of the program that code is being emitted in."""
        self.setup: Block | None = None
        """A block before all uses of the scratch area, where its address is looked up."""
        self.scratch: Value | None = None
        self.frame_bytes = 0
        self.free_slots: dict[int, list[FrameSlot]] = {}
        self.taken: list[FrameSlot] = []


class Memory:
    """Emits memory operations into the current function."""

    def __init__(self, kernel: "KernelFacts", storage: "Storage", scratch_map: str) -> None:
        self.kernel = kernel
        self.storage = storage
        self.scratch_map = scratch_map
        self.scratch_size = 0
        self._cast_ids: tuple[int, int] | Literal[False] | None = False
        """What `load_kernel` calls and says, None where it cannot; False until a program asks."""
        self._scratch_used = 0
        self.state: FunctionState

    @property
    def b(self) -> Builder:
        return self.state.builder

    @property
    def builder(self) -> Builder:
        return self.state.builder

    # --- temporaries ---------------------------------------------------------------------------------------

    def mark(self) -> tuple[int, int]:
        """Begin a statement: what `place` gives from here on is given back by `release`."""
        return len(self.state.taken), self._scratch_used

    def release(self, mark: tuple[int, int]) -> None:
        """End the statement that began at `mark`."""
        state = self.state
        for slot in state.taken[mark[0] :]:
            state.free_slots.setdefault(slot.size, []).append(slot)
        del state.taken[mark[0] :]
        self._scratch_used = mark[1]

    def place(self, t: Type) -> Value:
        """Memory for a value of type `t`, not initialised, until the end of the statement."""
        return self.place_bytes(t.size)

    def place_bytes(self, wanted: int) -> Value:
        """Like `place`, for a number of bytes."""
        size = max(8, align_up(wanted, 8))
        state = self.state
        if size <= _FRAME_VALUE_BYTES:
            free = state.free_slots.get(size)
            slot = free.pop() if free else None
            if slot is None and state.frame_bytes + size <= _FRAME_BYTES:
                slot = self.b.frame(size)
                state.frame_bytes += size
            if slot is not None:
                state.taken.append(slot)
                return self.b.frame_addr(slot)
        return self.scratch(size)

    def scratch(self, size: int) -> Value:
        """Memory in the scratch area."""
        return self.scratch_at(self.scratch_offset(size))

    def scratch_offset(self, size: int) -> int:
        """Reserve scratch memory and return its offset, for `scratch_at` in any function of the program."""
        offset = self._scratch_used
        self._scratch_used += align_up(max(size, 1), 8)
        self.scratch_size = max(self.scratch_size, self._scratch_used)
        return offset

    def scratch_at(self, offset: int) -> Value:
        """The address of an offset in the scratch area."""
        state = self.state
        if state.scratch is None:
            assert state.setup is not None
            here = self.b.current
            self.b.position(state.setup)
            key = self.b.frame_addr(self.b.frame(8))
            self.b.store(4, key, 0)
            found = self.b.call(
                HELPER_IDS["map_lookup_elem"], self.b.map_fd(self.scratch_map), key, pointer=True
            )
            ready = self.b.block("scratch")
            self.b.branch_cmp(Cond.NE, found, 0, ready, state.leave)
            self.b.seal(ready)
            state.setup = ready
            state.scratch = found
            self.b.position(here)
        return self.b.ptr_add(state.scratch, offset)

    def open_setup(self) -> None:
        """Start a part of the program in which the scratch area may be used."""
        state = self.state
        state.scratch = None
        state.setup = self.b.block("setup")
        body = self.b.block("body")
        self.b.jump(state.setup)
        self.b.seal(state.setup)
        self.b.position(body)
        self._bodies.append((state, body))

    def close_setup(self) -> None:
        """End that part: its first block now continues to the rest."""
        state, body = self._bodies.pop()
        here = self.b.current
        assert state.setup is not None
        self.b.position(state.setup)
        self.b.jump(body)
        self.b.seal(body)
        self.b.position(here)
        state.scratch = state.setup = None

    _bodies: list[tuple[FunctionState, Block]]

    # --- moving bytes --------------------------------------------------------------------------------------

    def global_address(self, offset: int) -> Value:
        """An address in the `globals` map."""
        return self.b.map_value(GLOBALS_MAP, offset)

    def stack_map(self, frames: int) -> str:
        """The kernel map that keeps stacks of so many frames."""
        return self.storage.stacks(frames)

    def constant_table(self, content: bytes) -> int:
        """Constant bytes in `globals`; returns their offset."""
        return self.storage.constant(content)

    def count(self, offset: int) -> None:
        """Add one to a counter of `globals`."""
        self.b.atomic_add(8, self.global_address(offset), 1)

    def clear(self, address: Value, size: int) -> None:
        """Set `size` bytes to zero."""
        if size > _UNROLLED_BYTES:
            source = self.global_address(self.storage.zeros(size))
            self.b.call(HELPER_IDS["probe_read_kernel"], address, size, source)
            return
        for offset, width in _pieces(size):
            self.b.store(width, address, 0, offset)

    def copy(self, destination: Value, source: Value, size: int, align: int = 8) -> None:
        """Copy between areas that do not overlap; `destination` is a multiple of 8, `source` of `align`."""
        if size > _UNROLLED_BYTES:
            self.b.call(HELPER_IDS["probe_read_kernel"], destination, size, source)
            return
        for offset, width in _pieces(size, align):
            self.b.store(width, destination, self.b.load(width, source, offset), offset)

    def store_bytes(self, destination: Value, content: bytes, offset: int = 0) -> None:
        """Store constant bytes."""
        if len(content) > _UNROLLED_BYTES:
            source = self.global_address(self.storage.constant(content))
            self.b.call(
                HELPER_IDS["probe_read_kernel"], self.b.ptr_add(destination, offset), len(content), source
            )
            return
        for at, width in _pieces(len(content)):
            word = int.from_bytes(content[at : at + width], "little")
            self.b.store(width, destination, word, offset + at)

    def constant_bytes(self, content: bytes) -> Value:
        """The address of a constant string, ended by a NUL and padded with zeros to a whole word."""
        padded = content + bytes(align_up(len(content) + 1, 8) - len(content))
        return self.global_address(self.storage.constant(padded))

    # --- reading through pointers --------------------------------------------------------------------------

    def load_kernel(self, address: Value, size: int, signed: bool) -> Value | None:
        """An integer behind a kernel address by a plain load, 0 where it cannot be read; None where the kernel knows no
        such loads.

        The address is called that of a struct of one number of 8 bytes, and every part of such a number may be read.
        """
        if self._cast_ids is False:
            features = all(map(self.kernel.has_feature, ("rdonly_cast", "btf")))
            self._cast_ids = self.kernel.btf().rdonly_cast() if features else None
        if self._cast_ids is None:
            return None
        function, struct = self._cast_ids
        known = self.b.call_kfunc("bpf_rdonly_cast", function, address, struct, pointer=True)
        return self.b.load(size, known, 0, signed=signed)

    def read_kernel(self, address: Value, size: int, signed: bool) -> Value:
        """An integer behind a kernel address; 0 where it cannot be read."""
        loaded = self.load_kernel(address, size, signed)
        if loaded is not None:
            return loaded
        # A slot of its own: it is read at once, and this runs outside of statements too.
        slot = self.b.frame_addr(self.b.frame(8))
        self.b.store(8, slot, 0)
        self.b.call(HELPER_IDS["probe_read_kernel"], slot, size, address)
        return self.b.load(size, slot, 0, signed=signed)

    def read_bytes(self, address: Value, space: str, destination: Value, size: int | Value) -> Value:
        """Copy bytes from a pointer; 0 or a negative error. The destination is zeroed on errors by the kernel."""
        helper = "probe_read_user" if space == "user" else "probe_read_kernel"
        status = self.b.call(HELPER_IDS[helper], destination, size, address)
        self.after_read(helper, status)
        return status

    def after_read(self, helper: str, status: Value) -> None:
        """Called with what a helper that reads returned, negative if it failed; reports that under `-k`."""

    def read_string(self, address: Value, space: str, destination: Value, size: int | Value) -> Value:
        """Copy a NUL-ended string; returns its bytes with the NUL, 0 where nothing could be read.

        The kernel promises the verifier that the result is at most `size`, and negative only for errors.
        """
        b = self.b
        helper = "probe_read_user_str" if space == "user" else "probe_read_kernel_str"
        got = b.call(HELPER_IDS[helper], destination, size, address)
        self.after_read(helper, got)
        return b.select(b.cmp(Cond.SGT, got, 0), got, 0)

    # --- comparing -----------------------------------------------------------------------------------------

    def equal_bytes(self, left: Value, right: Value, size: int) -> Value:
        """1 if `size` bytes at both addresses are the same, else 0."""
        if size > _UNROLLED_BYTES:
            return self._equal_long(left, right, size)
        return self._equal_words(
            [(self.b.load(w, left, at), self.b.load(w, right, at)) for at, w in _pieces(size)]
        )

    def equal_constant(self, address: Value, content: bytes) -> Value:
        """1 if the bytes at an address are `content`, else 0."""
        b = self.b
        done, differs = b.block("compared"), b.block("differs", likely=True)
        result = object()
        for at, width in _pieces(len(content)):
            same = b.block("same")
            word = int.from_bytes(content[at : at + width], "little")
            b.branch_cmp(Cond.EQ, b.load(width, address, at), word, same, differs)
            b.seal(same)
            b.position(same)
        return self._join_comparison(result, done, differs)

    def _equal_words(self, pairs: list[tuple[Value, Value]]) -> Value:
        b = self.b
        done, differs = b.block("compared"), b.block("differs")
        for left, right in pairs:
            same = b.block("same")
            b.branch_cmp(Cond.EQ, left, right, same, differs)
            b.seal(same)
            b.position(same)
        return self._join_comparison(object(), done, differs)

    def _join_comparison(self, result: object, done: Block, differs: Block) -> Value:
        b = self.b
        b.write_var(result, 1)
        b.jump(done)
        b.seal(differs)
        b.position(differs)
        b.write_var(result, 0)
        b.jump(done)
        b.seal(done)
        b.position(done)
        return b.read_var(result)

    def _equal_long(self, left: Value, right: Value, size: int) -> Value:
        """A loop over words; strings end it early, at the first difference or at the NUL that both have."""
        b = self.b
        index, result = object(), object()
        head, body, following, done = b.block("head"), b.block("body"), b.block("next"), b.block("compared")
        words = size // 8
        b.write_var(index, 0)
        b.write_var(result, 1)
        b.jump(head)
        b.position(head)
        i = b.read_var(index)
        b.branch_cmp(Cond.ULT, i, words * 8, body, done)
        b.seal(body)
        b.position(body)
        same = b.cmp(Cond.EQ, b.load(8, b.ptr_add(left, i)), b.load(8, b.ptr_add(right, i)))
        b.write_var(result, same)
        b.branch(same, following, done)
        b.seal(following)
        b.position(following)
        b.write_var(index, b.add(i, 8))
        b.jump(head)
        b.seal(head)
        b.seal(done)
        b.position(done)
        found = b.read_var(result)
        rest = size % 8
        if not rest:
            return found
        tail = self._equal_words(
            [(b.load(w, left, words * 8 + at), b.load(w, right, words * 8 + at)) for at, w in _pieces(rest)]
        )
        return b.and_(found, tail)


def _pieces(size: int, align: int = 8) -> list[tuple[int, int]]:
    """`(offset, width)` of the words that cover `size` bytes from a multiple of `align` on."""
    found = []
    offset = 0
    for width in (8, 4, 2, 1):
        if width > align:
            continue
        while size - offset >= width:
            found.append((offset, width))
            offset += width
    return found
