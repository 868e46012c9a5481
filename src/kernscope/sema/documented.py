"""The types that the reference gives to values: integers as narrow as they can be.

Most values have 64 bits here, which gives the same results; what `sizeof`, `typeinfo` and casts to arrays tell of a
type is the reference's all the same.
"""

from collections.abc import Sequence

from kernscope.diagnostics import Diagnostic, error, warning
from kernscope.syntax.ast import (
    Cast,
    Expr,
    MapRef,
    RecordExpr,
    Ternary,
    TupleAccess,
    TupleExpr,
    Variable,
    walk,
)
from kernscope.types import INT64, Integer, Pointer, String, Tuple, Type

from .map_types import MapTypes
from .model import Clause, MapInfo
from .model import Variable as VariableInfo
from .rules import is_number, join

__all__ = ["DocumentedTypes", "least_bytes"]


class DocumentedTypes(MapTypes):
    """Infers them beside the types that values really have."""

    def documented_type(self, expr: Expr, t: Type) -> Type:
        """The type that the reference gives a value: of literals the smallest signed one, and so of what is made of
        them. Most values have 64 bits here.
        """
        constant = self.constant(expr) if t == INT64 else None
        if constant is not None and not any(isinstance(node, Cast) for node in walk(expr)):
            return Integer(8 * least_bytes(constant), True)
        if isinstance(expr, TupleExpr) and isinstance(t, Tuple):
            return t.rebuilt(tuple(self.documented_type(e, u) for e, u in zip(expr.elements, t.elements)))
        if isinstance(expr, RecordExpr) and isinstance(t, Tuple):
            parts = zip(expr.fields, t.elements)
            return t.rebuilt(tuple(self.documented_type(field.value, u) for field, u in parts))
        if isinstance(expr, Variable):
            variable = self.clause.variables.get(expr)
            return variable.documented or t if variable is not None and variable.declared is None else t
        if isinstance(expr, TupleAccess):
            base = self.clause.types.get(expr.base)
            tuple_type = self.documented_type(expr.base, base) if base is not None else None
            if isinstance(tuple_type, Tuple) and expr.index < len(tuple_type.elements):
                return tuple_type.elements[expr.index]
        if isinstance(expr, MapRef):
            return self.documented_map(expr) or t
        if isinstance(expr, Ternary) and expr.then is not None and isinstance(t, Integer):
            sides = (self.documented_type(side, t) for side in (expr.then, expr.orelse))
            return join(*sides) or t
        return t

    def document(self, variable: VariableInfo, t: Type | None, *values: Expr) -> None:
        """A variable takes values of type `t`, or, where none are given, what has all 64 bits."""
        if t is None:
            return
        found = variable.documented
        for u in [self.documented_type(value, t) for value in values] or [t]:
            found = u if found is None else join(found, u) or t
        if found != variable.documented:
            variable.documented = found
            self.changed = True

    def document_map(self, info: MapInfo, t: Type, *values: Expr) -> None:
        """The same for a map's values. Only where somebody asks for it, another round is due."""
        for u in [self.documented_type(value, t) for value in values] or [t]:
            found = u if info.documented is None else join(info.documented, u) or t
            if found != info.documented:
                info.documented = found
                self.changed |= "sizeof" in info.uses

    def use_map(self, ref: MapRef, how: str) -> MapInfo:
        info = super().use_map(ref, how)
        if ref.keys and how == "write" and info.key is not None:
            types = [self.documented_type(key, self.clause.types.get(key, INT64)) for key in ref.keys]
            t = types[0] if len(types) == 1 else Tuple(tuple(types))
            found = t if info.documented_key is None else join(info.documented_key, t) or info.key
            if found != info.documented_key:
                info.documented_key = found
                self.changed |= "sizeof" in info.uses
        return info

    def documented_map(self, ref: MapRef) -> Type | None:
        """What `sizeof` of a map is about: its values, and, as bpftrace has it, the keys of a map that has any."""
        info = self.maps.get(ref.name)
        if info is None:
            return None
        info.uses.add("sizeof")
        if info.keyed and ref.keys is None:
            return info.documented_key or info.key
        return info.documented

    def gets_value(self, variable: VariableInfo) -> None:
        """Something is assigned; what used the variable before is checked again."""
        self.changed |= variable.awaited and not variable.assigned
        variable.assigned = True

    def fit_declared(self, variable: VariableInfo, declared: Type, t: Type, value: Expr) -> None:
        if isinstance(declared, Pointer) and isinstance(t, Pointer) and join(declared, t) is not None:
            variable.type = Pointer(declared.target, t.space)
            return
        if isinstance(declared, String) and isinstance(t, String) and t.shown_size <= declared.size < t.size:
            variable.type = t  # it fits but for the byte that tells whether it was cut
            return
        constant = self.constant(value)
        if isinstance(declared, Integer) and constant is not None and isinstance(t, Integer):
            low = -(1 << (declared.bits - 1)) if declared.signed else 0
            high = (1 << (declared.bits - declared.signed)) - 1
            fits = low <= constant <= high
        else:
            fits = join(declared, t) == declared
            if not fits and isinstance(declared, Integer) and isinstance(t, Integer):
                self.narrowing(variable, declared, t, value)
                return
        if not fits:
            self.report(
                error(
                    "type-mismatch",
                    f"`${variable.name}` is declared as `{declared}`, which does not hold "
                    + (f"{constant}" if constant is not None else f"every `{t}`"),
                    value.span,
                    labels=[(variable.span, "declared here")],
                    help=f"cast the value: `({declared})…`" if is_number(declared) else None,
                )
            )

    def without_type(self, clauses: Sequence[Clause]) -> list[Diagnostic]:
        """Variables whose type depends on themselves alone: `let $x; $x = $x + 1;`"""
        if any(found.severity == "error" for found in self.diagnostics):
            return []
        return [
            error(
                "undefined-variable",
                f"the type of `${variable.name}` cannot be told from what it is assigned",
                variable.span,
                help=f"give it a value or a type: `let ${variable.name}: uint64;`",
            )
            for clause in clauses
            for variable in dict.fromkeys(clause.variables.values())
            if variable.type is None and variable.awaited
        ]

    def narrowing(self, variable: VariableInfo, declared: Integer, t: Integer, value: Expr) -> None:
        """Warn of a number that a variable with a declared type may not hold."""
        self.report(
            warning(
                "narrowed-number",
                f"`${variable.name}` is declared as `{declared}`, this `{t}` is cut to it",
                value.span,
                labels=[(variable.span, "declared here")],
                help=f"say that it is meant: `({declared})…`",
            )
        )


def least_bytes(value: int) -> int:
    """Bytes of the smallest signed type that holds a number."""
    for size in (1, 2, 4):
        if -(1 << 8 * size - 1) <= value < 1 << 8 * size - 1:
            return size
    return 8
