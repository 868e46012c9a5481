"""pySigma's backend: a Sigma condition as text of the language of `conditions`.

Sigma compares without regard to case, so texts are compared in lower case (`tolower(…)`), unless `cased` or `re` says
otherwise. Before each comparison stands its number between two NUL characters, which `split_places` takes out again:
so an error is shown where the rule has the value.
"""

from __future__ import annotations

from typing import Any

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionItem,
    ConditionNOT,
    ConditionOR,
)
from sigma.conversion.base import TextQueryBackend
from sigma.conversion.state import ConversionState
from sigma.exceptions import SigmaFeatureNotSupportedByBackendError
from sigma.types import (
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaFieldReference,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SpecialChars,
)

from kernscope.detector.condition_tree import quote
from kernscope.detector.fields import find_field

__all__ = ["EventsBackend", "split_places"]

_MARK = "\0"
_COMPARED_AS_THEY_ARE = ("number", "port", "bool", "address", "network")
_Comparison = ConditionFieldEqualsValueExpression


def split_places(text: str) -> list[tuple[int, str]]:
    """Parts of a converted condition, each with the number of the comparison that begins there, or -1."""
    parts = text.split(_MARK)
    found = [(-1, parts[0])] if parts[0].strip() else []
    return found + [(int(parts[i]), parts[i + 1]) for i in range(1, len(parts) - 1, 2)]


class EventsBackend(TextQueryBackend):
    """`values` are what was compared, by number, as pySigma has it."""

    name = "Kernscope"
    formats = {"default": "conditions"}
    requires_pipeline = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.values: list[str] = []

    def marked(self, value: object, text: str) -> str:
        self.values.append(str(value))
        return f"{_MARK}{len(self.values) - 1}{_MARK}{text}"

    def decide_convert_condition_as_in_expression(
        self, cond: ConditionOR | ConditionAND, state: ConversionState
    ) -> bool:
        return False  # `convert_condition_or` does

    def convert_condition_as_in_expression(
        self, cond: ConditionOR | ConditionAND, state: ConversionState
    ) -> str:
        field = cond.args[0].field  # type: ignore[union-attr]
        left, fold = _left(field)
        words = [quote(fold(_plain(arg.value))) for arg in cond.args]  # type: ignore[union-attr]
        return self.marked(cond.args[0].value, f"{left} in ({', '.join(words)})")  # type: ignore[union-attr]

    def joined(self, word: str, cond: ConditionItem, state: ConversionState) -> str:
        parts = [self.convert_condition(arg, state) for arg in cond.args]
        texts = [str(part) for part in parts if part is not None]
        return texts[0] if len(texts) == 1 else f"({f' {word} '.join(texts)})"

    def convert_condition_or(self, cond: ConditionOR, state: ConversionState) -> str:
        """Values of a field that have no wildcards are one list, which is looked up at once."""
        plain = [arg for arg in cond.args if _is_plain(arg)]
        same = [arg for arg in plain if arg.field == plain[0].field]  # type: ignore[union-attr]
        if len(same) < 2:
            return self.joined("or", cond, state)
        rest = [arg for arg in cond.args if arg not in same]
        first = self.convert_condition_as_in_expression(ConditionOR(same), state)
        if not rest:
            return first
        return f"({first} or {self.convert_condition(ConditionOR(rest), state)})"

    def convert_condition_and(self, cond: ConditionAND, state: ConversionState) -> str:
        return self.joined("and", cond, state)

    def convert_condition_not(self, cond: ConditionNOT, state: ConversionState) -> str:
        return f"not ({self.convert_condition(cond.args[0], state)})"

    def convert_condition_field_eq_val_str(self, cond: _Comparison, state: ConversionState) -> str:
        assert isinstance(cond.value, SigmaString)
        left, fold = _left(cond.field)
        return self.marked(cond.value, _text_comparison(left, cond.value, fold))

    def convert_condition_field_eq_val_str_case_sensitive(
        self, cond: _Comparison, state: ConversionState
    ) -> str:
        assert isinstance(cond.value, SigmaCasedString)
        return self.marked(cond.value, _text_comparison(cond.field, cond.value, lambda word: word))

    def convert_condition_field_eq_val_num(self, cond: _Comparison, state: ConversionState) -> str:
        return self.marked(cond.value, f"{cond.field} = {quote(str(cond.value))}")

    def convert_condition_field_eq_val_bool(self, cond: _Comparison, state: ConversionState) -> str:
        assert isinstance(cond.value, SigmaBool)
        return self.marked(cond.value, f"{cond.field} = {'true' if cond.value.boolean else 'false'}")

    def convert_condition_field_eq_val_re(self, cond: _Comparison, state: ConversionState) -> str:
        assert isinstance(cond.value, SigmaRegularExpression)
        flags = "".join(sorted(cond.value.sigma_to_re_flag[flag] for flag in cond.value.flags))
        # Sigma's may stand anywhere in the text; the dots around it go beyond ends of lines.
        inner = f"(?{flags}:{cond.value.regexp})" if flags else f"(?:{cond.value.regexp})"
        return self.marked(cond.value.regexp, f"{cond.field} regex {quote(f'(?s:.*){inner}(?s:.*)')}")

    def convert_condition_field_eq_val_cidr(self, cond: _Comparison, state: ConversionState) -> str:
        assert isinstance(cond.value, SigmaCIDRExpression)
        return self.marked(cond.value.cidr, f"{cond.field} in ({quote(str(cond.value.network))})")

    def convert_condition_field_compare_op_val(self, cond: _Comparison, state: ConversionState) -> str:
        assert isinstance(cond.value, SigmaCompareExpression)
        operator = {"LT": "<", "LTE": "<=", "GT": ">", "GTE": ">=", "NEQ": "!="}[cond.value.op.name]
        number = str(cond.value.number)
        return self.marked(number, f"{cond.field} {operator} {number}")

    def convert_condition_field_eq_field(self, cond: _Comparison, state: ConversionState) -> str:
        value = cond.value
        assert isinstance(value, SigmaFieldReference)
        operator = {(True, True): "contains", (True, False): "startswith", (False, True): "endswith"}
        word = operator.get((value.starts_with, value.ends_with), "=")
        return self.marked(value.field, f"tolower({cond.field}) {word} tolower({value.field})")

    def convert_condition_field_eq_val_null(self, cond: _Comparison, state: ConversionState) -> str:
        return self.marked("null", f"not {cond.field} exists")

    def convert_condition_field_exists(self, cond: _Comparison, state: ConversionState) -> str:
        return self.marked("exists", f"{cond.field} exists")

    def convert_condition_field_not_exists(self, cond: _Comparison, state: ConversionState) -> str:
        return self.marked("exists", f"not {cond.field} exists")

    def convert_condition_field_eq_val_timestamp_part(self, cond: _Comparison, state: ConversionState) -> str:
        raise SigmaFeatureNotSupportedByBackendError("parts of times (`hour`, `day`, …) cannot be compared")

    def convert_condition_field_eq_query_expr(self, cond: _Comparison, state: ConversionState) -> str:
        raise SigmaFeatureNotSupportedByBackendError("placeholders (`expand`) are not known here")


def _is_plain(arg: object) -> bool:
    if not isinstance(arg, _Comparison):
        return False
    value = arg.value
    return isinstance(value, SigmaNumber) or (type(value) is SigmaString and not value.contains_special())


def _left(field: str) -> tuple[str, Any]:
    """What is compared, and what is done with the values it is compared with."""
    entry = find_field(field.partition("[")[0])
    if field == "evt.type":  # always lower case, and what decides which events a rule is about
        return field, str.lower
    if entry is not None and entry.type in _COMPARED_AS_THEY_ARE:
        return field, str
    return f"tolower({field})", str.lower


def _plain(value: object) -> str:
    return "".join(map(str, value.s)) if isinstance(value, SigmaString) else str(value)


def _text_comparison(left: str, value: SigmaString, fold: Any) -> str:
    parts = list(value.s)
    many = SpecialChars.WILDCARD_MULTI
    starts, ends = parts[:1] == [many], parts[-1:] == [many]
    if parts and all(part is many for part in parts):
        return f"{left} exists"
    inner = parts[1 if starts else 0 : len(parts) - 1 if ends else len(parts)]
    if all(isinstance(part, str) for part in inner):
        word = quote(fold("".join(map(str, inner))))
        if starts and ends:
            return f"{left} contains {word}"
        return f"{left} {'endswith' if starts else 'startswith' if ends else '='} {word}"
    pattern = "".join(_glob_part(part, fold) for part in parts)
    return f"{left} glob {quote(pattern)}"


def _glob_part(part: object, fold: Any) -> str:
    if part is SpecialChars.WILDCARD_MULTI:
        return "*"
    if part is SpecialChars.WILDCARD_SINGLE:
        return "?"
    if not isinstance(part, str):
        raise SigmaFeatureNotSupportedByBackendError("placeholders (`expand`) are not known here")
    return "".join("\\" + c if c in "*?[\\" else c for c in str(fold(part)))
