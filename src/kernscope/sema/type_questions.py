"""`sizeof`, `offsetof` and `typeinfo`: questions about types that are answered when compiling."""

from kernscope.catalog.builtins import find_builtin
from kernscope.diagnostics import error, suggest
from kernscope.syntax.ast import (
    Expr,
    Identifier,
    MapRef,
    Offsetof,
    Sizeof,
    TypeExpr,
    TypeInfo,
)
from kernscope.types import (
    INT64,
    NONE,
    UINT64,
    Array,
    Bool,
    Integer,
    NamedTuple,
    Pointer,
    String,
    Struct,
    Tuple,
    Type,
    align_up,
)

from .members import Members

__all__ = ["TypeQuestions"]

_TYPEINFO_NAMES = ("btf_id", "base_type", "full_type")


class TypeQuestions(Members):
    """Answers them, and leaves the answer for lowering."""

    def type_argument(self, arg: Expr | TypeExpr) -> Type | None:
        """The type that `sizeof` and the like ask about: of an expression, or by name."""
        if isinstance(arg, TypeExpr):
            return self.resolve_type(arg)
        if isinstance(arg, Identifier):
            known = find_builtin(arg.name) is not None or self.space.enumerator(arg.name) is not None
            named = None if known and not self.space.is_type_name(arg.name) else self.space.named(arg.name)
            if named is not None:
                return named
        if isinstance(arg, MapRef) and arg.keys is None and (info := self.maps.get(arg.name)) and info.keyed:
            return self.documented_map(arg)
        t = self.type_of(arg)
        return None if t is None else self.documented_type(arg, t)

    def _sizeof(self, node: Sizeof) -> Type | None:
        t = self.type_argument(node.arg)
        if isinstance(t, Struct):
            t = self.completed(t, node)
        if t is not None:
            self.keep(node, _layout(t)[0])
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


def _layout(t: Type) -> tuple[int, int]:
    """Size and alignment of a type; of a tuple as the reference lays it out, with its strings not aligned."""
    if not isinstance(t, Tuple):
        return (t.shown_size, 1) if isinstance(t, String) else (t.size, t.align)
    end, align = 0, 1
    for element in t.elements:
        size, own = _layout(element)
        end = align_up(end, own) + size
        align = max(align, own)
    return align_up(end, align), align


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
