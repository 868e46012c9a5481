"""Reading what lies inside other values and behind pointers: members, elements, bit-fields, casts of arrays.

A chain such as `task->mm->exe_file->f_path.dentry` becomes one read per pointer: embedded structs and arrays only
add to the offset of the place that is read.
"""

from kernscope.probes.base import KnownPointer
from kernscope.sema import Clause
from kernscope.sema.constants import ConstantReader
from kernscope.sema.model import Variable as VariableInfo
from kernscope.sema.rules import is_scalar
from kernscope.sema.type_space import TypeSpace
from kernscope.ssa import Block, Cond, Function, Value
from kernscope.syntax.ast import (
    Cast,
    Expr,
    FieldAccess,
    Identifier,
    Index,
    MapRef,
    Offsetof,
    RecordExpr,
    TupleAccess,
    TypeInfo,
    Unary,
    Variable,
)
from kernscope.types import (
    Array,
    Bool,
    Integer,
    Pointer,
    String,
    Struct,
    StructField,
    Tuple,
    Type,
)

from .memory import Memory

__all__ = ["Access", "Place"]


class Place:
    """Where a value lies: `address` plus `offset` bytes, in the program's `own` memory, or behind a pointer into the
    `kernel` or `user` space. `aligned`: whether the address alone is known to be a multiple of 8.
    """

    __slots__ = ("address", "aligned", "offset", "space")

    def __init__(self, address: Value, offset: int, space: str, aligned: bool = True) -> None:
        self.address, self.offset, self.space, self.aligned = address, offset, space, aligned

    def moved(self, offset: int) -> "Place":
        """The place some bytes further on."""
        return Place(self.address, self.offset + offset, self.space, self.aligned)


class Access(Memory, ConstantReader):
    """Emits the reading of parts of values."""

    clause: Clause
    context: Value
    space: TypeSpace
    config: dict[str, int | str | bool]
    known_variables: "dict[VariableInfo, tuple[Function, KnownPointer]]"
    """Variables that hold pointers which the verifier knows, and the function in which it does."""

    def value(self, expr: Expr) -> Value:
        raise NotImplementedError

    def type_of(self, expr: Expr) -> Type:
        raise NotImplementedError

    def into(self, expr: Expr, destination: Value, t: Type) -> None:
        raise NotImplementedError

    def number(self, expr: Expr) -> Value:
        raise NotImplementedError

    def narrow(self, value: Value, t: Type | None) -> Value:
        raise NotImplementedError

    def load_arg(self, name: str) -> Value:
        raise NotImplementedError

    def known_argument(self, name: str) -> KnownPointer | None:
        raise NotImplementedError

    def header_place(self, t: Type) -> Value:
        """The address of the program's own copy of a packet's header."""
        raise NotImplementedError

    def run_time_error(self, text: str, node: object) -> None:
        raise NotImplementedError

    def load(self, address: Value, t: Type, offset: int = 0) -> Value:
        """A stored scalar."""
        return self.b.load(t.size, address, offset, signed=isinstance(t, Integer) and t.signed)

    # --- places --------------------------------------------------------------------------------------------

    def locate(self, expr: Expr) -> Place:
        """Where the value of an expression lies; what lies nowhere is put into the program's own memory."""
        if isinstance(expr, FieldAccess) and not _is_args(expr):
            field, base = self.clause.kept[expr], self.type_of(expr.base)
            if isinstance(field, StructField):
                if isinstance(base, Pointer):
                    if base.space == "packet":
                        return Place(self.header_place(base.target), field.offset, "own")
                    return Place(self.value(expr.base), field.offset, _space(base))
                return self.locate(expr.base).moved(field.offset)
        if isinstance(expr, Unary) and expr.op == "*":
            space = self.clause.kept.get(expr)  # of a number
            space = space if isinstance(space, str) else _space(self.type_of(expr.operand))
            return Place(self.value(expr.operand), 0, space)
        if isinstance(expr, Index):
            base = self.type_of(expr.base)
            if isinstance(base, Pointer):
                return self._pointed_element(expr, base)
            if isinstance(base, Array | String):
                return self._element(expr, base)
        return Place(self.value(expr), 0, "own")

    def _pointed_element(self, node: Index, t: Pointer) -> Place:
        b = self.b
        size = max(1, self.space.size_of(t.target))
        base, constant = self.value(node.base), self.constant(node.index)
        if constant is not None:
            return Place(base, constant * size, _space(t))
        return Place(b.add(base, b.mul(self.number(node.index), size)), 0, _space(t))

    def _element(self, node: Index, t: Array | String) -> Place:
        """An element of an array. An index outside, which is reported, leads nowhere behind a pointer, so that reading
        gives 0, and to the first element in our own memory.
        """
        b = self.b
        place = self._array_place(node.base, t)
        size = t.element.size if isinstance(t, Array) else 1
        constant = self.constant(node.index)
        if constant is not None:
            return place.moved(constant * size)
        index = self.number(node.index)
        count = t.count if isinstance(t, Array) else t.size
        own = place.space == "own"
        if not count:
            address = (b.ptr_add if own else b.add)(place.address, b.mul(index, size))
            return Place(address, place.offset, place.space)
        chosen = object()
        inside, outside, done = b.block("inside"), b.block("outside", likely=False), b.block("indexed")
        b.branch_cmp(Cond.ULT, index, count, inside, outside)
        b.seal(inside)
        b.position(inside)
        b.write_var(chosen, b.mul(index, size) if own else b.add(place.address, b.mul(index, size)))
        b.jump(done)
        b.seal(outside)
        b.position(outside)
        self._out_of_bounds(node, count)
        b.write_var(chosen, 0 if own else b.const(-place.offset))
        b.jump(done)
        b.seal(done)
        b.position(done)
        if own:
            address = b.ptr_add(place.address, b.read_var(chosen))
            return Place(address, place.offset, "own", size % 8 == 0)
        return Place(b.read_var(chosen), place.offset, place.space)

    def _array_place(self, base: Expr, t: Array | String) -> Place:
        """An array that is indexed; one in the program's context is copied, as its offsets must be constants."""
        if isinstance(base, FieldAccess) and _is_args(base):
            copy = self.place(t)
            self.copy(copy, self.value(base), t.size)
            return Place(copy, 0, "own")
        return self.locate(base)

    def raw_bytes(self, expr: Expr, destination: Value, size: int) -> None:
        """Copy the bytes of an array of characters, whatever they are; reading it as text would end at a NUL."""
        t = self.type_of(expr)
        assert isinstance(t, Array | String)
        place = self._array_place(expr, t)
        if place.space == "own":
            address = self.b.ptr_add(place.address, place.offset)
            for i in range(size):
                self.b.store(1, destination, self.b.load(1, address, i), i)
        else:
            self.read_bytes(self.b.add(place.address, place.offset), place.space, destination, size)

    def _out_of_bounds(self, node: Expr, count: int) -> None:
        self.run_time_error(f"array index out of bounds: the array has {count} elements", node)

    # --- reading -------------------------------------------------------------------------------------------

    def read(self, place: Place, t: Type) -> Value:
        """The value at a place: a scalar, or the address of the stored form."""
        if is_scalar(t):
            return self._read_scalar(place, t.size, isinstance(t, Integer) and t.signed)
        own = place.space == "own"
        if own and place.aligned and place.offset % 8 == 0 and not isinstance(t, String):
            return self.b.ptr_add(place.address, place.offset)
        # text may fill its array without a NUL, which the copy then has room to add
        room = t.size + isinstance(t, String)
        destination = self.place_bytes(room)
        self.read_into(place, t, destination, room)
        return destination

    def read_into(self, place: Place, t: Type, destination: Value, room: int) -> None:
        """Copy what is kept in memory from a place to `destination`, which has `room` bytes."""
        b = self.b
        own = place.space == "own"
        address = (b.ptr_add if own else b.add)(place.address, place.offset)
        if own and not isinstance(t, String):
            self.copy(destination, address, min(t.size, room), _alignment(place))
        elif isinstance(t, String):
            # also from our own memory: an array of a struct may hold anything behind its NUL
            self.clear(destination, room)
            space = "kernel" if own else place.space
            self.read_string(address, space, destination, min(t.size + 1, room))
        elif t.size:
            self.read_bytes(address, place.space, destination, t.size)

    def _read_scalar(self, place: Place, size: int, signed: bool) -> Value:
        b = self.b
        if place.space == "own":
            if place.offset % size or (size > 1 and not place.aligned and size == 8):
                return self._read_unaligned(place, size, signed)
            return b.load(size, place.address, place.offset, signed=signed)
        address = b.add(place.address, place.offset)
        if place.space == "kernel" and not self.config.get("warn_reads"):
            loaded = self.load_kernel(address, size, signed)
            if loaded is not None:
                return loaded
        slot = self.place_bytes(8)  # the helper clears it where it cannot read
        self.read_bytes(address, place.space, slot, size)
        return b.load(size, slot, 0, signed=signed)

    def _read_unaligned(self, place: Place, size: int, signed: bool) -> Value:
        """A number of a packed struct in our own memory: the verifier wants aligned loads there."""
        slot = self.place_bytes(8)
        self.b.store(8, slot, 0)
        for i in range(size):
            self.b.store(1, slot, self.b.load(1, place.address, place.offset + i), i)
        return self.b.load(size, slot, 0, signed=signed)

    def _read_swapped(self, place: Place, field: StructField) -> Value:
        """A number that is stored the most significant byte first, or some bits of it."""
        b = self.b
        number = b.byteswap(self._read_scalar(place, field.type.size, False), 8 * field.type.size)
        if field.bits is None:
            return number
        shift, width = field.bits
        return b.and_(b.lshr(number, shift), (1 << width) - 1)

    def _read_bits(self, place: Place, field: StructField) -> Value:
        """A bit-field: its storage unit, shifted up and down so that only its bits stay."""
        b, t = self.b, field.type
        assert field.bits is not None
        shift, width = field.bits
        if shift + width <= 8 * t.size and place.offset % t.size == 0:
            raw = self._read_scalar(place, t.size, False)
        else:
            raw, shift = self._packed_bits(place, shift, width)
        up = b.shl(raw, 64 - shift - width)
        signed = isinstance(t, Integer) and t.signed
        return b.ashr(up, 64 - width) if signed else b.lshr(up, 64 - width)

    def _packed_bits(self, place: Place, shift: int, width: int) -> tuple[Value, int]:
        """The bytes of a bit-field of a packed struct as one number, and how far up the field is in it."""
        b = self.b
        count = (shift + width + 7) // 8
        slot = self.place_bytes(16)
        self.clear(slot, 16)
        if place.space == "own":
            for i in range(count):
                b.store(1, slot, b.load(1, place.address, place.offset + i), i)
        else:
            self.read_bytes(b.add(place.address, place.offset), place.space, slot, count)
        low = b.load(8, slot)
        if count <= 8:
            return low, shift
        return b.or_(b.lshr(low, shift), b.shl(b.load(8, slot, 8), 64 - shift)), 0

    # --- expressions ---------------------------------------------------------------------------------------

    def _field(self, node: FieldAccess) -> Value:
        if _is_args(node):
            return self._args_field(node)
        kept = self.clause.kept[node]
        if isinstance(kept, int):
            return self._tuple_element(node.base, kept)
        assert isinstance(kept, StructField)
        loaded = self._load_known(node, kept)
        if loaded is not None:
            return loaded
        place = self.locate(node)
        if isinstance(kept.type, Array) and isinstance(self.type_of(node), Pointer):
            return self.b.add(place.address, place.offset)
        if kept.swapped:
            return self._read_swapped(place, kept)
        return self._read_bits(place, kept) if kept.bits is not None else self.read(place, self.type_of(node))

    # --- pointers that the verifier knows ------------------------------------------------------------------

    def _load_known(self, node: FieldAccess, field: StructField) -> Value | None:
        """A number or pointer at the end of a chain that begins with a pointer which the verifier knows: one load for
        each pointer of the chain, where a helper would be called. None where that cannot be.
        """
        t = self.type_of(node)
        if not is_scalar(t) or field.bits is not None or self.config.get("warn_reads"):
            return None
        found = self._known_place(node)
        outcome = found[0].btf.loaded(found[0].struct, found[1], t.size) if found is not None else None
        if found is None or outcome is None:
            return None
        pointer, offset = found
        if outcome:
            return self.b.opaque(self.b.load(8, pointer.value, offset, pointer_result=True))
        return self.b.load(t.size, pointer.value, offset, signed=isinstance(t, Integer) and t.signed)

    def _known_place(self, node: FieldAccess) -> tuple[KnownPointer, int] | None:
        """The pointer, and how many bytes behind it the member lies."""
        field, base = self.clause.kept.get(node), node.base
        if not isinstance(field, StructField):
            return None
        if isinstance(self.type_of(base), Pointer):
            pointer = self.known_pointer(base)
            return (pointer, field.offset) if pointer is not None else None
        outer = self._known_place(base) if isinstance(base, FieldAccess) and not _is_args(base) else None
        return (outer[0], outer[1] + field.offset) if outer is not None else None

    def known_pointer(self, node: Expr) -> KnownPointer | None:
        """The pointer that an expression is, if the verifier knows it. A cast changes what we take it for, and not what
        it is; a variable is one that is set once, where it is declared.
        """
        t = self.type_of(node)
        if not isinstance(t, Pointer) or t.space != "kernel" or self.config.get("warn_reads"):
            return None
        if isinstance(node, Cast):
            return self.known_pointer(node.operand)
        if isinstance(node, Variable):
            function, known = self.known_variables.get(self.clause.variables[node], (None, None))
            return known if function is self.state.function else None
        if not isinstance(node, FieldAccess):
            return None
        if _is_args(node):
            return self.known_argument(node.name)
        found = self._known_place(node)
        if found is None:
            return None
        pointer, offset = found
        struct = pointer.btf.loaded(pointer.struct, offset, 8)
        if not struct:
            return None
        value = self.b.load(8, pointer.value, offset, pointer_result=True)
        return KnownPointer(value, pointer.btf, struct)

    def known_place(self, node: Expr, null: Block) -> Value:
        """The address of a member, as a pointer of which the verifier knows what it leads to."""
        pointer, offset = self._tested_place(node, null)
        return self.b.ptr_add(pointer, offset)

    def _tested_place(self, node: Expr, null: Block) -> tuple[Value, int]:
        """A pointer, and how many bytes behind it a member lies. All pointers on the way are tested."""
        if isinstance(self.type_of(node), Pointer):
            return self._tested_pointer(node, null), 0
        assert isinstance(node, FieldAccess)
        field, base = self.clause.kept[node], node.base
        assert isinstance(field, StructField)
        pointer, offset = self._tested_place(base, null)
        return pointer, offset + field.offset

    def _tested_pointer(self, node: Expr, null: Block) -> Value:
        b = self.b
        if not isinstance(node, FieldAccess):
            return self.context
        if _is_args(node):
            known = self.known_argument(node.name)
            assert known is not None
            value = known.value
        else:
            field = self.clause.kept[node]
            assert isinstance(field, StructField)
            pointer, offset = self._tested_place(node.base, null)
            value = b.load(8, pointer, offset + field.offset, pointer_result=True)
        there = b.block("not_null")
        b.branch_cmp(Cond.NE, value, 0, there, null)
        b.seal(there)
        b.position(there)
        return value

    def _args_field(self, node: FieldAccess) -> Value:
        value, t = self.load_arg(node.name), self.type_of(node)
        args = self.clause.args
        assert args is not None
        offset = args.fields[node.name].offset
        if is_scalar(t) or offset % 8 == 0:
            return value
        copy = self.place(t)
        self.copy(copy, value, t.size, offset & -offset)
        return copy

    def _tuple_access(self, node: TupleAccess) -> Value:
        return self._tuple_element(node.base, node.index)

    def _tuple_element(self, base: Expr, index: int) -> Value:
        address, t = self.value(base), self.type_of(base)
        assert isinstance(t, Tuple)
        element, offset = t.elements[index], t.offsets[index]
        return self.load(address, element, offset) if is_scalar(element) else self.b.ptr_add(address, offset)

    def _index(self, node: Index) -> Value:
        b = self.b
        base, t = self.type_of(node.base), self.type_of(node)
        constant = self.constant(node.index)
        if isinstance(base, Tuple):
            assert constant is not None
            return self._tuple_element(node.base, constant)
        count = base.count if isinstance(base, Array) else base.size if isinstance(base, String) else 0
        if constant is not None or not count or not is_scalar(t):
            return self.read(self.locate(node), t)
        assert isinstance(base, Array | String)
        place, index = self._array_place(node.base, base), self.number(node.index)
        size = t.size
        result = object()
        inside, outside, done = b.block("inside"), b.block("outside", likely=False), b.block("indexed")
        b.branch_cmp(Cond.ULT, index, count, inside, outside)
        b.seal(inside)
        b.position(inside)
        distance = b.mul(index, size)
        own = place.space == "own"
        address = b.ptr_add(place.address, distance) if own else b.add(place.address, distance)
        b.write_var(result, self.read(Place(address, place.offset, place.space), t))
        b.jump(done)
        b.seal(outside)
        b.position(outside)
        self._out_of_bounds(node, count)
        b.write_var(result, 0)
        b.jump(done)
        b.seal(done)
        b.position(done)
        return b.read_var(result)

    def _follow(self, node: Unary) -> Value:
        """`*pointer`"""
        return self.read(self.locate(node), self.type_of(node))

    def _address(self, node: Unary) -> Value:
        """`&`; addresses of our own memory become numbers, which the verifier lets go anywhere."""
        operand = node.operand
        if isinstance(operand, MapRef):
            return self.b.opaque(self.map_address(operand))
        if isinstance(operand, Variable):
            return self.b.opaque(self.variable_address(operand))
        place = self.locate(operand)
        return self.b.add(place.address, place.offset)

    def map_address(self, node: MapRef) -> Value:
        raise NotImplementedError

    def variable_address(self, node: Variable) -> Value:
        raise NotImplementedError

    def _record(self, node: RecordExpr) -> Value:
        t = self.type_of(node)
        place = self.place(t)
        self.clear(place, t.size)
        self.into(node, place, t)
        return place

    def _offsetof(self, node: Offsetof) -> Value:
        offset = self.clause.kept[node]
        assert isinstance(offset, int)
        return self.b.const(offset)

    def _typeinfo(self, node: TypeInfo) -> Value:
        content, t = self.clause.kept[node], self.type_of(node)
        assert isinstance(content, tuple) and isinstance(t, Tuple)
        place = self.place(t)
        self.clear(place, t.size)
        for part, element, offset in zip(content, t.elements, t.offsets):
            if isinstance(part, str):
                self.store_bytes(place, part.encode().ljust(element.size, b"\0"), offset)
            else:
                self.b.store(element.size, place, part, offset)
        return place

    def _cast(self, node: Cast) -> Value:
        t, have = self.type_of(node), self.type_of(node.operand)
        if isinstance(t, Array) and isinstance(have, Integer | Bool):
            number = self.number(node.operand)
            if t.size in (1, 2, 4, 8):
                place = self.place(t)
                self.b.store(t.size, place, number)
            else:
                place = self.place_bytes(8)
                self.b.store(8, place, number)
            return place
        if isinstance(have, Array) and isinstance(t, Integer):
            return self.load(self.value(node.operand), t)
        if isinstance(t, String) and isinstance(have, String) and t.size != have.size:
            return self._resized(node.operand, have, t)
        if isinstance(t, Array | String | Struct):
            return self.value(node.operand)
        return self.narrow(self.number(node.operand), t)

    def _resized(self, operand: Expr, have: String, t: String) -> Value:
        """A string in a buffer of another size, cut if need be."""
        source, place = self.value(operand), self.place(t)
        self.clear(place, t.size)
        self.read_string(source, "kernel", place, min(have.size, t.size))
        return place


def _is_args(node: FieldAccess) -> bool:
    return isinstance(node.base, Identifier) and node.base.name == "args"


def _space(t: Type) -> str:
    return "user" if isinstance(t, Pointer) and t.space == "user" else "kernel"


def _alignment(place: Place) -> int:
    """What the address of a place in our own memory is surely a multiple of."""
    if not place.aligned:
        return 1
    return min(8, place.offset & -place.offset) if place.offset else 8
