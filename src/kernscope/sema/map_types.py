"""Types of maps: every use of a map adds to what its keys and values are."""

from kernscope.catalog.aggregations import AGGREGATIONS
from kernscope.diagnostics import error, suggest
from kernscope.syntax.ast import Call, Expr, FieldAccess, MapRef
from kernscope.types import (
    Aggregate,
    Tuple,
    Type,
)

from .context import ClauseContext
from .model import MapInfo
from .rules import join, stored

__all__ = ["MapTypes"]


_NEED_MAP = frozenset(("whole", "reset", "iterate", "delete", "has_key", "len", "address"))
"""Uses that need the map to exist; reading one value gives 0 without it."""


class MapTypes(ClauseContext):
    """Infers what the program's maps hold."""

    # --- maps ----------------------------------------------------------------------------------------------

    def use_map(self, ref: MapRef, how: str) -> MapInfo:
        info = self.maps.setdefault(ref.name, MapInfo(ref.name, ref.span))
        info.uses.add(how)
        if how in ("write", "delete"):
            info.clauses.add(id(self.clause))
        if ref.keys is None:
            if how in ("read", "write") or (how == "delete"):
                self._set_keyed(info, False, ref)
        else:
            types = [self._key_type(key) for key in ref.keys]
            self._note_domain(info, ref.keys)
            if self._set_keyed(info, True, ref) and all(t is not None for t in types):
                known = [t for t in types if t is not None]
                self._widen_key(info, stored(known[0] if len(known) == 1 else Tuple(tuple(known))), ref)
        if info.value is None and how in _NEED_MAP:
            self._undefined(info, ref)
        return info

    def _undefined(self, info: MapInfo, ref: MapRef) -> None:
        """Nothing assigns the map; where that stands later in the text, the next round does not report this."""
        info.uses.add("early")
        near = suggest(info.name, [name for name, other in self.maps.items() if other.value is not None])
        self.report(
            error(
                "undefined-map",
                f"nothing is ever assigned to `@{info.name}`",
                ref.span,
                help=f"did you mean `@{near}`?" if near else None,
            )
        )

    def _key_type(self, key: Expr) -> Type | None:
        t = self.type_of(key)
        return self.aggregate_number(t, key) if isinstance(t, Aggregate) else t

    def _note_domain(self, info: MapInfo, keys: list[Expr]) -> None:
        """Keep in mind whether all keys are members of `args` with a small range, such as a system call's number."""
        domain = 0
        if len(keys) == 1 and isinstance(keys[0], FieldAccess) and self.clause.args is not None:
            field = self.clause.args.fields.get(keys[0].name)
            domain = field.domain if field is not None else 0
        info.domain = domain if info.domain in (None, domain) else 0

    def _set_keyed(self, info: MapInfo, keyed: bool, ref: MapRef) -> bool:
        if info.keyed is None:
            info.keyed = keyed
        elif info.keyed != keyed:
            has, uses = ("keys", "without a key") if info.keyed else ("no keys", "with a key")
            self.report(
                error(
                    "map-key-mismatch",
                    f"`@{info.name}` has {has}, but is used {uses} here",
                    ref.span,
                    labels=[(info.key_span, "first used here")] if info.key_span != ref.span else [],
                )
            )
            return False
        return True

    def _widen_key(self, info: MapInfo, t: Type, ref: MapRef) -> None:
        unusable = isinstance(t, Aggregate) or t.size == 0
        joined = None if unusable else t if info.key is None else join(info.key, t)
        if joined is None:
            self.report(
                error(
                    "map-key-mismatch",
                    f"the key of `@{info.name}` is `{info.key}`, this is `{t}`"
                    if info.key is not None
                    else f"`{t}` cannot be a key",
                    ref.span,
                    labels=[(info.key_span, f"`{info.key}` since here")] if info.key is not None else [],
                )
            )
        elif joined != info.key:
            if info.key is not None:
                self.changed = True
            else:
                info.key_span = ref.span
            info.key = stored(joined)

    def widen_map(self, info: MapInfo, t: Type, value: Expr) -> None:
        """Record that a map gets values of type `t`."""
        if t.size == 0:
            self.report(error("type-mismatch", f"a `{t}` has no bytes that a map could keep", value.span))
            return
        if info.value is None:
            info.value = t
            info.value_span = value.span
            if "early" in info.uses:
                self.changed = True
            return
        joined = info.value if info.value == t else join(info.value, t)
        if isinstance(t, Aggregate) and isinstance(info.value, Aggregate) and joined is None:
            joined = self._join_aggregates(info.value, t)
        if joined is None or isinstance(t, Aggregate) != isinstance(info.value, Aggregate):
            self.report(
                error(
                    "type-mismatch",
                    f"`@{info.name}` holds `{_describe(info.value)}`, this is `{_describe(t)}`",
                    value.span,
                    labels=[(info.value_span, f"`{_describe(info.value)}` since here")],
                    help="use another map",
                )
            )
        elif joined != info.value:
            info.value = stored(joined)
            self.changed = True

    @staticmethod
    def _join_aggregates(a: Aggregate, b: Aggregate) -> Type | None:
        if a.kind == b.kind and a.params == b.params:
            return AGGREGATIONS[a.kind].type(a.params, True)
        return None

    def aggregate(self, call: Call) -> Aggregate | None:
        """The type that `@x = count()` and the like give the map."""
        entry = AGGREGATIONS[call.name]
        signed = True
        for arg in call.args[: entry.value_args]:
            t = self.number(arg)
            constant = self.constant(arg)
            signed = t is None or t.signed or (constant is not None and constant < 1 << 63)
        wrong = entry.arguments_error(len(call.args))
        if wrong is not None:
            self.report(error("wrong-arguments", wrong, call.span, help=f"write `{entry.signature}`"))
            return None
        given: list[int | str] = []
        for arg in call.args[entry.value_args :]:
            self.type_of(arg)
            text = self.constant_string(arg) if entry.text_params else None
            value = self.constant(arg) if text is None else text
            if value is None:
                self.report(
                    error("constant-needed", f"`{call.name}()` wants a number known when compiling", arg.span)
                )
                return None
            given.append(value)
        params = entry.complete(tuple(given))
        wrong = entry.check(params)
        if wrong is not None:
            self.report(error("wrong-arguments", wrong, call.span))
            return None
        return entry.type(params, signed)


def _describe(t: Type | None) -> str:
    return f"{t.kind}()" if isinstance(t, Aggregate) else str(t)
