"""What an aggregation is: its rules, its code in the kernel and its half in user space, in one class.

A cell is what one CPU keeps for one key: `Aggregate.size` bytes, a multiple of 8, zero at first; all zero
means "nothing yet". The update runs on that CPU only. When a value is wanted, the cells of all CPUs are
merged: by `merge` in user space, by the `fold_*` methods in the kernel (scalar aggregations only).

Cells are *additive* when each word only ever grows by addition. Then `clear()` and `zero()` need not write to
memory that a CPU may be updating at this moment: the reader remembers the cells as they were (the baseline)
and subtracts them from then on. The others (`min`, `max`) are reset in place; an update that runs at that
very moment may survive the reset.
"""

from __future__ import annotations

from struct import Struct

from kernscope.types import Aggregate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kernscope.ssa import Builder, Value

__all__ = ["WORD_MASK", "Aggregation", "add_to_word", "divide", "words"]

WORD_MASK = (1 << 64) - 1

Cell = bytes | bytearray | memoryview

_structs: dict[int, Struct] = {}


def words(cell: Cell) -> tuple[int, ...]:
    """The cell's words as unsigned integers."""
    count = len(cell) // 8
    layout = _structs.get(count)
    if layout is None:
        layout = _structs[count] = Struct(f"={count}Q")
    return layout.unpack(cell)


def divide(total: int, n: int) -> int:
    """Integer division as C does it: towards zero; 0 if there is nothing to divide by."""
    if n == 0:
        return 0
    return -(-total // n) if total < 0 else total // n


def add_to_word(b: Builder, cell: Value, offset: int, amount: Value | int, shared: bool) -> None:
    """Add to the cell's word at `offset` bytes."""
    if shared:
        b.atomic_add(8, cell, amount, offset)
    else:
        b.store(8, cell, b.add(b.load(8, cell, offset), amount), offset)


class Aggregation:
    """One aggregation. Subclasses set the attributes and fill in the methods.

    Attributes:
        name: as the user calls it.
        doc: one line of what it does.
        signature: as shown in documentation.
        value_args: how many run-time arguments it takes, 0 or 1; they come first.
        const_params: defaults of the compile-time integers that follow; None where one must be given.
        scalar: its value is one integer, which a program may read.
        additive: see the module's docstring.
        block: its text is several lines below the key (a histogram), not one value beside it.
        dividable: `print(@m, top, div)` divides its values.
    """

    name: str
    doc: str
    signature: str
    value_args = 1
    const_params: tuple[int | None, ...] = ()
    scalar = False
    additive = True
    text_params = False
    """Whether constants may be texts, which `complete` makes numbers of."""
    block = False
    dividable = True
    json_type = "map"
    """The `type` of the message that carries it in JSON output."""

    # rules

    def arguments_error(self, given: int) -> str | None:
        """What is wrong with a call that has `given` arguments, or None."""
        least = self.value_args + sum(default is None for default in self.const_params)
        most = self.value_args + len(self.const_params)
        if least <= given <= most:
            return None
        if least == most:
            wanted = "no arguments" if most == 0 else f"{most} argument{'s' if most > 1 else ''}"
        else:
            wanted = f"{least} to {most} arguments"
        return f"`{self.name}()` takes {wanted}, {given} given"

    def complete(self, given: tuple[int | str, ...]) -> tuple[int, ...]:
        """The constant parameters with defaults for those not given."""
        numbers = tuple(value for value in given if isinstance(value, int))
        return numbers + tuple(default or 0 for default in self.const_params[len(given) :])

    def check(self, params: tuple[int, ...]) -> str | None:
        """What is wrong with the (complete) constant parameters, or None."""
        return None

    def type(self, params: tuple[int, ...], signed: bool) -> Aggregate:
        """The type of a map value that it makes."""
        return Aggregate(self.name, self.cell_size(params), params, signed)

    def cell_size(self, params: tuple[int, ...]) -> int:
        """Bytes of one CPU's cell."""
        return 8

    # kernel half

    def update(self, b: Builder, agg: Aggregate, cell: Value, value: Value | None, shared: bool) -> None:
        """Code that adds `value` to this CPU's `cell`, a pointer that is not null.

        `shared`: another program may interrupt this one on this CPU and update the same cell, so additions
        must be atomic. Ends with the builder in one open block.
        """
        raise NotImplementedError

    def fold_start(self, b: Builder, agg: Aggregate) -> list[Value]:
        """The accumulator before the first CPU's cell."""
        raise NotImplementedError(f"{self.name} is not scalar")

    def fold_step(self, b: Builder, agg: Aggregate, acc: list[Value], cell: Value) -> list[Value]:
        """The accumulator after one more CPU's `cell`; of the same length."""
        raise NotImplementedError(f"{self.name} is not scalar")

    def fold_end(self, b: Builder, agg: Aggregate, acc: list[Value]) -> Value:
        """The value of the whole, from the accumulator."""
        raise NotImplementedError(f"{self.name} is not scalar")

    # user-space half

    def merge(self, agg: Aggregate, cells: Iterable[Cell]) -> object | None:
        """The value of all CPUs' cells together; None if nothing was ever added."""
        raise NotImplementedError

    def empty(self, agg: Aggregate) -> object:
        """The value of a key that is there but has nothing in it, as `zero()` leaves it."""
        raise NotImplementedError

    def subtract(self, agg: Aggregate, cell: Cell, baseline: Cell) -> bytes:
        """The cell without what it already held in `baseline` (additive aggregations only)."""
        now, before = words(cell), words(baseline)
        return _structs[len(now)].pack(*[(a - b) & WORD_MASK for a, b in zip(now, before)])

    def together(self, agg: Aggregate, values: Sequence[object]) -> Sequence[object]:
        """All values of a map, each made to fit the others."""
        return values

    def divided(self, agg: Aggregate, value: object, div: int) -> object:
        """The value with its numbers divided, for `print(@m, top, div)`."""
        return divide(value, div) if isinstance(value, int) else value

    def text(self, agg: Aggregate, value: object) -> str:
        """As it stands beside its key; of a `block` aggregation the lines below it, each with its newline."""
        return str(value)

    def json(self, agg: Aggregate, value: object) -> object:
        """The value in bpftrace's JSON shape."""
        return value

    def sort_key(self, value: object) -> int:
        """Maps are printed in ascending order of this."""
        return value if isinstance(value, int) else 0

    def row(self, agg: Aggregate, value: object) -> object:
        """The value in a table cell or a column."""
        return self.json(agg, value)
