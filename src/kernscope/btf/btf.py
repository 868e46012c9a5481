"""`Btf`: types of one BTF blob, decoded when asked for."""

from struct import Struct

from kernscope.btf.index import HEADER, TypeIndex, build_index, fingerprint
from kernscope.btf.types import BtfType, Kind, Member, MemberPath

__all__ = ["Btf", "BtfError", "RawTracepoint"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_TYPE = Struct("=III")
_WORD = Struct("=I")
_PAIR = Struct("=II")
_TRIPLE = Struct("=III")

_VOID = BtfType(0, Kind.VOID, "void", 0, False, 0, 0)

_DEEPEST = 64
"""Bound of chains of modifiers and nested anonymous members, against malformed BTF."""

_POINTER_BYTES = 8

_TRACEPOINT_PREFIX = "btf_trace_"


class BtfError(ValueError):
    """Malformed BTF, or a question it has no answer to."""


class RawTracepoint:
    """A raw tracepoint: `btf_id` is what `attach_btf_id` wants, `parameters` what its context holds.

    The context is an array of 8-byte words, one per parameter. Names come from the tracepoint's own functions
    and are empty where the BTF does not have them.
    """

    __slots__ = ("btf_id", "name", "parameters")

    def __init__(self, name: str, btf_id: int, parameters: list[tuple[str, int]]) -> None:
        self.name = name
        self.btf_id = btf_id
        self.parameters = parameters


class Btf:
    """Types of one blob (bytes, or mapped memory). With `base` it is split BTF, as modules have.

    Raises:
        BtfError: not BTF of this machine's byte order.
    """

    __slots__ = (
        *("_base", "_base_types", "_cache", "_index", "_string_base", "_strings", "_tracepoints", "_types"),
        "data",
    )

    def __init__(
        self, data: "memoryview | bytes", index: TypeIndex | None = None, base: "Btf | None" = None
    ) -> None:
        if len(data) < HEADER.size:
            raise BtfError("too short for BTF")
        magic, version, _, header_bytes, type_off, type_len, str_off, str_len = HEADER.unpack_from(data)
        if magic != 0xEB9F or version != 1:
            raise BtfError("not BTF of this byte order and version")
        view = memoryview(data)
        self.data = view
        self._types = view[header_bytes + type_off : header_bytes + type_off + type_len]
        self._strings = view[header_bytes + str_off : header_bytes + str_off + str_len]
        self._tracepoints: list[str] | None = None
        if len(self._types) != type_len or len(self._strings) != str_len:
            raise BtfError("BTF is cut off")
        self._index = index
        self._base = base
        # Ids and string offsets of split BTF continue those of its base.
        self._base_types = len(base) - 1 if base else 0
        self._string_base = len(base._strings) if base else 0
        self._cache: dict[int, BtfType] = {}

    @property
    def index(self) -> TypeIndex:
        """Given, or built by a full scan when first needed."""
        if self._index is None:
            try:
                before = self._base._strings if self._base is not None else b""
                self._index = TypeIndex(build_index(self.data, before), fingerprint(self.data))
            except (ValueError, OverflowError) as error:
                raise BtfError(str(error)) from None
        return self._index

    def __len__(self) -> int:
        """Number of types, void included: one more than the highest id."""
        return len(self.index.offsets) + self._base_types

    # -- single types ---------------------------------------------------------------------------------

    def type(self, id: int) -> BtfType:
        """The type `id`; 0 is void. Raises BtfError if there is none."""
        found = self._cache.get(id)
        if found is not None:
            return found
        if id == 0:
            return _VOID
        if self._base is not None and id <= self._base_types:
            return self._base.type(id)
        offsets = self.index.offsets
        own = id - self._base_types
        if not 0 < own < len(offsets):
            raise BtfError(f"no BTF type {id}")
        offset = offsets[own]
        name_off, description, last = _TYPE.unpack_from(self._types, offset)
        found = BtfType(
            id,
            description >> 24 & 31,
            self._string(name_off),
            description & 0xFFFF,
            bool(description >> 31),
            last,
            offset,
        )
        self._cache[id] = found
        return found

    def find(self, kind: int, name: str) -> BtfType | None:
        """The first type of `kind` called `name`; the base comes first."""
        if self._base is not None and (found := self._base.find(kind, name)):
            return found
        return self.find_own(kind, name)

    def find_own(self, kind: int, name: str) -> BtfType | None:
        """The same, without the base's: a module's functions may be called as the kernel's own are."""
        wanted = name.encode("utf-8", "surrogateescape")
        for own in self.index.candidates(kind, wanted):
            found = self.type(own + self._base_types)
            if found.kind == kind and found.name == name:
                return found
        return None

    def may_have(self, name: str) -> bool:
        """Whether any type or member of its own can have this name: a quick no, without the index."""
        wanted = b"\0" + name.encode("utf-8", "surrogateescape") + b"\0"
        base = self._base
        return wanted in self._all_strings() or (base is not None and base.may_have(name))

    def _all_strings(self) -> bytes:
        """Its own strings, each behind a NUL: those of split BTF begin with the first one."""
        return b"\0" + bytes(self._strings)

    @property
    def first_own(self) -> int:
        """The id of the first type that is not its base's."""
        return self._base_types + 1

    def find_composite(self, name: str) -> BtfType | None:
        """The struct or union called `name`, or of a typedef of that name what it stands for."""
        found = self.find(Kind.STRUCT, name) or self.find(Kind.UNION, name)
        if found is None and (typedef := self.find(Kind.TYPEDEF, name)):
            found = self.resolve(typedef.type_id)
        return found if found and found.kind in (Kind.STRUCT, Kind.UNION) else None

    def function_names(self) -> set[bytes]:
        """The names of all functions that are not its base's (some 30 ms)."""
        words = self._types.cast("I")
        strings = bytes(self._base._strings if self._base is not None else b"") + bytes(self._strings)
        found = set()
        for offset in self.index.offsets[1:]:
            at = offset // 4
            if words[at + 1] >> 24 & 31 == Kind.FUNC:
                name = words[at]
                found.add(strings[name : strings.find(b"\0", name)])
        return found

    def _string(self, offset: int) -> str:
        if offset < self._string_base and self._base is not None:
            return self._base._string(offset)
        start = offset - self._string_base
        strings = self._strings
        if not 0 <= start < len(strings):
            raise BtfError(f"no BTF string at {offset}")
        # Names are short: look for the end in a small copy first.
        for size in (64, 4096):
            text, end, _ = bytes(strings[start : start + size]).partition(b"\0")
            if end:
                return text.decode("utf-8", "replace")
        raise BtfError(f"BTF string at {offset} has no end")

    # -- relations ------------------------------------------------------------------------------------

    def resolve(self, id: int) -> BtfType:
        """The type behind typedefs and qualifiers."""
        for _ in range(_DEEPEST):
            found = self.type(id)
            if found.kind not in Kind.MODIFIERS:
                return found
            id = found.size_or_type
        raise BtfError(f"BTF type {id} is an endless chain")

    def size_of(self, id: int) -> int:
        """Bytes. Raises BtfError for types that have no size (void, functions, forward declarations)."""
        elements = 1
        for _ in range(_DEEPEST):
            found = self.resolve(id)
            if found.kind == Kind.ARRAY:
                id, count = self.array(found)
                elements *= count
                continue
            if found.kind == Kind.PTR:
                return _POINTER_BYTES * elements
            if found.kind in (Kind.INT, Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64, Kind.FLOAT):
                return found.size * elements
            raise BtfError(f"{found!r} has no size")
        raise BtfError(f"BTF type {id} is nested too deeply")

    def int_encoding(self, type: BtfType) -> tuple[bool, bool, bool, int]:
        """(signed, is char, is bool, bits) of an integer. Most kernels mark only few as char."""
        word = _WORD.unpack_from(self._owner(type)._types, type.offset + 12)[0]
        encoding = word >> 24 & 15
        return bool(encoding & 1), bool(encoding & 2), bool(encoding & 4), word & 0xFF

    def array(self, type: BtfType) -> tuple[int, int]:
        """(element type id, number of elements)."""
        element, _, count = _TRIPLE.unpack_from(self._owner(type)._types, type.offset + 12)
        return element, count

    def members(self, type: BtfType) -> list[Member]:
        """Members of a struct or union, as declared; anonymous ones have an empty name."""
        return list(self._iterate_members(type))

    def named_members(self, type: BtfType) -> list[Member]:
        """Members of a struct or union and of the anonymous ones in it; offsets are from the outermost one's start."""
        found: list[Member] = []
        for member in self._iterate_members(type):
            inner = None if member.name else self.resolve(member.type_id)
            if inner is None:
                found.append(member)
            elif inner.kind in (Kind.STRUCT, Kind.UNION):
                found += [
                    Member(m.name, m.type_id, member.bit_offset + m.bit_offset, m.bitfield_bits)
                    for m in self.named_members(inner)
                ]
        return found

    def _iterate_members(self, type: BtfType) -> "Iterator[Member]":
        start = type.offset + 12
        owner = self._owner(type)
        for name_off, type_id, place in _TRIPLE.iter_unpack(owner._types[start : start + 12 * type.vlen]):
            # With kind_flag the upper 8 bits are the bit field's width.
            bits, offset = (place >> 24, place & 0xFFFFFF) if type.kind_flag else (0, place)
            yield Member(owner._string(name_off), type_id, offset, bits)

    def _owner(self, type: BtfType) -> "Btf":
        base = self._base
        return base._owner(type) if base is not None and type.id <= self._base_types else self

    def enumerators(self, type: BtfType) -> list[tuple[str, int]]:
        """(name, value) of an enum; kind_flag says that values are signed."""
        owner = self._owner(type)
        start = type.offset + 12
        if type.kind == Kind.ENUM64:
            layout = Struct("=Iq" if type.kind_flag else "=IQ")
        else:
            layout = Struct("=Ii" if type.kind_flag else "=II")
        part = owner._types[start : start + layout.size * type.vlen]
        return [(owner._string(name_off), value) for name_off, value in layout.iter_unpack(part)]

    def parameters(self, prototype: BtfType) -> list[tuple[str, int]]:
        """(name, type id) of a FUNC_PROTO's parameters; its result is `prototype.type_id`."""
        owner = self._owner(prototype)
        start = prototype.offset + 12
        part = owner._types[start : start + 8 * prototype.vlen]
        return [(owner._string(name_off), type_id) for name_off, type_id in _PAIR.iter_unpack(part)]

    # -- lookups --------------------------------------------------------------------------------------

    def member(self, type: BtfType, path: str) -> MemberPath | None:
        """Where `path` (names joined by dots, no pointers between) leads, through anonymous members."""
        bit_offset, bits, type_id = 0, 0, type.id
        for name in path.split("."):
            found = self._find_member(self.resolve(type_id), name, 0)
            if found is None:
                return None
            bit_offset += found.bit_offset
            type_id, bits = found.type_id, found.bitfield_bits
        return MemberPath(bit_offset, type_id, bits)

    def struct_member(self, struct: str, path: str) -> MemberPath:
        """Like `member`, of a struct by its name. Raises BtfError if this kernel has no such member."""
        type = self.find_composite(struct)
        found = self.member(type, path) if type is not None else None
        if found is None:
            raise BtfError(f"this kernel's struct {struct} has no member {path}")
        return found

    def rdonly_cast(self) -> tuple[int, int] | None:
        """The ids of bpf_rdonly_cast() and of a struct that is one number of 8 bytes; None without them."""
        function, struct = self.find(Kind.FUNC, "bpf_rdonly_cast"), self.find_composite("atomic64_t")
        return (function.id, struct.id) if function is not None and struct is not None else None

    def loaded(self, struct: int, offset: int, size: int) -> int | None:
        """What the kernel's verifier takes for loaded by a program at `offset` bytes behind a pointer to the struct
        `struct`: the id of the struct that the result points to, 0 for a number, None where it may refuse.

        It follows the types as we do (kernel/bpf/btf.c, btf_struct_walk); unions and arrays are left out here.
        """
        type_id = struct
        for _ in range(_DEEPEST):
            type = self.resolve(type_id)
            if type.kind != Kind.STRUCT:
                break
            found = self._member_at(type, offset, size)
            if found is None:
                return None
            type_id, offset = found.type_id, offset - found.bit_offset // 8
        if type.kind == Kind.PTR:
            return self._pointed_struct(type) if not offset and size == _POINTER_BYTES else None
        return 0 if type.kind in (Kind.INT, Kind.ENUM, Kind.ENUM64) and not offset else None

    def _member_at(self, type: BtfType, offset: int, size: int) -> Member | None:
        """The member that holds these bytes, if it alone does."""
        for member in self._iterate_members(type):
            start = member.bit_offset // 8
            if member.bitfield_bits or member.bit_offset % 8 or not start <= offset:
                continue
            try:
                if offset + size <= start + self.size_of(member.type_id):
                    return member
            except BtfError:
                continue
        return None

    def _pointed_struct(self, pointer: BtfType) -> int | None:
        """The id of the struct behind a pointer, 0 for none; None where a tag says that it is not like others."""
        target = self.type(pointer.type_id)
        for _ in range(_DEEPEST):
            if target.kind == Kind.TYPE_TAG and target.name != "rcu":
                return None
            if target.kind not in Kind.MODIFIERS:
                return target.id if target.kind == Kind.STRUCT else 0 if target.kind != Kind.UNION else None
            target = self.type(target.type_id)
        return None

    def _find_member(self, type: BtfType, name: str, depth: int) -> Member | None:
        if type.kind not in (Kind.STRUCT, Kind.UNION) or depth > _DEEPEST or not name:
            return None
        anonymous = []
        for member in self._iterate_members(type):
            if member.name == name:
                return member
            if not member.name:
                anonymous.append(member)
        for outer in anonymous:
            inner = self._find_member(self.resolve(outer.type_id), name, depth + 1)
            if inner is not None:
                return Member(name, inner.type_id, outer.bit_offset + inner.bit_offset, inner.bitfield_bits)
        return None

    def find_enumerator(self, name: str) -> "tuple[BtfType, int] | None":
        """The enum that has an enumerator called `name`, and its value (a search through the bytes: some ms)."""
        if self._base is not None and (found := self._base.find_enumerator(name)):
            return found
        place = self._all_strings().find(b"\0" + name.encode() + b"\0")
        if place < 0 or not name:
            return None
        wanted, types = _WORD.pack(place + self._string_base), bytes(self._types)
        offsets = self.index.offsets
        position = types.find(wanted)
        while position >= 0:
            if position % 4 == 0:
                own = _last_at_most(offsets, position)
                type = self.type(own + self._base_types)
                if type.kind in (Kind.ENUM, Kind.ENUM64):
                    for enumerator, value in self.enumerators(type):
                        if enumerator == name:
                            return type, value
            position = types.find(wanted, position + 1)
        return None

    def enum_value(self, name: str) -> int | None:
        """The value of an enumerator, of whichever enum."""
        found = self.find_enumerator(name)
        return None if found is None else found[1]

    # -- raw tracepoints ------------------------------------------------------------------------------

    def raw_tracepoint(self, name: str) -> RawTracepoint | None:
        """The tracepoint's typedef ``btf_trace_NAME`` (include/trace/bpf_probe.h) and its parameters."""
        typedef = self.find(Kind.TYPEDEF, _TRACEPOINT_PREFIX + name)
        if typedef is None:
            return None
        prototype = self.resolve(self.resolve(typedef.type_id).type_id)
        if prototype.kind != Kind.FUNC_PROTO:
            return None
        # The typedef's prototype has no parameter names; the functions made by the same macros may.
        for prefix in ("__bpf_trace_", "__traceiter_", "__probestub_"):
            function = self.find(Kind.FUNC, prefix + name)
            if function is not None:
                named = self.type(function.type_id)
                if named.vlen == prototype.vlen and all(n for n, _ in self.parameters(named)):
                    prototype = named
                    break
        # The first parameter, `void *__data`, is not in the program's context.
        return RawTracepoint(name, typedef.id, self.parameters(prototype)[1:])

    def raw_tracepoint_names(self) -> list[str]:
        """All raw tracepoints of this BTF, sorted, from its strings (a few ms)."""
        if self._tracepoints is None:
            found = self.strings(_TRACEPOINT_PREFIX)
            self._tracepoints = sorted(
                text.removeprefix(_TRACEPOINT_PREFIX) for text in found if self.find(Kind.TYPEDEF, text)
            )
        return self._tracepoints

    def strings(self, prefix: str) -> set[str]:
        """All names in it that begin so, of whatever kind."""
        start, strings = b"\0" + prefix.encode(), self._all_strings()
        found = set()
        position = strings.find(start)
        while position >= 0:
            end = strings.index(b"\0", position + 1)
            found.add(strings[position + 1 : end].decode("utf-8", "replace"))
            position = strings.find(start, end)
        return found


def _last_at_most(offsets: "memoryview | list[int]", position: int) -> int:
    """The index of the record that a byte of the type section lies in. Record 0, void, takes no bytes."""
    low, high = 1, len(offsets)
    while high - low > 1:
        middle = (low + high) // 2
        if offsets[middle] <= position:
            low = middle
        else:
            high = middle
    return low
