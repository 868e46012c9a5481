"""What the entries of the catalogue are, and what sema and lowering offer to them.

A built-in or a function is one entry: its documentation, the rule for its type (`check`, called by sema) and the
code it becomes (`lower`, called by lowering). The command line's listing and the documentation read the same
entries. Nothing outside an entry may ask for its name.
"""

from collections.abc import Mapping, Sequence

from kernscope.types import Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from kernscope.bundle import Record
    from kernscope.diagnostics import Diagnostic, Span
    from kernscope.kernel.interface import KernelFacts
    from kernscope.probes import Target
    from kernscope.ssa import Block, Builder, Value
    from kernscope.syntax.ast import Assign, Call, Expr, Identifier, MapRef
    from kernscope.tables.packets import Header
    from kernscope.types import Struct
else:
    Protocol = object

__all__ = ["Builtin", "CheckContext", "Function", "LowerContext", "MapFacts", "StringSource"]


class StringSource:
    """A string of a record that lowering reads from a pointer straight into the record's tail.

    `space` is `kernel` or `user`; `size` bounds the bytes read, NUL included; `exact`: it is how many there are.
    """

    __slots__ = ("address", "exact", "size", "space")

    def __init__(self, address: "Value", space: str, size: "int | Value", *, exact: bool = False) -> None:
        self.address, self.space, self.size, self.exact = address, space, size, exact


class MapFacts(Protocol):
    """What sema knows about one map."""

    name: str
    key: Type | None
    value: Type | None


class CheckContext(Protocol):
    """What sema offers to the type rule of an entry."""

    @property
    def kernel(self) -> "KernelFacts": ...

    @property
    def targets(self) -> "Sequence[Target]":
        """The events that the clause is for."""

    @property
    def args(self) -> "Struct | None":
        """The members of `args`, where the probe has them."""

    @property
    def config(self) -> "dict[str, int | str | bool]": ...

    @property
    def parameters(self) -> Sequence[str]:
        """The program's positional parameters."""

    def report(self, diagnostic: "Diagnostic") -> None: ...

    def type_of(self, expr: "Expr") -> Type | None:
        """Infer an expression's type; None where it is wrong (reported) or not known yet."""

    def constant(self, expr: "Expr") -> int | None:
        """The value of an integer expression that is known when compiling, or None."""

    def constant_string(self, expr: "Expr") -> str | None:
        """The value of a string that is known when compiling, or None."""

    def assign(self, node: "Assign") -> None:
        """Check an assignment."""

    def condition(self, expr: "Expr") -> None:
        """Check an expression that is asked whether it is true."""

    def named_type(self, name: str) -> Type | None:
        """The type of this name (`struct` and the like left out), of the program or of the kernel."""

    def offset_of(self, struct: "Struct", path: Sequence[str]) -> int | None:
        """Where a member of a member … begins, in bytes; None if there is none."""

    def use_map(self, ref: "MapRef", how: str) -> MapFacts:
        """Record that a map is named: `read`, `write`, `whole`, `reset`, `iterate`, `delete`, `has_key`, `len` or
        `address`."""

    def map_value(self, name: str) -> Type | None:
        """What the map of a name holds, as far as that is known now."""

    def begins_known(self, expr: "Expr") -> bool:
        """Whether an expression is a member of a member … of `args`, or of a `ctx` with a type."""

    def keep(self, node: "Expr", what: object) -> None:
        """Leave something for lowering, which gets it back from `kept`."""


class LowerContext(Protocol):
    """What lowering offers to the code of an entry."""

    @property
    def b(self) -> "Builder": ...

    @property
    def kernel(self) -> "KernelFacts": ...

    @property
    def context(self) -> "Value": ...

    @property
    def targets(self) -> "Sequence[Target]":
        """The events that the code is for."""

    @property
    def parameters(self) -> Sequence[str]: ...

    @property
    def config(self) -> "dict[str, int | str | bool]": ...

    def kept(self, node: "Expr") -> object:
        """What `check` left with `keep`."""

    def type_of(self, expr: "Expr") -> Type: ...

    def value(self, expr: "Expr") -> "Value":
        """Evaluate: a scalar's value, or the address of what is kept in memory (strings, tuples, buffers)."""

    def assign(self, node: "Assign") -> None:
        """Evaluate and assign."""

    def truth(self, expr: "Expr") -> "Value":
        """A value that is not 0 where the expression is true."""

    def constant(self, expr: "Expr") -> int | None: ...

    def constant_string(self, expr: "Expr") -> str | None: ...

    def into(self, expr: "Expr", destination: "Value", t: Type) -> None:
        """Evaluate into memory, in the stored form of type `t`."""

    def string_source(self, expr: "Expr") -> StringSource | None:
        """Where the string that an expression only copies can be read from."""

    def scratch(self, size: int) -> "Value":
        """Memory in the scratch area, which the kernel has always initialised, until the statement ends."""

    def unforeseen(self, value: "Value") -> "Value":
        """The same value, of which the verifier knows nothing where loops need that."""

    def equal_bytes(self, left: "Value", right: "Value", size: int) -> "Value":
        """1 if `size` bytes at two addresses are the same, else 0."""

    def constant_bytes(self, content: bytes) -> "Value":
        """The address of a constant string, ended by a NUL."""

    def read_bytes(self, address: "Value", space: str, destination: "Value", size: "int | Value") -> "Value":
        """Copy bytes from a pointer; returns 0, or a negative error."""

    def raw_bytes(self, expr: "Expr", destination: "Value", size: int) -> None:
        """Copy the first bytes of an array, also of one of characters, with all its NULs."""

    def place(self, t: Type) -> "Value":
        """Memory for a value of a type, not initialised, valid until the statement ends."""

    def clear(self, address: "Value", size: int) -> None:
        """Set `size` bytes to zero."""

    def read_string(self, address: "Value", space: str, destination: "Value", size: "int | Value") -> "Value":
        """Copy a NUL-ended string from a pointer; returns bytes copied with the NUL, or 0 where it cannot be read."""

    def read_kernel(self, address: "Value", size: int, signed: bool) -> "Value": ...

    def member_offset(self, struct: str, path: str) -> int:
        """Offset in bytes of a kernel struct's member, from BTF."""

    def probe_number(self) -> "Value": ...

    def load_arg(self, name: str) -> "Value": ...

    def has_header(self, header: "Header") -> "Value":
        """1 if the packet has a header, else 0."""

    def packet_length(self) -> "Value":
        """Bytes of the packet."""

    def interface(self) -> "Value":
        """Index of the packet's network interface."""

    def known_place(self, expr: "Expr", null: "Block") -> "Value":
        """The address of an expression that `begins_known`, as a pointer of which the verifier knows what it leads to;
        `null` is jumped to where one of the pointers on the way is NULL.
        """

    def load_positional(self, index: int) -> "Value":
        """`arg0`, `arg1`, … of the event, as a 64-bit word."""

    def load_retval(self) -> "Value":
        """What the function that the event is about returns."""

    def func_address(self) -> "Value":
        """An address in the function that was hit."""

    def func_name(self) -> "Value":
        """The index in `Bundle.strings` of the function's name, of kinds that know it by their target."""

    def by_target(self, words: "Mapping[str, int]") -> "Value":
        """The one of some 64-bit numbers, by targets' names, that belongs to the event's target (see `needs_probe`)."""

    def entry_address(self) -> "Value":
        """Where in the process the probed function, or instruction, lies."""

    def global_address(self, offset: int) -> "Value": ...

    def stack_map(self, frames: int) -> str:
        """The kernel map that keeps stacks of so many frames."""

    def unwound_stack(self, frames: int, *, mark_depth: bool) -> "tuple[Value, Value]":
        """The process's stack by its unwind tables: where its words are, and their size in bytes.

        With `mark_depth` one that has more than `frames` ends with a mark, see `kernscope.tables.unwinding`.
        """

    def walked_path(self, path: "Value", size: int) -> StringSource:
        """The path of a file, from a copy of its `struct path`; its NUL included, `size` bytes at most."""

    def constant_table(self, content: bytes) -> int:
        """Put constant bytes into the `globals` map; returns their offset there (a multiple of 8)."""

    def constant_text(self, text: str) -> int:
        """The index of a constant string in `Bundle.strings`."""

    def record(
        self,
        action: str,
        types: Sequence[Type],
        *,
        text: str = "",
        values: tuple[object, ...] = (),
        span: "Span | None" = None,
    ) -> "Record": ...

    def send(self, record: "Record", values: "Sequence[Expr | Value | StringSource]") -> None:
        """Send an event record. Expressions are evaluated straight into it."""

    def send_control(self, record: "Record", values: "Sequence[Expr | Value]") -> None:
        """Send a record of the control ring: exit, errors, commands about maps."""

    def leave(self) -> None:
        """End the action, as `return` does."""

    def end_action(self) -> None:
        """End the action, also out of a function of the program."""

    def decide(self, value: int, errno: int) -> None:
        """End the action with a verdict: the program returns `value`; a process that asked gets the error."""

    def count_verdict(self, verdict: str) -> None:
        """Add one to the counter of a verdict (its text) in the probes that the code is for."""

    def map_key(self, ref: "MapRef") -> Type:
        """The type of a map's keys."""

    def send_map_key(self, record: "Record", ref: "MapRef") -> None:
        """Send a record of the control ring whose value is the key of a map's entry."""

    def map_key_exists(self, ref: "MapRef") -> "Value": ...

    def map_delete(self, ref: "MapRef") -> "Value": ...

    def map_length(self, ref: "MapRef") -> "Value": ...


class Builtin:
    """A name without arguments, such as `pid`. Subclasses define `check` and `lower`."""

    name = ""
    aliases: tuple[str, ...] = ()
    doc = ""
    type: Type | None = None
    part: object = None
    """What a kind reads for it before the first action of a program, in the kind's own terms (see `reads_parts`)."""
    is_context = False
    """Whether it is the program's context, whose members the verifier knows."""
    needs_registers = False
    by_target = False
    """Whether its type depends on the target (`type_for`): an action is then checked once for each type."""

    def check(self, cx: CheckContext, node: "Identifier | Call") -> Type | None:
        """Its type here, or None after reporting why it has none."""
        return self.type

    def needs_probe(self, targets: "Sequence[Target]") -> bool:
        """Whether its code asks which of these targets an event is of."""
        return False

    def type_for(self, kernel: "KernelFacts", target: "Target") -> Type | None:
        """Its type in one target."""
        return self.type

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        raise NotImplementedError

    def lower_into(self, lo: LowerContext, destination: "Value", size: int) -> bool:
        """Write a value kept in memory to where it is wanted, zero behind its end; False where `lower` must do."""
        return False


class Function:
    """A call, such as `str()`. `usage` is its signature; `arity` the least and most arguments (None: any)."""

    name = ""
    usage: tuple[str, ...] = ()
    doc = ""
    arity: tuple[int, int | None] = (0, 0)
    space = ""
    """Where its result leads if it is a number that is made a pointer: `kernel`, `user`, or as other numbers."""

    def needs_probe(self, targets: "Sequence[Target]") -> bool:
        """Whether its code asks which of these targets an event is of."""
        return False

    needs_registers = False
    """Whether it reads registers that not every way of attaching a probe has."""
    ends_program = False
    """Whether it sets the flag that keeps programs which start later from doing anything."""
    decides = False
    """Whether it is a verdict: it gives the program's result."""

    def check(self, cx: CheckContext, call: "Call") -> Type | None:
        """Check the arguments (their number is right) and give the type of the result."""
        raise NotImplementedError

    def lower(self, lo: LowerContext, call: "Call") -> "Value | None":
        raise NotImplementedError

    def constant(self, cx: "CheckContext | LowerContext", call: "Call") -> int | None:
        """The result where it is known when compiling (asked after `check`), or None."""
        return None

    def string_source(self, lo: LowerContext, call: "Call") -> StringSource | None:
        """Where the resulting string can be read from, for functions that only copy it; None for all others."""
        return None
