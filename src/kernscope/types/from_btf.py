"""The kernel's own types, from its BTF: converted when they are asked for, one struct member at a time.

    types = kernel_types(kernel)
    task = types.struct("struct", "task_struct")
    task.member("pid").type           # int32

Arrays of `char` and `unsigned char` are strings, as in bpftrace; arrays of `u8` and `__u8` are arrays of numbers
(bpftrace calls these strings too, which hides the bytes of addresses).
"""

from kernscope.btf import Btf, BtfError, BtfType, Kind, Member

from . import (
    BOOL,
    INT64,
    NONE,
    UINT8,
    UINT64,
    Array,
    Enum,
    Integer,
    Pointer,
    String,
    Struct,
    StructField,
    Type,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    class HasBtf(Protocol):
        def btf(self) -> Btf: ...

        def module_btf(self, module: str) -> Btf | None: ...

        def btf_modules(self) -> list[str]: ...


__all__ = ["KernelTypes", "bit_place", "kernel_types"]

_NUMBER_TYPEDEFS = frozenset(("u8", "__u8", "uint8_t", "u_int8_t", "s8", "__s8", "int8_t"))
"""Typedefs of characters that mean numbers."""

_DEEPEST = 32
"""Bound of anonymous members inside each other, and of pointers to pointers, against malformed BTF."""


class KernelTypes:
    """The types of one BTF: the kernel's own with those of its `modules` behind them, or one module's on its `base`.

    What is asked for by name is looked for in the kernel itself, then in one module after the other.
    """

    def __init__(self, btf: Btf, modules: "HasBtf | None" = None, base: "KernelTypes | None" = None) -> None:
        self.btf = btf
        self._modules, self._base = modules, base
        self._by_module: dict[str, KernelTypes | None] = {}
        self._converted: dict[int, Type] = {}
        self._enumerators: dict[str, tuple[Enum, int] | None] = {}

    def module(self, name: str) -> "KernelTypes | None":
        """The types of a module; None if it is not loaded or does not describe them."""
        if name not in self._by_module:
            btf = self._modules.module_btf(name) if self._modules is not None else None
            self._by_module[name] = KernelTypes(btf, base=self) if btf is not None else None
        return self._by_module[name]

    def _in_modules(self, name: str) -> "Iterator[KernelTypes]":
        """The modules that may have something of this name."""
        for module in self._modules.btf_modules() if self._modules is not None else ():
            types = self.module(module)
            if types is not None and types.btf.may_have(name):
                yield types

    # --- by name -------------------------------------------------------------------------------------------

    def _find(self, kinds: tuple[int, ...], name: str) -> "tuple[KernelTypes, BtfType] | None":
        for kind in kinds:
            found = self.btf.find_own(kind, name)
            if found is not None:
                return self, found
        for types in self._in_modules(name):
            elsewhere = types._find(kinds, name)
            if elsewhere is not None:
                return elsewhere
        return None

    def struct(self, tag: str, name: str) -> Struct | None:
        """`struct name` or `union name` (the tag), if this kernel has it."""
        found = self._find((Kind.STRUCT if tag == "struct" else Kind.UNION,), name)
        return None if found is None else found[0]._struct(found[1], name)

    def enum(self, name: str) -> Enum | None:
        found = self._find((Kind.ENUM, Kind.ENUM64), name)
        return None if found is None else found[0]._enum(found[1])

    def typedef(self, name: str) -> Type | None:
        """What a typedef stands for."""
        found = self._find((Kind.TYPEDEF,), name)
        return None if found is None else found[0].convert(found[1].id)

    def enumerator(self, name: str) -> tuple[Enum, int] | None:
        """The enum that has a constant of this name, and its value."""
        if name not in self._enumerators:
            found = self.btf.find_enumerator(name)
            made = (self._enum(found[0]), found[1]) if found is not None else None
            if made is None:
                made = next((e for t in self._in_modules(name) if (e := t.enumerator(name))), None)
            self._enumerators[name] = made
        return self._enumerators[name]

    def names(self, tag: str) -> list[str]:
        """All structs, unions or enums, for suggestions (slow: looks at every type)."""
        kinds = {"struct": (Kind.STRUCT,), "union": (Kind.UNION,), "enum": (Kind.ENUM, Kind.ENUM64)}[tag]
        types = (self.btf.type(i) for i in range(1, len(self.btf)))
        return [t.name for t in types if t.kind in kinds and t.name]

    def c_text(self, id: int) -> str:
        """A type as C writes it: `const struct path *`, `pid_t`."""
        for text in ("{}", "{} *", "{} **"):
            raw = self.btf.type(id)
            const = ""
            while raw.kind in (Kind.CONST, Kind.VOLATILE, Kind.RESTRICT, Kind.TYPE_TAG):
                const = "const " if raw.kind == Kind.CONST else const
                raw = self.btf.type(raw.type_id)
            if raw.kind != Kind.PTR:
                tags = {Kind.STRUCT: "struct ", Kind.UNION: "union ", Kind.ENUM: "enum ", Kind.FWD: "struct "}
                name = "bool" if raw.name == "_Bool" else raw.name or "void"
                return text.format(const + tags.get(raw.kind, "") + name)
            id = raw.type_id
        return "void *"

    # --- by id ---------------------------------------------------------------------------------------------

    def convert(self, id: int, hint: str = "") -> Type:
        """The type `id`. `hint` names a struct that has no name of its own."""
        if self._base is not None and id < self.btf.first_own:
            return self._base.convert(id, hint)
        found = self._converted.get(id)
        if found is None:
            found = self._converted[id] = self._convert(id, hint, 0)
        return found

    def _convert(self, id: int, hint: str, depth: int) -> Type:
        if self._base is not None and id < self.btf.first_own:
            return self._base._convert(id, hint, depth)
        raw = self.btf.resolve(id)
        if self._base is not None and raw.id < self.btf.first_own:
            return self._base._convert(raw.id, hint, depth)
        if raw.kind == Kind.INT:
            return self._integer(raw)
        if raw.kind == Kind.PTR:
            return self._pointer(raw, hint, depth)
        if raw.kind == Kind.ARRAY:
            return self._array(raw, hint, depth)
        if raw.kind in (Kind.STRUCT, Kind.UNION):
            return self._struct(raw, hint)
        if raw.kind in (Kind.ENUM, Kind.ENUM64):
            return self._enum(raw)
        if raw.kind == Kind.FWD:
            return Struct(f"{'union' if raw.kind_flag else 'struct'} {raw.name}", 0, {})
        if raw.kind == Kind.FLOAT:
            return Array(UINT8, raw.size)
        return NONE

    def _integer(self, raw: BtfType) -> Type:
        signed, _, is_bool, _ = self.btf.int_encoding(raw)
        if is_bool and raw.size == 1:
            return BOOL
        if raw.size not in (1, 2, 4, 8):
            return Array(INT64 if signed else UINT64, raw.size // 8)
        return Integer(8 * raw.size, signed)

    def _pointer(self, raw: BtfType, hint: str, depth: int) -> Type:
        space = "kernel"
        tag = self.btf.type(raw.type_id)
        if tag.kind == Kind.TYPE_TAG and tag.name == "user":
            space = "user"
        target = NONE if depth > _DEEPEST else self._convert(raw.type_id, hint, depth + 1)
        return Pointer(target, space)

    def _array(self, raw: BtfType, hint: str, depth: int) -> Type:
        element_id, count = self.btf.array(raw)
        element = NONE if depth > _DEEPEST else self._convert(element_id, hint, depth + 1)
        if isinstance(element, Integer) and element.bits == 8 and not self._is_number(element_id) and count:
            return String(count)
        return Array(element, count)

    def _is_number(self, id: int) -> bool:
        """Whether a type of one byte is written as a number, not as a character."""
        for _ in range(_DEEPEST):
            found = self.btf.type(id)
            if found.kind == Kind.TYPEDEF and found.name in _NUMBER_TYPEDEFS:
                return True
            if found.kind not in Kind.MODIFIERS:
                return False
            id = found.type_id
        return False

    def _enum(self, raw: BtfType) -> Enum:
        found = self._converted.get(raw.id)
        if isinstance(found, Enum):
            return found
        names: dict[int, str] = {}
        for name, value in self.btf.enumerators(raw):
            names.setdefault(value, name)
        name = f"enum {raw.name}" if raw.name else f"enum (anonymous {raw.id})"
        bits = 8 * raw.size if raw.size in (1, 2, 4, 8) else 32
        made = Enum(name, names, bits, raw.kind_flag)
        self._converted[raw.id] = made
        return made

    def _struct(self, raw: BtfType, hint: str) -> Struct:
        found = self._converted.get(raw.id)
        if isinstance(found, Struct):
            return found
        tag = "union" if raw.kind == Kind.UNION else "struct"
        name = f"{tag} {raw.name or hint or f'(anonymous {raw.id})'}"
        made = Struct(name, raw.size, None, 8, _Members(self, raw))
        self._converted[raw.id] = made
        return made


class _Members:
    """The members of one struct of the BTF."""

    __slots__ = ("_found", "_raw", "_types")

    def __init__(self, types: KernelTypes, raw: BtfType) -> None:
        self._types, self._raw = types, raw
        self._found: dict[str, StructField | None] = {}

    def member(self, name: str) -> StructField | None:
        if name not in self._found:
            try:
                path = self._types.btf.member(self._raw, name) if "." not in name else None
            except BtfError:
                path = None
            self._found[name] = (
                self._field(name, path.type_id, path.bit_offset, path.bitfield_bits) if path else None
            )
        return self._found[name]

    def fields(self) -> dict[str, StructField]:
        found: dict[str, StructField] = {}
        self._collect(self._raw, 0, found, 0)
        return found

    def _collect(self, raw: BtfType, base_bits: int, found: dict[str, StructField], depth: int) -> None:
        btf = self._types.btf
        for member in btf.members(raw):
            at = base_bits + member.bit_offset
            if member.name:
                if member.name not in found:
                    found[member.name] = self._field(member.name, member.type_id, at, member.bitfield_bits)
            elif depth < _DEEPEST and not self._is_padding(member):
                self._collect(btf.resolve(member.type_id), at, found, depth + 1)

    def _is_padding(self, member: Member) -> bool:
        return self._types.btf.resolve(member.type_id).kind not in (Kind.STRUCT, Kind.UNION)

    def _field(self, name: str, type_id: int, bit_offset: int, width: int) -> StructField:
        types = self._types
        t = types.convert(type_id, f"{self._raw.name}.{name}")
        if not width:
            raw = types.btf.resolve(type_id)
            if raw.kind == Kind.INT:
                bits = types.btf.int_encoding(raw)[3]
                width = bits if bits < 8 * raw.size and t != BOOL else 0
        if not width:
            return StructField(name, t, bit_offset // 8)
        offset, shift = bit_place(bit_offset, width, t.size)
        return StructField(name, t, offset, bits=(shift, width))


def bit_place(bit_offset: int, width: int, unit_bytes: int) -> tuple[int, int]:
    """Where to load a bit-field: the byte offset of its storage unit and the bits to shift away.

    In a packed struct it may cross units of its type; it is then loaded from the byte that it begins in.
    """
    unit = 8 * unit_bytes
    start = bit_offset // unit * unit
    if bit_offset - start + width > unit:
        start = bit_offset // 8 * 8
    return start // 8, bit_offset - start


_last: "tuple[object, KernelTypes] | None" = None
"""The kernel that was asked last, and its types: a process rarely has two."""


def kernel_types(kernel: "HasBtf") -> KernelTypes:
    """The types of a kernel; those of the kernel that was asked last are kept.

    Raises NotSupportedError for a kernel without BTF.
    """
    global _last
    if _last is None or _last[0] is not kernel:
        _last = kernel, KernelTypes(kernel.btf(), kernel)
    return _last[1]
