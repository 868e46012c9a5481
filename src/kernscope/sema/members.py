"""Types of what is inside other values: members, elements, what pointers lead to, and questions about types."""

from kernscope.catalog.aggregations import AGGREGATIONS
from kernscope.catalog.builtins import find_builtin
from kernscope.catalog.functions import FUNCTIONS
from kernscope.diagnostics import error, suggest
from kernscope.syntax.ast import (
    Binary,
    Call,
    Cast,
    Expr,
    FieldAccess,
    Identifier,
    Index,
    MapRef,
    Offsetof,
    RecordExpr,
    Sizeof,
    TupleAccess,
    TypeExpr,
    TypeInfo,
    Unary,
    Variable,
)
from kernscope.types import (
    INT8,
    INT64,
    NONE,
    UINT64,
    Aggregate,
    Array,
    Bool,
    Enum,
    Integer,
    NamedTuple,
    Pointer,
    String,
    Struct,
    StructField,
    Tuple,
    Type,
)

from .operators import Operators

__all__ = ["Members"]

_TYPEINFO_NAMES = ("btf_id", "base_type", "full_type")


class Members(Operators):
    """Infers the types of members, elements and casts."""

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
            self.report(
                error("not-available-here", f"`{self.clause.targets[0].name}` has no `args`", base.span)
            )
            return None
        field = args.fields.get(node.name)
        if field is not None:
            return field.type
        self._unknown_field(node, args)
        return None

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
        name = self.clause.targets[0].name
        near = suggest(node.name, args.fields)
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
                label="not one of its fields",
                notes=f"its fields are: {fields}" if fields else "it has no fields",
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
        self.report(
            error(
                "type-mismatch",
                f"`*` follows a pointer, this is `{t}`",
                node.operand.span,
                help=f"cast it first: `*(uint64 *){node.operand.span.text}`"
                if isinstance(t, Integer)
                else None,
            )
        )
        return None

    def _address(self, node: Unary) -> Type | None:
        """`&` of what lies behind a pointer; variables and maps have no address that outlives the statement."""
        operand = node.operand
        t = self.type_of(operand)
        if t is None:
            return None
        space = self._place_space(operand)
        if space is not None:
            return Pointer(t, space)
        if isinstance(operand, Variable | MapRef):
            self.not_yet(node, "taking the address of a variable or a map")
        else:
            self.report(
                error("type-mismatch", "only what lies behind a pointer has an address", operand.span)
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

    # --- questions about types -----------------------------------------------------------------------------

    def type_argument(self, arg: Expr | TypeExpr) -> Type | None:
        """The type that `sizeof` and the like ask about: of an expression, or by name."""
        if isinstance(arg, TypeExpr):
            return self.resolve_type(arg)
        if isinstance(arg, Identifier):
            known = find_builtin(arg.name) is not None or self.space.enumerator(arg.name) is not None
            named = None if known and not self.space.is_type_name(arg.name) else self.space.named(arg.name)
            if named is not None:
                return named
        return self.type_of(arg)

    def _sizeof(self, node: Sizeof) -> Type | None:
        t = self.type_argument(node.arg)
        if isinstance(t, Struct):
            t = self.completed(t, node)
        if t is not None:
            self.keep(node, t.size)
        return UINT64

    def _offsetof(self, node: Offsetof) -> Type | None:
        t = self.type_argument(node.arg)
        offset = 0
        for name in node.fields:
            if isinstance(t, Pointer):
                t = t.target
            if not isinstance(t, Struct):
                if t is not None:
                    self.report(error("type-mismatch", f"`{t}` has no members", node.span))
                return UINT64
            struct = self.completed(t, node)
            field = struct.member(name) if struct is not None else None
            if struct is not None and field is None:
                near = suggest(name, struct.fields)
                self.report(
                    error(
                        "unknown-field",
                        f"`{struct}` has no member `{name}`",
                        node.span,
                        help=f"did you mean `{near}`?" if near else None,
                    )
                )
            if field is None:
                return UINT64
            offset += field.offset
            t = field.type
        self.keep(node, offset)
        return UINT64

    def _typeinfo(self, node: TypeInfo) -> Type | None:
        t = self.type_argument(node.arg)
        if t is None:
            return None
        content = (0, _base_type(t), str(t))
        self.keep(node, content)
        sizes = [String(len(text.encode()) + 1) for text in content[1:]]
        return NamedTuple(_TYPEINFO_NAMES, (INT64, *sizes))

    # --- casts ---------------------------------------------------------------------------------------------

    def _cast(self, node: Cast) -> Type | None:
        wanted = self.resolve_type(node.type)
        t = self.type_of(node.operand)
        if isinstance(t, Aggregate) and AGGREGATIONS[t.kind].scalar:
            t = t.number
        if wanted is None or t is None:
            return wanted
        if isinstance(wanted, Pointer) and isinstance(t, Pointer | Integer):
            return Pointer(
                wanted.target, t.space if isinstance(t, Pointer) else self._number_space(node.operand)
            )
        if isinstance(wanted, Array):
            return self._cast_to_array(node, wanted, t)
        if isinstance(wanted, Enum) and isinstance(t, Integer):
            return self._cast_to_enum(node, wanted)
        if (
            (isinstance(wanted, Integer | Bool) and isinstance(t, Integer | Bool | Pointer))
            or (isinstance(wanted, Integer) and isinstance(t, Array) and t.size == wanted.size)
            or (isinstance(wanted, String) and isinstance(t, String))
            or (isinstance(wanted, Struct) and wanted == t)
        ):
            return wanted
        self._no_cast(node, wanted, t)
        return wanted

    def _no_cast(self, node: Cast, wanted: Type, t: Type) -> None:
        help = None
        if isinstance(wanted, Struct) and isinstance(t, Pointer | Integer):
            help = f"cast to a pointer and follow it: `*({wanted} *){node.operand.span.text}`"
        elif isinstance(wanted, Integer) and isinstance(t, String):
            help = "a string is no number; compare it, or read its bytes: `$s[0]`"
        elif isinstance(wanted, Integer) and isinstance(t, Array):
            help = f"the array has {t.size} bytes, `{wanted}` has {wanted.size}"
        self.report(error("type-mismatch", f"`{t}` cannot be cast to `{wanted}`", node.span, help=help))

    def _cast_to_array(self, node: Cast, wanted: Array, t: Type) -> Type | None:
        element = wanted.element
        constant = self.constant(node.operand)
        size = t.size
        if constant is not None and isinstance(t, Integer):
            size = wanted.size or _least_bytes(constant)
        if not wanted.count and element.size and isinstance(t, Integer | Array):
            wanted = Array(element, size // element.size)
        whole = isinstance(element, Integer) and (
            (isinstance(t, Integer) and wanted.size in (1, 2, 4, 8)) or isinstance(t, Array | String)
        )
        if not whole or wanted.size != size or not wanted.size:
            self._no_cast(node, wanted, t)
            return None
        return wanted

    def _cast_to_enum(self, node: Cast, wanted: Enum) -> Type:
        constant = self.constant(node.operand)
        if constant is not None and constant not in wanted.names:
            names = ", ".join(f"`{name}` ({value})" for value, name in list(wanted.names.items())[:12])
            self.report(
                error(
                    "type-mismatch",
                    f"`{wanted}` has no value {constant}",
                    node.span,
                    notes=f"it has: {names}",
                )
            )
        return wanted

    def _number_space(self, expr: Expr) -> str:
        """Where a number that is made a pointer leads."""
        if isinstance(expr, Call) and expr.name in FUNCTIONS and FUNCTIONS[expr.name].space:
            return FUNCTIONS[expr.name].space
        if isinstance(expr, Binary):
            return self._number_space(expr.left)
        return self.pointer_space

    @property
    def pointer_space(self) -> str:
        """Where a number that is made a pointer leads: the kernel, but for probes in user space."""
        return self.clause.targets[0].kind.pointer_space if self.clause.targets else "kernel"


def _least_bytes(value: int) -> int:
    """Bytes of the smallest signed type that holds a number."""
    for size in (1, 2, 4):
        if -(1 << 8 * size - 1) <= value < 1 << 8 * size - 1:
            return size
    return 8


def _base_type(t: Type) -> str:
    """bpftrace's word for the kind of a type."""
    for kind, word in (
        (NamedTuple, "record"),
        (Tuple, "tuple"),
        (Integer, "int"),
        (Bool, "bool"),
        (String, "string"),
        (Struct, "c_type"),
        (Pointer, "pointer"),
        (Array, "array"),
    ):
        if isinstance(t, kind):
            return word
    return "none" if t == NONE else str(t)
