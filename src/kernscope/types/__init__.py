"""The language's types and their layout in memory.

A type is a small immutable value, compared by content. `size` and `align` are in bytes and describe the
*stored* form: what lies in a map key, a map value, a stack slot. Event records use the packed form of
`kernscope.bundle.RecordLayout` instead.
"""

from collections.abc import Iterator, Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object

__all__ = [
    "BOOL",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "NONE",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "Aggregate",
    "Array",
    "Bool",
    "Buffer",
    "Enum",
    "Integer",
    "NamedTuple",
    "NoneType",
    "Pointer",
    "String",
    "Struct",
    "StructField",
    "StructSource",
    "Symbolic",
    "Tuple",
    "Type",
    "align_up",
    "stored_leaves",
    "without_targets",
]


def align_up(n: int, align: int) -> int:
    """`n` rounded up to a multiple of `align`, a power of two."""
    return (n + align - 1) & -align


class Type:
    """Base of all types. Subclasses set `size`, `align` and `_key`, which decides equality."""

    __slots__ = ("_key", "align", "size")
    size: int
    align: int
    _key: tuple[object, ...]

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._key == other._key

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._key))

    def __repr__(self) -> str:
        return f"<{self}>"


class NoneType(Type):
    """No value: what `printf()` returns."""

    __slots__ = ()

    def __init__(self) -> None:
        self.size, self.align, self._key = 0, 1, ()

    def __str__(self) -> str:
        return "void"


class Integer(Type):
    """A two's complement integer of 8, 16, 32 or 64 bits."""

    __slots__ = ("bits", "signed")

    def __init__(self, bits: int, signed: bool) -> None:
        self.bits, self.signed = bits, signed
        self.size = self.align = bits // 8
        self._key = (bits, signed)

    def __str__(self) -> str:
        return f"{'' if self.signed else 'u'}int{self.bits}"


class Enum(Integer):
    """An integer whose values have names; `names` maps values to names. `size` is that of the stored form."""

    __slots__ = ("name", "names")

    def __init__(self, name: str, names: Mapping[int, str], bits: int = 32, signed: bool = False) -> None:
        super().__init__(bits, signed)
        self.name, self.names = name, names
        self._key = (name, bits, signed)

    def with_bits(self, bits: int) -> "Enum":
        """The same enum in another stored form."""
        return self if bits == self.bits else Enum(self.name, self.names, bits, self.signed)

    def __str__(self) -> str:
        return self.name


class Bool(Type):
    """True or false, one byte."""

    __slots__ = ()

    def __init__(self) -> None:
        self.size, self.align, self._key = 1, 1, ()

    def __str__(self) -> str:
        return "bool"


class String(Type):
    """Bytes ended by the first NUL, in a buffer of `size` bytes that is zero after the NUL.

    `trailer` marks what was cut when it was read: it is shown behind a string that fills its buffer. The buffer
    then has one byte more than the language says (`shown_size`). None: what may have been cut is not marked.
    """

    __slots__ = ("trailer",)

    def __init__(self, size: int, trailer: str | None = None) -> None:
        # aligned, so that strings can be compared and copied in words (a tuple's offsets keep to it)
        self.size, self.align, self.trailer, self._key = size, 8, trailer, (size, trailer)

    @property
    def shown_size(self) -> int:
        """The size that a program is told."""
        return self.size - (self.trailer is not None)

    def __str__(self) -> str:
        return f"string[{self.shown_size}]"


class Buffer(Type):
    """Up to `capacity` bytes with their length: stored as a `u32` length and the bytes."""

    __slots__ = ("capacity",)

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.size, self.align, self._key = 4 + align_up(capacity, 4), 8, (capacity,)

    def __str__(self) -> str:
        return f"buffer[{self.capacity}]"


class Tuple(Type):
    """Several values side by side, laid out as C lays out a struct."""

    __slots__ = ("elements", "offsets")

    def __init__(self, elements: tuple[Type, ...]) -> None:
        self.elements = elements
        offsets = []
        end, align = 0, 1
        for element in elements:
            step = 8 if isinstance(element, Struct | Array) else element.align  # they are copied in words
            end = align_up(end, step)
            offsets.append(end)
            end += element.size
            align = max(align, step)
        self.offsets = tuple(offsets)
        self.size, self.align, self._key = align_up(end, align), align, elements

    def rebuilt(self, elements: "tuple[Type, ...]") -> "Tuple":
        """The same kind of tuple with other elements."""
        return Tuple(elements)

    def __str__(self) -> str:
        return f"({','.join(map(str, self.elements))})"


class NamedTuple(Tuple):
    """A record of the language, `(a = 1, b = "x")`: a tuple whose elements have names."""

    __slots__ = ("names",)

    def __init__(self, names: tuple[str, ...], elements: tuple[Type, ...]) -> None:
        super().__init__(elements)
        self.names = names
        self._key = (names, elements)

    def rebuilt(self, elements: tuple[Type, ...]) -> Tuple:
        return NamedTuple(self.names, elements)

    def __str__(self) -> str:
        return f"record {{ {', '.join(f'.{n} = {t}' for n, t in zip(self.names, self.elements))} }}"


class Symbolic(Type):
    """A value kept as `words` 64-bit words in the kernel and turned into text by user space.

    `kind` names the entry of `kernscope.output.symbolic` that does so, for instance `probe` (an index into
    the bundle's probe names), `username` (a user id) or `strftime` (a time and a format's index).
    """

    __slots__ = ("kind", "words")

    def __init__(self, kind: str, words: int = 1) -> None:
        self.kind, self.words = kind, words
        self.size, self.align, self._key = 8 * words, 8, (kind, words)

    def __str__(self) -> str:
        return self.kind


class Pointer(Type):
    """An address. `space` is `kernel` or `user`: which reader may follow it; `ctx` is a program's context."""

    __slots__ = ("space", "target")

    def __init__(self, target: Type, space: str = "kernel") -> None:
        self.target, self.space = target, space
        self.size = self.align = 8
        self._key = (target, space)

    def __str__(self) -> str:
        return f"{self.target} *"


class Array(Type):
    """`count` elements of one type."""

    __slots__ = ("count", "element")

    def __init__(self, element: Type, count: int) -> None:
        self.element, self.count = element, count
        self.size, self.align, self._key = element.size * count, element.align, (element, count)

    def __str__(self) -> str:
        base: Type = self
        dimensions = ""
        while isinstance(base, Array):
            dimensions += f"[{base.count}]"
            base = base.element
        return f"{base}{dimensions}"


class StructField:
    """One member of a struct: offset in bytes; `bits` is `(shift, width)` for a bit-field, else None.

    `data_loc` marks a tracepoint's `__data_loc` or `__rel_loc` member: the field holds where the bytes lie.
    `domain`, if not 0, says that the value is nearly always below it, as a system call's number is: a map with
    such keys can be an array. `swapped`: the number's bytes are stored the most significant first, as in packets.
    """

    __slots__ = ("bits", "data_loc", "domain", "name", "offset", "swapped", "type", "type_text")

    def __init__(
        self,
        name: str,
        type: Type,
        offset: int,
        *,
        bits: tuple[int, int] | None = None,
        data_loc: str | None = None,
        type_text: str = "",
        domain: int = 0,
        swapped: bool = False,
    ) -> None:
        self.name, self.type, self.offset = name, type, offset
        self.bits, self.data_loc, self.type_text = bits, data_loc, type_text or str(type)
        self.domain, self.swapped = domain, swapped


class StructSource(Protocol):
    """Where a struct's members come from when they are asked for: a kernel struct has hundreds, few are used."""

    def member(self, name: str) -> StructField | None: ...

    def fields(self) -> dict[str, StructField]: ...


class Struct(Type):
    """A named record (`struct x`, `union x`) with members at known offsets; compared by name.

    Members of anonymous members stand among its own. With neither members nor a `source` it is a mere mention,
    which sema completes by name. `space` is where the pointers in it lead (see `in_space`).
    """

    __slots__ = ("_fields", "_source", "name", "space")

    def __init__(
        self,
        name: str,
        size: int,
        fields: dict[str, StructField] | None,
        align: int = 8,
        source: StructSource | None = None,
    ) -> None:
        self.name, self._fields, self._source = name, fields, source
        self.space = "kernel"
        self.size, self.align, self._key = size, align, (name,)

    def in_space(self, space: str) -> "Struct":
        """The same struct, as it was read from another address space: its pointers lead there."""
        if space == self.space:
            return self
        made = Struct(self.name, self.size, self._fields, self.align, self._source)
        made.space = space
        return made

    @property
    def fields(self) -> dict[str, StructField]:
        """All members, in order."""
        if self._fields is None:
            self._fields = self._source.fields() if self._source is not None else {}
        return self._fields

    def member(self, name: str) -> StructField | None:
        """One member, or None."""
        if self._fields is None and self._source is not None:
            return self._source.member(name)
        return self.fields.get(name)

    @property
    def is_mention(self) -> bool:
        """Whether only its name is known."""
        return self._source is None and not self._fields and not self.size

    def __str__(self) -> str:
        return self.name


class Aggregate(Type):
    """A map value that only an aggregation changes: `count()`, `hist()`, …

    `kind` names the entry of `kernscope.catalog.aggregations`; `params` are its constant arguments
    (`lhist`: minimum, maximum, step); `signed` tells how its argument reads; `size` is one CPU's cell.
    """

    __slots__ = ("kind", "params", "signed")

    def __init__(self, kind: str, size: int, params: tuple[int, ...] = (), signed: bool = True) -> None:
        self.kind, self.params, self.signed = kind, params, signed
        self.size, self.align, self._key = size, 8, (kind, size, params, signed)

    @property
    def number(self) -> Integer:
        """The type of its number in expressions, where it has one."""
        return INT64 if self.signed else UINT64

    def __str__(self) -> str:
        return f"{self.kind}_t"


NONE = NoneType()
BOOL = Bool()
INT8, INT16, INT32, INT64 = (Integer(bits, True) for bits in (8, 16, 32, 64))
UINT8, UINT16, UINT32, UINT64 = (Integer(bits, False) for bits in (8, 16, 32, 64))


def stored_leaves(t: Type, offset: int = 0) -> Iterator[tuple[int, Type]]:
    """The parts of a stored value that are not tuples, each with its offset in bytes."""
    if isinstance(t, Tuple):
        for element, at in zip(t.elements, t.offsets, strict=True):
            yield from stored_leaves(element, offset + at)
    else:
        yield offset, t


def without_targets(t: Type) -> Type:
    """The type of the same stored form that says nothing of what its pointers lead to.

    Records and maps need no more, and a kernel type followed through its pointers never ends.
    """
    if isinstance(t, Pointer):
        return Pointer(NONE, t.space)
    if isinstance(t, Tuple):
        return t.rebuilt(tuple(without_targets(element) for element in t.elements))
    if isinstance(t, Array):
        return Array(without_targets(t.element), t.count)
    if isinstance(t, Struct):
        fields = {
            f.name: StructField(f.name, without_targets(f.type), f.offset, bits=f.bits, type_text=f.type_text)
            for f in t.fields.values()
        }
        return Struct(t.name, t.size, fields, t.align)
    return t
