"""A rule's `exceptions`: from YAML, and as the part that is added to the condition, `and not (… or …)`."""

from __future__ import annotations

from collections.abc import Mapping

from kernscope.detector.conditions import (
    LIST_OPERATORS,
    OPERATORS,
    And,
    Check,
    Condition,
    Items,
    Not,
    Or,
    Word,
    parse_operand,
)
from kernscope.detector.item_reader import ItemReader
from kernscope.detector.placed_text import PlacedText
from kernscope.detector.rules import Exclusion, Rule
from kernscope.detector.yaml_source import YamlList, YamlMap, YamlNode, YamlScalar
from kernscope.diagnostics import suggest

__all__ = ["list_word", "read_exclusion", "with_exclusions"]

_KEYS = ("name", "fields", "comps", "values")


def read_exclusion(reader: ItemReader, node: YamlNode, base: Mapping[str, Exclusion]) -> Exclusion | None:
    """The entry, or what is added to the entry of the same name; None, with a complaint, where it is wrong."""
    if not isinstance(node, YamlMap):
        reader.report(
            "bad-exception",
            "an exception is a mapping with `name`, `fields`, `comps` and `values`",
            node.span,
        )
        return None
    reader.known_keys(node, _KEYS)
    name = reader.text(node, "name")
    if not name:
        if "name" not in node.entries:
            reader.report("bad-exception", "an exception needs a `name`", node.span)
        return None
    before = base.get(name)
    if "fields" not in node.entries:
        if before is None:
            reader.report("bad-exception", f"the exception `{name}` has no `fields`", node.keys["name"])
            return None
        fields, comps, single = before.fields, before.comps, before.single
    else:
        shape = _shape(reader, node, name)
        if shape is None:
            return None
        fields, comps, single = shape
    values = _values(reader, node, name, fields, single)
    if values is None:
        return None
    kept = before.values if before is not None else []
    return Exclusion(name, fields, comps, single, kept + values, node.keys["name"])


def _shape(reader: ItemReader, node: YamlMap, name: str) -> tuple[list[YamlScalar], list[str], bool] | None:
    """Fields, operators, and whether it is the single form."""
    given, comparisons = node.entries["fields"], node.entries.get("comps")
    single = isinstance(given, YamlScalar)
    fields = [given] if isinstance(given, YamlScalar) else reader.flat(given, "`fields` is a list of fields")
    if not fields:
        reader.report("bad-exception", f"the exception `{name}` has no fields", given.span)
        return None
    if comparisons is None:
        words = ["in"] if single else ["="] * len(fields)
        return fields, words, single
    if isinstance(comparisons, YamlScalar):
        scalars = [comparisons]
    else:
        scalars = reader.flat(comparisons, "`comps` is a list of operators") or []
    if len(scalars) != len(fields) or isinstance(comparisons, YamlScalar) is not single:
        message = f"the exception `{name}` has {len(fields)} fields and {len(scalars)} operators"
        reader.report("bad-exception", message, comparisons.span, help="give each field its operator")
        return None
    for scalar in scalars:
        word = "=" if scalar.value == "==" else scalar.value
        allowed = LIST_OPERATORS if single else tuple(o for o in OPERATORS if o != "exists")
        if word not in allowed:
            near = suggest(word, allowed)
            help = f"did you mean `{near}`?" if near else f"possible are {' '.join(allowed)}"
            reader.report("bad-exception", f"`{word}` cannot compare here", scalar.span, help=help)
            return None
    return fields, ["=" if s.value == "==" else s.value for s in scalars], single


def _values(
    reader: ItemReader, node: YamlMap, name: str, fields: list[YamlScalar], single: bool
) -> list[YamlNode] | None:
    given = node.entries.get("values")
    if given is None or (isinstance(given, YamlScalar) and not given.value):
        return []
    if not isinstance(given, YamlList):
        if single and isinstance(given, YamlScalar):
            return [given]
        reader.report("bad-exception", f"the `values` of the exception `{name}` are a list", given.span)
        return None
    if single:
        flat = reader.flat(given, f"the `values` of the exception `{name}` are texts")
        return None if flat is None else list(flat)
    for item in given.items:
        if not isinstance(item, YamlList) or len(item.items) != len(fields):
            message = f"each of the `values` of the exception `{name}` is a list of {len(fields)}"
            help = f"one for each of {', '.join(field.value for field in fields)}"
            reader.report("bad-exception", message, item.span, help=help)
            return None
    return list(given.items)


def list_word(scalar: YamlScalar) -> Word:
    """An item of a list: `bash`, or with quotes of its own `'"(systemd)"'`."""
    text, value = PlacedText(scalar.value, scalar.span), scalar.value.strip()
    quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'"
    return Word(text, 0, len(scalar.value), value[1:-1] if quoted else value, quoted)


def with_exclusions(rule: Rule, condition: Condition) -> Condition:
    """The condition with the rule's exceptions. Raises ConditionError where a field is none."""
    parts: list[Condition] = []
    for entry in rule.exceptions:
        text = PlacedText(entry.name, entry.span)
        end = len(entry.name)
        if entry.single:
            if entry.values:
                parts.append(_comparison(entry.fields[0], entry.comps[0], entry.values))
            continue
        for value in entry.values:
            assert isinstance(value, YamlList)
            checks: list[Condition] = [
                _comparison(field, comp, [item])
                for field, comp, item in zip(entry.fields, entry.comps, value.items)
            ]
            parts.append(checks[0] if len(checks) == 1 else And(text, 0, end, checks))
    if not parts:
        return condition
    place = (condition.text, condition.start, condition.end)
    excluded = parts[0] if len(parts) == 1 else Or(*place, parts)
    return And(*place, [condition, Not(*place, excluded)])


def _comparison(field: YamlScalar, operator: str, values: list[YamlNode]) -> Check:
    operand = parse_operand(PlacedText(field.value, field.span))
    words = [list_word(scalar) for value in values for scalar in _scalars(value)]
    text, end = PlacedText(field.value, field.span), len(field.value)
    if operator in LIST_OPERATORS:
        return Check(text, 0, end, operand, operator, Items(text, 0, end, words))
    word = words[0] if words else Word(text, 0, end, "", True)
    return Check(text, 0, end, operand, operator, word)


def _scalars(node: YamlNode) -> list[YamlScalar]:
    if isinstance(node, YamlScalar):
        return [node]
    return [scalar for item in node.items for scalar in _scalars(item)] if isinstance(node, YamlList) else []
