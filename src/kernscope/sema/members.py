"""Types of what is inside other values: members, elements, and what pointers lead to."""

from kernscope.diagnostics import error, suggest
from kernscope.syntax.ast import (
    Expr,
    FieldAccess,
    Identifier,
    Index,
    MapRef,
    RecordExpr,
    RecordField,
    TupleAccess,
    Unary,
    Variable,
)
from kernscope.types import (
    INT8,
    NONE,
    Aggregate,
    Array,
    Integer,
    NamedTuple,
    Pointer,
    String,
    Struct,
    StructField,
    Tuple,
    Type,
)

from .casts import Casts

__all__ = ["Members"]


class Members(Casts):
    """Infers the types of members and elements."""

    # --- members -------------------------------------------------------------------------------------------

    def _field(self, node: FieldAccess) -> Type | None:
        base = node.base
        if isinstance(base, Identifier) and base.name == "args":
            return self._args_field(node, base)
        t = self.type_of(base)
        if t is None:
            return None
        if isinstance(t, NamedTuple):
            return self._record_field(node, t)
        holder = t.target if isinstance(t, Pointer) else t
        if not isinstance(holder, Struct):
            help = None
            if isinstance(t, Integer):
                help = f"say what it points to: `((struct … *){base.span.text}).{node.name}`"
            self.report(error("type-mismatch", f"`{t}` has no members", base.span, help=help))
            return None
        field = self._struct_field(holder, node)
        if field is None:
            return None
        self.keep(node, field)
        found = self._from_space(field.type, t)
        if isinstance(found, Array) and not found.count and self._place_space(node) is not None:
            # an array that ends a struct, with any number of elements: as in C, the address of the first
            space = t.space if isinstance(t, Pointer) else self._place_space(node)
            return Pointer(found.element, space or "kernel")
        return found

    def _args_field(self, node: FieldAccess, base: Identifier) -> Type | None:
        args = self.args
        if args is None:
            self._no_args(base)
            return None
        field = args.fields.get(node.name)
        if field is not None:
            return field.type
        self._unknown_field(node, args)
        return None

    def all_args(self, node: Identifier) -> Type | None:
        """`args` as a value: a record of all its members, left for lowering."""
        record = self.clause.kept.get(node)
        if not isinstance(record, RecordExpr):
            if self.args is None or not self.args.fields:
                self._no_args(node)
                return None
            base, span = Identifier("args", node.span), node.span
            record = RecordExpr(
                [RecordField(name, FieldAccess(base, name, False, span), span) for name in self.args.fields],
                span,
            )
            self.keep(node, record)
        return self.type_of(record)

    def _no_args(self, node: Identifier) -> None:
        target = self.clause.targets[0]
        why = target.kind.without_args
        self.report(error("not-available-here", f"`{target.name}` has no `args`", node.span, notes=why or ()))

    def _record_field(self, node: FieldAccess, t: NamedTuple) -> Type | None:
        if node.name in t.names:
            index = t.names.index(node.name)
            self.keep(node, index)
            return t.elements[index]
        near = suggest(node.name, t.names)
        self.report(
            error(
                "unknown-field",
                f"the record has no field `{node.name}`",
                node.name_span,
                notes=f"its fields are: {', '.join(f'`{name}`' for name in t.names)}",
                help=f"did you mean `{near}`?" if near else None,
            )
        )
        return None

    def completed(self, holder: Struct, node: Expr) -> Struct | None:
        """The struct with its members; None after reporting that nobody describes it."""
        found = self.space.completed(holder)
        if found is None:
            code = "unknown-type" if self.kernel.has_feature("btf") else "no-kernel-types"
            self.report(error(code, f"nothing says what is in `{holder}`", node.span))
        return found

    def _struct_field(self, holder: Struct, node: FieldAccess) -> StructField | None:
        struct = self.completed(holder, node)
        if struct is None:
            return None
        field = struct.member(node.name)
        if field is None:
            near = suggest(node.name, struct.fields)
            names = list(struct.fields)
            shown = ", ".join(f"`{f.name}` ({f.type_text})" for f in list(struct.fields.values())[:20])
            more = f" and {len(names) - 20} more" if len(names) > 20 else ""
            self.report(
                error(
                    "unknown-field",
                    f"`{struct}` has no member `{node.name}`",
                    node.name_span,
                    label="not one of its members",
                    notes=f"its members are: {shown}{more}" if names else "it has no members",
                    help=f"did you mean `{near}`?" if near else None,
                )
            )
        return field

    def _from_space(self, t: Type, holder: Type) -> Type:
        """A pointer that was read through a user pointer, or out of what was, is one itself."""
        if not isinstance(holder, Pointer | Struct) or holder.space != "user":
            return t
        if isinstance(t, Pointer):
            return Pointer(t.target, "user")
        if isinstance(t, Struct):
            return t.in_space("user")
        if isinstance(t, Array) and isinstance(t.element, Pointer | Struct):
            return Array(self._from_space(t.element, holder), t.count)
        return t

    def _unknown_field(self, node: FieldAccess, args: Struct) -> None:
        target = self.clause.targets[0]
        name = target.name
        near = suggest(node.name, args.fields)
        absent = target.kind.absent_arg(self.kernel, target, node.name)
        fields = ", ".join(f"`{f.name}` ({f.type_text})" for f in args.fields.values())
        if "sys_exit" in name and "ret" in args.fields:
            enter = name.replace("sys_exit", "sys_enter")
            help: str | None = (
                f"the result of the system call is `args.ret`; its arguments are seen by `{enter}`"
            )
        else:
            help = f"did you mean `args.{near}`?" if near else None
        self.report(
            error(
                "unknown-field",
                f"`{name}` has no field `{node.name}`",
                node.name_span,
                label="it cannot be read" if absent else "not one of its fields",
                notes=absent or (f"its fields are: {fields}" if fields else "it has no fields"),
                help=help,
            )
        )

    # --- elements ------------------------------------------------------------------------------------------

    def _tuple_access(self, node: TupleAccess) -> Type | None:
        t = self.type_of(node.base)
        return None if t is None else self._element(node, t, node.index)

    def _element(self, node: Expr, t: Type, index: int) -> Type | None:
        """The type of one element of a tuple."""
        if isinstance(t, NamedTuple) or not isinstance(t, Tuple):
            help = f"name the field: `.{t.names[0]}`" if isinstance(t, NamedTuple) and t.names else None
            self.report(
                error("type-mismatch", f"`.{index}` wants a tuple, this is `{t}`", node.span, help=help)
            )
            return None
        if not 0 <= index < len(t.elements):
            self.report(
                error(
                    "no-such-element",
                    f"this tuple has {len(t.elements)} elements, the first is `.0`",
                    node.span,
                )
            )
            return None
        return t.elements[index]

    def _index(self, node: Index) -> Type | None:
        t = self.type_of(node.base)
        self.number(node.index)
        if t is None:
            return None
        constant = self.constant(node.index)
        if isinstance(t, Tuple):
            if constant is None:
                self.report(
                    error(
                        "constant-needed",
                        "the elements of a tuple differ: its index must be known",
                        node.index.span,
                    )
                )
                return None
            return self._element(node, t, constant)
        if isinstance(t, Pointer):
            return self._target(t, node)
        if isinstance(t, Array | String):
            count = t.count if isinstance(t, Array) else t.size
            # an array that ends a struct may have any number of elements
            if constant is not None and not 0 <= constant < count and not (count == 0 and constant >= 0):
                self.report(
                    error("no-such-element", f"the array has {count} elements, the first is `[0]`", node.span)
                )
                return None
            return t.element if isinstance(t, Array) else INT8
        self.report(error("type-mismatch", f"`{t}` has no elements", node.base.span))
        return None

    def _target(self, t: Pointer, node: Expr) -> Type | None:
        """What a pointer leads to, as a value."""
        target = t.target
        if t.space == "packet":
            self.packet_header(node)
            return None
        if target == NONE:
            self.report(
                error(
                    "type-mismatch",
                    "a `void *` does not say what it leads to",
                    node.span,
                    help="cast it first, for instance `(uint64 *)…`",
                )
            )
            return None
        if isinstance(target, Struct):
            struct = self.completed(target, node)
            return None if struct is None else self._from_space(struct, t)
        return self._from_space(target, t)

    def _dereference(self, node: Unary) -> Type | None:
        t = self.type_of(node.operand)
        if t is None:
            return None
        if isinstance(t, Pointer):
            return self._target(t, node)
        if isinstance(t, Integer):  # as bpftrace has it: of a number of n bits, the n bits that lie there
            self.keep(node, self._number_space(node.operand))
            return t
        self.report(error("type-mismatch", f"`*` follows a pointer, this is `{t}`", node.operand.span))
        return None

    def _address(self, node: Unary) -> Type | None:
        """`&` of a variable, of a map, or of what lies behind a pointer."""
        operand = node.operand
        if isinstance(operand, MapRef) and operand.keys is None:
            value = self.use_map(operand, "address").value
            if value is None:
                return None
            return Pointer(NONE if isinstance(value, Aggregate) else value, "kernel")
        t = self.type_of(operand)
        if t is None:
            return None
        if isinstance(operand, Variable):
            self.clause.variables[operand].addressed = True
            return Pointer(t, "kernel")
        space = self._place_space(operand)
        if space == "packet":
            self.packet_header(node)
            return None
        if space is not None:
            return Pointer(t, space)
        self.report(
            error(
                "type-mismatch",
                "only variables, maps and what lies behind a pointer have an address",
                operand.span,
                help="copy it into a variable first: `$copy = …; &$copy`",
            )
        )
        return None

    def _place_space(self, expr: Expr) -> str | None:
        """The address space that an expression designates a place in; None where it is a mere value."""
        if isinstance(expr, Unary) and expr.op == "*":
            t = self.clause.types.get(expr.operand)
            return t.space if isinstance(t, Pointer) else None
        if isinstance(expr, FieldAccess | Index):
            if isinstance(expr, FieldAccess) and isinstance(self.clause.kept.get(expr), StructField):
                kept = self.clause.kept[expr]
                if isinstance(kept, StructField) and kept.bits:
                    return None
            t = self.clause.types.get(expr.base)
            return t.space if isinstance(t, Pointer) else self._place_space(expr.base)
        return None

    # --- making values -------------------------------------------------------------------------------------

    def _record(self, node: RecordExpr) -> Type | None:
        types: list[Type] = []
        seen: set[str] = set()
        for field in node.fields:
            t = self.type_of(field.value)
            if isinstance(t, Aggregate):
                t = self.aggregate_number(t, field.value)
            if t == NONE:
                self.report(error("type-mismatch", "there is no value here", field.value.span))
                t = None
            if field.name in seen:
                self.report(
                    error("variable-declared-twice", f"the record has two fields `{field.name}`", field.span)
                )
            seen.add(field.name)
            if t is not None:
                types.append(t)
        if len(types) != len(node.fields):
            return None
        return NamedTuple(tuple(field.name for field in node.fields), tuple(types))
