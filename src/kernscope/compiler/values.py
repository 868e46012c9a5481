"""Expressions: one method per kind of node, found by the table at the end.

`value` gives a scalar's SSA value, normalised to its type, or the address of the stored form of anything else.
"""

from collections.abc import Callable, Sequence

from kernscope.catalog.aggregations import AGGREGATIONS
from kernscope.catalog.base import LowerContext, StringSource
from kernscope.catalog.builtins import find_builtin
from kernscope.catalog.functions import FUNCTIONS
from kernscope.sema.model import Inlined
from kernscope.sema.model import Variable as VariableInfo
from kernscope.sema.rules import arithmetic, is_scalar
from kernscope.sema.type_space import TypeSpace
from kernscope.ssa import Cond, Op, Value
from kernscope.syntax.ast import (
    Binary,
    Block,
    BlockExpr,
    BoolLiteral,
    Call,
    Cast,
    Comptime,
    Expr,
    FieldAccess,
    Identifier,
    IfExpr,
    Index,
    IntLiteral,
    MapRef,
    Offsetof,
    ParamCount,
    PositionalParam,
    RecordExpr,
    Sizeof,
    StringLiteral,
    Ternary,
    TupleAccess,
    TupleExpr,
    TypeInfo,
    Unary,
    Update,
    Variable,
)
from kernscope.types import (
    Aggregate,
    Array,
    Bool,
    Integer,
    Pointer,
    String,
    Struct,
    Symbolic,
    Tuple,
    Type,
)

from .event import EventAccess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kernscope.kernel.interface import KernelFacts

    from .storage import Storage

__all__ = ["Values"]

_COMPARE = {
    "==": (Cond.EQ, Cond.EQ),
    "!=": (Cond.NE, Cond.NE),
    "<": (Cond.SLT, Cond.ULT),
    "<=": (Cond.SLE, Cond.ULE),
    ">": (Cond.SGT, Cond.UGT),
    ">=": (Cond.SGE, Cond.UGE),
}


class Values(EventAccess):
    """Emits expressions of one clause at a time."""

    def __init__(
        self,
        kernel: "KernelFacts",
        storage: "Storage",
        scratch_map: str,
        parameters: Sequence[str],
        config: dict[str, int | str | bool],
        space: TypeSpace,
    ) -> None:
        super().__init__(kernel, storage, scratch_map)
        self.parameters, self.config = parameters, config
        self.space, self.enumerators = space, space.enumerators
        self.places: dict[VariableInfo, Callable[[], Value]] = {}
        """Variables kept in memory → their address in the current function."""
        self.restless: set[VariableInfo] = set()
        """Variables that blocks within expressions assign: what was read of them before must not change with them."""
        self.known_variables = {}

    @property
    def lowering(self) -> LowerContext:
        """This object as entries of the catalogue see it: complete only in the last class of the chain."""
        raise NotImplementedError

    # --- what entries of the catalogue ask -----------------------------------------------------------------

    def kept(self, node: Expr) -> object:
        return self.clause.kept.get(node)

    def type_of(self, expr: Expr) -> Type:
        return self.clause.types[expr]

    def member_offset(self, struct: str, path: str) -> int:
        return self.kernel.btf().struct_member(struct, path).byte_offset

    # --- the two ways to evaluate --------------------------------------------------------------------------

    def value(self, expr: Expr) -> Value:
        """A scalar's value, or the address of what is kept in memory."""
        self.b.at(expr.span)
        constant = self.constant(expr)
        if constant is not None and not isinstance(self.clause.types.get(expr), String):
            return self.b.const(constant)
        return _EXPRESSIONS[type(expr)](self, expr)

    def into(self, expr: Expr, destination: Value, t: Type) -> None:
        """Evaluate into memory, in the stored form of type `t`, which may be wider than the expression's own."""
        have = self.type_of(expr)
        if isinstance(expr, TupleExpr) and isinstance(t, Tuple):
            for element, wanted, offset in zip(expr.elements, t.elements, t.offsets):
                self.into(element, self.b.ptr_add(destination, offset), wanted)
        elif isinstance(expr, RecordExpr) and isinstance(t, Tuple):
            for field, wanted, offset in zip(expr.fields, t.elements, t.offsets):
                self.into(field.value, self.b.ptr_add(destination, offset), wanted)
        elif isinstance(expr, StringLiteral):
            content = expr.value.encode("utf-8", "surrogateescape")
            self.store_bytes(destination, content + bytes(t.size - len(content)))
        elif self._written_in_place(expr, destination, t):
            return
        elif is_scalar(t):
            self.b.store(t.size, destination, self.number(expr))
        else:
            self.convert(self.value(expr), have, destination, t)

    def builtin_into(self, node: Identifier, destination: Value, t: Type) -> bool:
        """Let a built-in that is kept in memory write itself to where it is wanted."""
        entry = find_builtin(node.name)
        self.b.at(node.span)
        return entry is not None and entry.lower_into(self.lowering, destination, t.size)

    def _written_in_place(self, expr: Expr, destination: Value, t: Type) -> bool:
        """Whether an expression could be made to write straight to where it is wanted."""
        if isinstance(expr, Identifier):
            return self.builtin_into(expr, destination, t)
        return isinstance(expr, Call) and isinstance(t, String) and self._string_into(expr, destination, t)

    def string_source(self, expr: Expr) -> StringSource | None:
        """Where the string that an expression only copies can be read from."""
        entry = FUNCTIONS.get(expr.name) if isinstance(expr, Call) else None
        return entry.string_source(self.lowering, expr) if entry is not None else None  # type: ignore[arg-type]

    def _string_into(self, call: Call, destination: Value, t: Type) -> bool:
        entry = FUNCTIONS.get(call.name)
        source = entry.string_source(self.lowering, call) if entry is not None else None
        if source is None:
            return False
        self.clear(destination, t.size)
        # Strings are read byte by byte, to find their end.
        read = self.read_bytes if source.exact else self.read_string
        read(source.address, source.space, destination, source.size)
        return True

    def convert(self, source: Value, have: Type, destination: Value, t: Type) -> None:
        """Copy a stored value of type `have` into memory as type `t`."""
        b = self.b
        if isinstance(have, Tuple) and isinstance(t, Tuple):
            for a, x, z, y in zip(have.elements, have.offsets, t.elements, t.offsets):
                self.convert(b.ptr_add(source, x), a, b.ptr_add(destination, y), z)
        elif is_scalar(have):
            b.store(t.size, destination, self.load(source, have))
        else:
            self.copy(destination, source, min(have.size, t.size))
            if t.size > have.size:
                # `have.size` need not be a multiple of 8, so the rest is cleared in single bytes up to one
                start = have.size
                while start % 8 and start < t.size:
                    b.store(1, destination, 0, start)
                    start += 1
                self.clear(b.ptr_add(destination, start), t.size - start)

    def number(self, expr: Expr) -> Value:
        """The value of a scalar expression; of an aggregation, its number."""
        return self.value(expr)

    def truth(self, expr: Expr) -> Value:
        """A value that is not 0 where the expression is true."""
        return self.value(expr)

    # --- leaves --------------------------------------------------------------------------------------------

    def _string(self, node: StringLiteral) -> Value:
        return self.constant_bytes(node.value.encode("utf-8", "surrogateescape"))

    def _parameter(self, node: PositionalParam) -> Value:
        text = self.parameters[node.index - 1]
        return self.constant_bytes(text.encode("utf-8", "surrogateescape"))

    def _identifier(self, node: Identifier) -> Value:
        entry = find_builtin(node.name)
        if entry is None:  # `args`: a record of them
            return self._record(self._all_args(node))
        return entry.lower(self.lowering, node)

    def _all_args(self, node: Identifier) -> RecordExpr:
        record = self.clause.kept[node]
        assert isinstance(record, RecordExpr)
        return record

    def _variable(self, node: Variable) -> Value:
        variable = self.clause.variables[node]
        place = self.places.get(variable)
        if place is None:
            return self.b.read_var(variable)
        if variable.type is not None and is_scalar(variable.type):
            return self.load(place(), variable.type)
        if variable not in self.restless or variable.type is None:
            return place()
        copy = self.place(variable.type)
        self.copy(copy, place(), variable.type.size)
        return copy

    def _map(self, node: MapRef) -> Value:
        t = self.clause.types.get(node)
        numberless = (
            isinstance(t, Aggregate) and not AGGREGATIONS[t.kind].scalar
        )  # has no number: a statement alone
        if numberless or node.name not in self.storage.maps:
            for key in node.keys or ():
                self.value(key)
            return self.b.const(0)  # nothing is ever assigned to it, or nothing reads it
        return self.map_read(node)

    def map_read(self, node: MapRef, key: Value | None = None) -> Value:
        raise NotImplementedError

    # --- operators -----------------------------------------------------------------------------------------

    def _unary(self, node: Unary) -> Value:
        b = self.b
        if node.op in "*&":
            return self._follow(node) if node.op == "*" else self._address(node)
        if node.op == "!":
            return b.logical_not(self.truth(node.operand))
        operand = self.number(node.operand)
        return b.neg(operand) if node.op == "-" else b.not_(operand)

    def _binary(self, node: Binary) -> Value:
        if node.op in ("&&", "||"):
            return self._logical(node)
        if node.op in _COMPARE:
            return self._comparison(node)
        text = self.constant_string(node)
        if text is not None:
            return self.constant_bytes(text.encode("utf-8", "surrogateescape"))
        return self.arithmetic(node.op, node.left, node.right, node)

    def _logical(self, node: Binary) -> Value:
        b = self.b
        result = object()
        more, done = b.block("more"), b.block("done")
        b.write_var(result, int(node.op == "||"))
        left = self.truth(node.left)
        b.write_var(result, int(node.op == "||"))
        if node.op == "&&":
            b.branch(left, more, done)
        else:
            b.branch(left, done, more)
        b.seal(more)
        b.position(more)
        right = self.truth(node.right)
        b.write_var(result, b.cmp(Cond.NE, right, 0))
        b.jump(done)
        b.seal(done)
        b.position(done)
        return b.read_var(result)

    def _types(self, left: Expr, right: Expr) -> Integer:
        a, c = (
            t.number if isinstance(t, Aggregate) else t for t in (self.type_of(left), self.type_of(right))
        )
        return arithmetic(a, c, self.constant(left), self.constant(right))

    def _comparison(self, node: Binary) -> Value:
        b = self.b
        a, c = self.type_of(node.left), self.type_of(node.right)
        signed, unsigned = _COMPARE[node.op]
        kept = self.kept(node)
        if isinstance(kept, str):  # `probe == "…"`
            probe = node.left if isinstance(a, Symbolic) else node.right
            return b.cmp(signed, self.value(probe), self.probe_numbers.get(kept, (1 << 63) - 1))
        if isinstance(a, String) and isinstance(c, String):
            equal = self._equal_strings(node.left, a, node.right, c)
        elif isinstance(a, Tuple) and isinstance(c, Tuple):
            equal = self._equal_tuples(self.value(node.left), a, self.value(node.right), c)
        elif isinstance(a, Array | Struct) or (isinstance(a, Symbolic) and a.words > 1):
            equal = self.equal_bytes(self.value(node.left), self.value(node.right), a.size)
        else:
            left, right = self.number(node.left), self.number(node.right)
            return b.cmp(signed if self._types(node.left, node.right).signed else unsigned, left, right)
        return equal if node.op == "==" else b.logical_not(equal)

    def _equal_strings(self, left: Expr, a: String, right: Expr, c: String) -> Value:
        """Strings are zero behind their NUL, so comparing the shorter one's buffer decides."""
        for text, other, size in ((left, right, c.size), (right, left, a.size)):
            constant = self.constant_string(text)
            if constant is not None and isinstance(text, StringLiteral):
                content = constant.encode("utf-8", "surrogateescape").split(b"\0", 1)[0] + b"\0"
                if len(content) == size + 1:
                    content = content[:-1]  # fills an array of characters, which then has no NUL
                if len(content) > size:
                    self.value(other)
                    return self.b.const(0)
                if len(content) <= 128:
                    return self.equal_constant(self.value(other), content)
        return self.equal_bytes(self.value(left), self.value(right), min(a.size, c.size))

    def _equal_tuples(self, left: Value, a: Tuple, right: Value, c: Tuple) -> Value:
        b = self.b
        result: Value = b.const(1)
        for t, x, u, y in zip(a.elements, a.offsets, c.elements, c.offsets):
            p, q = b.ptr_add(left, x), b.ptr_add(right, y)
            if isinstance(t, Tuple) and isinstance(u, Tuple):
                same = self._equal_tuples(p, t, q, u)
            elif is_scalar(t):
                same = b.cmp(Cond.EQ, self.load(p, t), self.load(q, u))
            else:
                same = self.equal_bytes(p, q, min(t.size, u.size))
            result = b.and_(result, same)
        return result

    def arithmetic(self, op: str, left: Expr, right: Expr, node: Expr) -> Value:
        """`left op right` on numbers, as 64 bits."""
        t = self.type_of(left)
        if isinstance(t, Pointer) and op in ("+", "-"):
            x, y = self.value(left), self.number(right)
            scaled = self.b.mul(y, self.step(t))
            return self.b.add(x, scaled) if op == "+" else self.b.sub(x, scaled)
        other = self.type_of(right)
        if isinstance(other, Pointer) and op == "+":
            x, y = self.number(left), self.value(right)
            return self.b.add(self.b.mul(x, self.step(other)), y)
        x, y = self.number(left), self.number(right)
        shifted = t.number if isinstance(t, Aggregate) else t
        return self.operate(op, x, y, self._types(left, right), shifted, node)

    def step(self, t: Type | None) -> int:
        """How far adding 1 moves: a pointer by the size of what it leads to."""
        return max(1, self.space.size_of(t.target)) if isinstance(t, Pointer) else 1

    def operate(self, op: str, x: Value, y: Value, meet: Integer, left: Type, node: object) -> Value:
        """The code of one arithmetic operator."""
        b = self.b
        match op:
            case "+":
                return b.add(x, y)
            case "-":
                return b.sub(x, y)
            case "*":
                return b.mul(x, y)
            case "&":
                return b.and_(x, y)
            case "|":
                return b.or_(x, y)
            case "^":
                return b.xor(x, y)
            case "<<":
                return b.shl(x, y)
            case ">>":
                signed = isinstance(left, Integer) and left.signed and meet.signed
                return b.ashr(x, y) if signed else b.lshr(x, y)
            case _:
                return self._divide(op, x, y, meet.signed, node)

    def _divide(self, op: str, x: Value, y: Value, signed: bool, node: object) -> Value:
        """Division; by zero it gives 1, as in bpftrace, and is reported."""
        b = self.b
        quotient = (b.sdiv if signed else b.udiv) if op == "/" else (b.smod if signed else b.umod)
        if y.op == Op.CONST and y.imm != 0:
            return quotient(x, y)
        result = object()
        divide, zero, done = b.block("divide"), b.block("zero", likely=False), b.block("divided")
        b.branch_cmp(Cond.NE, y, 0, divide, zero)
        b.seal(divide)
        b.position(divide)
        b.write_var(result, quotient(x, y))
        b.jump(done)
        b.seal(zero)
        b.position(zero)
        self.run_time_error("division by zero; 1 is used as the result", node)
        b.write_var(result, 1)
        b.jump(done)
        b.seal(done)
        b.position(done)
        return b.read_var(result)

    def run_time_error(self, text: str, node: object) -> None:
        raise NotImplementedError

    def _update(self, node: Update) -> Value:
        b = self.b
        delta = 1 if node.op == "++" else -1
        if isinstance(node.target, MapRef):
            return self.map_add(node.target, b.const(delta), want_old=not node.prefix)
        assert isinstance(node.target, Variable)
        variable = self.clause.variables[node.target]
        old = self._variable(node.target)
        new = self.narrow(b.add(old, delta * self.step(variable.type)), variable.type)
        self.write_variable(variable, new)
        return new if node.prefix else old

    def write_variable(self, variable: VariableInfo, value: Value) -> None:
        """Assign a scalar."""
        place = self.places.get(variable)
        if place is None or variable.type is None:
            self.b.write_var(variable, value)
        else:
            self.b.store(variable.type.size, place(), value)

    def variable_address(self, node: Variable) -> Value:
        return self.places[self.clause.variables[node]]()

    def map_add(self, node: MapRef, amount: Value, *, want_old: bool) -> Value:
        raise NotImplementedError

    def narrow(self, value: Value, t: Type | None) -> Value:
        """A result as the type of the place that it goes to."""
        if isinstance(t, Integer) and t.bits < 64:
            return self.b.ext(value, t.bits, t.signed)
        if isinstance(t, Bool):
            return self.b.cmp(Cond.NE, value, 0)
        return value

    def _choose(self, node: Expr, cond: Value, sides: tuple[Callable[[], None], Callable[[], None]]) -> None:
        b = self.b
        then, orelse, done = b.block("then"), b.block("else"), b.block("chosen")
        b.branch(cond, then, orelse)
        for block, side in zip((then, orelse), sides):
            b.seal(block)
            b.position(block)
            side()
            b.jump(done)
        b.seal(done)
        b.position(done)

    def _ternary(self, node: Ternary) -> Value:
        cond = self.truth(node.cond)
        return self._pick(
            node, cond, node.then if node.then is not None else node.cond, node.orelse, self.value, self.into
        )

    def _if_expr(self, node: IfExpr) -> Value:
        chosen = self.clause.kept.get(node)
        if chosen is not None:
            return self.block_value(node.then if chosen else node.orelse)
        cond = self.truth(node.cond)
        return self._pick(node, cond, node.then, node.orelse, self.block_value, self.block_into)

    def _pick(
        self,
        node: Expr,
        cond: Value,
        then: "Any",
        orelse: "Any",
        value: "Callable[[Any], Value]",
        into: "Callable[[Any, Value, Type], None]",
    ) -> Value:
        """The value of one of two sides: by a variable for scalars, else written into one place by either."""
        t = self.type_of(node)
        if is_scalar(t):
            result = object()
            self._choose(
                node,
                cond,
                (
                    lambda: self.b.write_var(result, value(then)),
                    lambda: self.b.write_var(result, value(orelse)),
                ),
            )
            return self.b.read_var(result)
        if t.size == 0:
            self._choose(node, cond, (lambda: self._ignore(value(then)), lambda: self._ignore(value(orelse))))
            return self.b.const(0)
        place = self.place(t)
        self._choose(node, cond, (lambda: into(then, place, t), lambda: into(orelse, place, t)))
        return place

    @staticmethod
    def _ignore(value: object) -> None:
        """For sides without a value, of which only the effects are wanted."""

    def block_value(self, block: Block) -> Value:
        raise NotImplementedError

    def block_into(self, block: Block, destination: Value, t: Type) -> None:
        raise NotImplementedError

    def _block_expr(self, node: BlockExpr) -> Value:
        return self.block_value(node.block)

    def _inlined(self, node: Inlined) -> Value:
        return self.inlined_value(node)

    def inlined_value(self, node: Inlined) -> Value:
        raise NotImplementedError

    # --- parts -------------------------------------------------------------------------------------------

    def _tuple(self, node: TupleExpr) -> Value:
        t = self.type_of(node)
        place = self.place(t)
        self.clear(place, t.size)  # the gaps between elements must be zero where the tuple becomes a key
        self.into(node, place, t)
        return place

    def _sizeof(self, node: Sizeof) -> Value:
        size = self.kept(node)
        assert isinstance(size, int)
        return self.b.const(size)

    def _call(self, node: Call) -> Value:
        entry = FUNCTIONS.get(node.name)
        if entry is None or (entry.arity[0] > 0 and not node.args):
            builtin = find_builtin(node.name)
            assert builtin is not None
            return builtin.lower(self.lowering, node)
        result = entry.lower(self.lowering, node)
        return self.b.const(0) if result is None else result


_EXPRESSIONS: "dict[type, Callable[[Any, Any], Value]]" = {
    IntLiteral: lambda self, node: self.b.const(node.value),
    BoolLiteral: lambda self, node: self.b.const(int(node.value)),
    StringLiteral: Values._string,
    PositionalParam: Values._parameter,
    ParamCount: lambda self, node: self.b.const(len(self.parameters)),
    Identifier: Values._identifier,
    Variable: Values._variable,
    MapRef: Values._map,
    Unary: Values._unary,
    Binary: Values._binary,
    Update: Values._update,
    Ternary: Values._ternary,
    IfExpr: Values._if_expr,
    BlockExpr: Values._block_expr,
    Inlined: Values._inlined,
    Cast: Values._cast,
    FieldAccess: Values._field,
    TupleAccess: Values._tuple_access,
    Index: Values._index,
    TupleExpr: Values._tuple,
    Sizeof: Values._sizeof,
    Offsetof: Values._offsetof,
    TypeInfo: Values._typeinfo,
    RecordExpr: Values._record,
    Comptime: lambda self, node: self.value(node.operand),
    Call: Values._call,
}
