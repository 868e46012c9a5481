"""Instructions and labels → bytes.

Sizes first (each item one slot, the 64-bit load two), then numbers. Jumps have a signed 16-bit reach. A
function where one does not reach is laid out again with that jump widened to `gotol` (32-bit reach, Linux
6.6), until nothing changes; widening only ever adds slots, so this ends.

The kernel makes code longer when it loads it (it puts what helpers do in their place), and refuses a jump that
reaches no more then. So far jumps are widened early where there is `gotol`.
"""

from struct import pack

from kernscope.asm.instruction import Insn, Label
from kernscope.tables import opcodes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FAR", "NEAR", "Assembled", "EncodeError", "Relocation", "assemble", "encode_insns"]

_LD_IMM64 = opcodes.LD_IMM64
_JA_OP = opcodes.JA_OP
_GOTOL_OP = opcodes.GOTOL_OP

Item = Insn | Label


class EncodeError(ValueError):
    """An instruction list that has no encoding; the message says which instruction and why."""


class Relocation:
    """A place in the code that refers to something by name.

    `kind` is "map_fd" or "map_value" (the loader puts the descriptor into the first slot's immediate;
    `addend` is already in the second's), "kfunc" or "func" (already resolved, by the BTF id `addend` and by the
    place; kept for printing).
    """

    __slots__ = ("addend", "kind", "name", "slot")

    def __init__(self, slot: int, kind: str, name: str, addend: int) -> None:
        self.slot = slot
        self.kind = kind
        self.name = name
        self.addend = addend

    def __repr__(self) -> str:
        return f"Relocation({self.slot}, {self.kind!r}, {self.name!r}, {self.addend})"


class Assembled:
    """The bytes of one program and where they came from.

    code: little-endian instruction slots of 8 bytes.
    relocations: in slot order.
    functions: (name, first slot) in order; the first is the entry.
    long_jumps: whether `gotol` was needed (Linux 6.6).
    """

    __slots__ = ("_layouts", "code", "functions", "long_jumps", "relocations")

    def __init__(
        self,
        code: bytes,
        relocations: list[Relocation],
        functions: list[tuple[str, int]],
        layouts: list[list[int]],
        long_jumps: bool,
    ) -> None:
        self.code = code
        self.relocations = relocations
        self.functions = functions
        self.long_jumps = long_jumps
        self._layouts = layouts

    def slot_of(self, item: int, function: int = 0) -> int:
        """The first slot of the item (instruction or label) with this index in that function's list."""
        return self._layouts[function][item]

    def item_at(self, slot: int) -> tuple[int, int]:
        """(function index, item index) of the instruction that covers a slot, as a verifier log names it."""
        for function in range(len(self.functions) - 1, -1, -1):
            if self.functions[function][1] <= slot:
                layout = self._layouts[function]
                return function, max(index for index, first in enumerate(layout) if first <= slot)
        raise IndexError(slot)


NEAR, FAR = 0x2000, 0x8000
"""Slots that a jump may reach: with room for what the kernel adds, and at all."""


def assemble(functions: "Sequence[tuple[str, Sequence[Item]]]", reach: int = FAR) -> Assembled:
    """Assemble functions into one program; the first is the entry. Jumps farther than `reach` are widened.

    Raises EncodeError for a label that is not placed, an unknown function, or a number out of range.
    """
    starts: dict[str, int] = {}
    layouts: list[list[int]] = []
    all_labels: list[dict[Label, int]] = []
    all_wide: list[set[int]] = []
    slot = 0
    for name, items in functions:
        if name in starts:
            raise EncodeError(f"two functions are named {name!r}")
        starts[name] = slot
        layout, labels, wide, slot = _lay_out(items, slot, reach)
        layouts.append(layout)
        all_labels.append(labels)
        all_wide.append(wide)
    words: list[int] = []
    relocations: list[Relocation] = []
    for (name, items), labels, wide in zip(functions, all_labels, all_wide):
        try:
            _encode_function(items, labels, wide, starts, words, relocations)
        except EncodeError as error:
            raise EncodeError(f"in function {name!r}: {error}") from None
    return Assembled(_to_bytes(words), relocations, list(starts.items()), layouts, any(all_wide))


def encode_insns(insns: "Sequence[Insn]") -> bytes:
    """Encode instructions that need no layout (no labels, no symbols), as `decode` returns them."""
    words: list[int] = []
    _encode_function(insns, {}, set(), {}, words, [])
    return _to_bytes(words)


def _lay_out(
    items: "Sequence[Item]", start: int, reach: int
) -> tuple[list[int], dict[Label, int], set[int], int]:
    """Return (first slot per item, slot per label, indices of widened jumps, slot after the end)."""
    wide: set[int] = set()
    while True:
        layout: list[int] = []
        labels: dict[Label, int] = {}
        jumps: list[int] = []
        slot = start
        for index, item in enumerate(items):
            layout.append(slot)
            if isinstance(item, Label):
                if item in labels:
                    raise EncodeError(f"label {item.name!r} is placed twice")
                labels[item] = slot
                continue
            slot += 2 if item.op == _LD_IMM64 else 1
            if item.target is not None:
                jumps.append(index)
                # A widened conditional jump is three slots: over a skip, the skip, gotol.
                if index in wide and item.op not in (_JA_OP, _GOTOL_OP):
                    slot += 2
        # The last slot bounds every distance, so the common small function needs no second look.
        if slot - start < reach:
            return layout, labels, wide, slot
        far = {
            index
            for index in jumps
            if index not in wide and _is_far(items[index], layout[index], labels, reach)
        }
        if not far:
            return layout, labels, wide, slot
        wide |= far


def _is_far(item: Item, slot: int, labels: dict[Label, int], reach: int) -> bool:
    assert isinstance(item, Insn)
    assert item.target is not None
    place = labels.get(item.target)
    return place is not None and item.op != _GOTOL_OP and not -reach <= place - slot - 1 < reach


def _encode_function(
    items: "Sequence[Item]",
    labels: dict[Label, int],
    wide: set[int],
    starts: dict[str, int],
    words: list[int],
    relocations: list[Relocation],
) -> None:
    """Append the slots to `words` as 64-bit numbers: from the low end op, dst, src, off, imm."""
    append = words.append
    for index, item in enumerate(items):
        if isinstance(item, Label):
            continue
        op = item.op
        imm = item.imm
        off = item.off
        if item.target is not None:
            place = labels.get(item.target)
            if place is None:
                raise EncodeError(f"instruction {index}: label {item.target.name!r} is not placed")
            off = place - len(words) - 1
            if index in wide:
                _encode_wide(item, place, words)
                continue
            if op == _GOTOL_OP:
                imm, off = off, 0
        elif item.symbol is not None:
            imm = _resolve(item, index, starts, len(words), relocations)
        if op == _LD_IMM64:
            if not -0x8000000000000000 <= imm <= 0xFFFFFFFFFFFFFFFF:
                raise EncodeError(f"instruction {index}: {imm:#x} does not fit 64 bits")
            append(op | item.dst << 8 | item.src << 12 | (off & 0xFFFF) << 16 | (imm & 0xFFFFFFFF) << 32)
            append((imm >> 32 & 0xFFFFFFFF) << 32)
            continue
        if not (-0x80000000 <= imm <= 0x7FFFFFFF and -0x8000 <= off <= 0x7FFF):
            raise EncodeError(f"instruction {index}: immediate {imm:#x} or offset {off} is out of range")
        append(op | item.dst << 8 | item.src << 12 | (off & 0xFFFF) << 16 | (imm & 0xFFFFFFFF) << 32)


def _encode_wide(item: Insn, place: int, words: list[int]) -> None:
    if item.op not in (_JA_OP, _GOTOL_OP):
        head = item.op | item.dst << 8 | item.src << 12 | (item.imm & 0xFFFFFFFF) << 32
        words.append(head | 1 << 16)
        words.append(_JA_OP | 1 << 16)
    words.append(_GOTOL_OP | (place - len(words) - 1 & 0xFFFFFFFF) << 32)


def _resolve(item: Insn, index: int, starts: dict[str, int], slot: int, relocations: list[Relocation]) -> int:
    """Record the reference of a symbolic instruction and return the immediate that is known already."""
    assert item.symbol is not None
    kind, name, addend = item.symbol
    relocations.append(Relocation(slot, kind, name, addend))
    if kind == "func":
        if name not in starts:
            raise EncodeError(f"instruction {index}: no function {name!r} in this program")
        # Both a call and a function address count slots from the one after their first slot.
        return starts[name] - slot - 1 & 0xFFFFFFFF if item.op == _LD_IMM64 else starts[name] - slot - 1
    if kind == "map_value":
        return addend << 32
    if kind == "kfunc":
        return addend
    if kind == "map_fd":
        return 0
    raise EncodeError(f"instruction {index}: unknown kind of symbol {kind!r}")


def _to_bytes(words: list[int]) -> bytes:
    return pack(f"<{len(words)}Q", *words)
