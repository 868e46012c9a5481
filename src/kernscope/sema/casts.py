"""Types of casts, and where the pointers that they make lead."""

from kernscope.catalog.aggregations import AGGREGATIONS
from kernscope.catalog.functions import FUNCTIONS
from kernscope.diagnostics import error
from kernscope.syntax.ast import Binary, Call, Cast, Expr
from kernscope.types import Aggregate, Array, Bool, Enum, Integer, Pointer, String, Struct, Type

from .operators import Operators

__all__ = ["Casts"]


class Casts(Operators):
    """Infers the types of casts."""

    def _cast(self, node: Cast) -> Type | None:
        wanted = self.resolve_type(node.type)
        t = self.type_of(node.operand)
        if isinstance(t, Aggregate) and AGGREGATIONS[t.kind].scalar:
            t = t.number
        if wanted is None or t is None:
            return wanted
        if isinstance(wanted, Pointer) and isinstance(t, Pointer) and t.space == "packet":
            self.packet_header(node)
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
        size = self.documented_type(node.operand, t).size
        literal = isinstance(t, Integer) and self.constant(node.operand) is not None
        if literal and not isinstance(node.operand, Cast) and size <= wanted.size <= 8:
            size = wanted.size  # a literal fills the rest with zeros
        if not wanted.count and element.size and isinstance(t, Integer | Array):
            wanted = Array(element, size // element.size)
        whole = isinstance(element, Integer) and isinstance(t, Integer | Array | String)
        if not whole or wanted.size not in (size, t.size) or not wanted.size:
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

    def packet_header(self, node: Expr) -> None:
        """Report a use of a packet's header other than by its members."""
        self.report(
            error(
                "type-mismatch",
                "a packet's header has no address: the program has a copy of it",
                node.span,
                help="read its members, `ip->saddr`, `tcp->dest`; `if (tcp)` asks whether there is one",
            )
        )

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
