"""A rule's own keys → what they say, with complaints at their places."""

from __future__ import annotations

from kernscope.detector.conditions import ConditionError, Operand, parse_operand
from kernscope.detector.correlation.by import KEYS, Key, field_key
from kernscope.detector.correlation.form import CorrelationForm, StepForm
from kernscope.detector.fields import FIELDS, find_field
from kernscope.detector.folding import field_of
from kernscope.detector.item_reader import ItemReader
from kernscope.detector.placed_text import PlacedText
from kernscope.detector.yaml_source import YamlList, YamlMap, YamlNode, YamlScalar
from kernscope.diagnostics import Diagnostic, Span, error, suggest
from kernscope.syntax.literals import DURATIONS_NS

__all__ = ["MOST_STEPS", "MOST_VALUES", "read_correlation"]

MOST_COUNT = 10_000_000
MOST_VALUES = 10_000
MOST_STEPS = 32
"""Of a sequence, steps of several matches written out."""
_LONGEST_NS = 7 * DURATIONS_NS["d"]
_SHORTEST_NS = DURATIONS_NS["ms"]
_STEP_KEYS = ("condition", "rule", "count", "by", "name")


def read_correlation(keys: dict[str, YamlNode], problems: list[Diagnostic]) -> CorrelationForm | None:
    """None, with a complaint, where something is wrong. `keys`: those that the rule has, at least one."""
    reader = _Reader(problems)
    before = len(problems)
    form = reader.read(keys)
    return form if len(problems) == before else None


class _Reader(ItemReader):
    def wrong(self, message: str, span: Span, help: str | None = None) -> None:
        self.report("bad-correlation", message, span, help=help)

    def read(self, keys: dict[str, YamlNode]) -> CorrelationForm | None:
        kinds = [key for key in ("sequence", "distinct", "count") if key in keys]
        if not kinds:
            key = next(iter(keys))
            self.wrong(f"`{key}` alone does nothing", keys[key].span, "add `count`, `distinct` or `sequence`")
            return None
        kind = kinds[0]
        if kind == "sequence" and len(kinds) > 1:
            message = f"`sequence` and `{kinds[1]}` exclude each other"
            help = "`{condition: …, count: 5}` is a step of five matches" if kinds[1] == "count" else None
            self.wrong(message, keys[kinds[1]].span, help)
            return None
        within_ns = self.within(keys, kind)
        by = self.by(keys["by"]) if "by" in keys else []
        form = CorrelationForm(kind, within_ns, by)
        if kind == "count":
            form.count = self.number(keys["count"], "count", MOST_COUNT)
        elif kind == "distinct":
            self.distinct(form, keys)
        else:
            form.steps = self.sequence(keys["sequence"])
        return form

    def within(self, keys: dict[str, YamlNode], kind: str) -> int:
        node = keys.get("within")
        if node is None:
            self.wrong(f"`{kind}` needs `within`", keys[kind].span, "say in which time: `within: 10s`")
            return 0
        text = node.value.strip() if isinstance(node, YamlScalar) else ""
        number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
        unit = DURATIONS_NS.get(text[len(number) :] or "s")
        plain = number.strip().replace(".", "", 1)
        if unit is None or not (plain.isascii() and plain.isdigit()) or len(plain) > 18:
            self.wrong("`within` is a time", node.span, "such as `10s`, `500ms`, `2m`, `1h`")
            return 0
        whole, _, fraction = number.strip().partition(".")
        ns = int(whole or 0) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)
        if not _SHORTEST_NS <= ns <= _LONGEST_NS:
            self.wrong("`within` is at least `1ms` and at most `7d`", node.span)
        return ns

    def number(self, node: YamlNode, key: str, most: int, least: int = 2) -> int:
        text = node.value.strip().replace("_", "") if isinstance(node, YamlScalar) else ""
        value = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1
        if not least <= value <= most:
            self.wrong(f"`{key}` is a number from {least} to {most}", node.span)
        return value

    def distinct(self, form: CorrelationForm, keys: dict[str, YamlNode]) -> None:
        node, count = keys["distinct"], keys.get("count")
        field: YamlNode | None = node
        if isinstance(node, YamlMap):
            for key, place in node.keys.items():
                if key not in ("field", "count"):
                    self.wrong(f"`distinct` has `field` and `count`, not `{key}`", place)
            field = node.entries.get("field")
            inner = node.entries.get("count")
            if inner is not None and count is not None:
                self.wrong("`count` is given twice", inner.span)
            count = inner or count
        if field is None:
            self.wrong("`distinct` needs a field", node.span, "as in `distinct: fd.sport`")
        else:
            form.field = self.field(field, "distinct")
        if count is None:
            self.wrong("`distinct` needs a number of values", node.span, "say how many: `count: 20`")
        else:
            form.count = self.number(count, "count", MOST_VALUES)

    def field(self, node: YamlNode, key: str) -> Operand | None:
        if not isinstance(node, YamlScalar):
            self.wrong(f"`{key}` is a field", node.span)
            return None
        try:
            operand = parse_operand(PlacedText(node.value, node.span))
        except ConditionError as problem:
            found = problem.diagnostic
            self.wrong(f"`{key}`: {found.message}", node.span)
            return None
        field = field_of(operand)
        entry = find_field(field.name)
        if entry is None:
            near = suggest(field.name, FIELDS)
            help = f"did you mean `{near}`?" if near else None
            self.diagnostics.append(
                error("unknown-rule-field", f"there is no field `{field.name}`", node.span, help=help)
            )
        elif field.argument is not None and not entry.argument:
            self.wrong(f"`{field.name}` takes nothing in brackets", node.span)
        elif field.argument is None and entry.argument == "required":
            self.wrong(f"`{field.name}` needs brackets that say which one", node.span)
        elif entry.missing:
            self.wrong(f"`{field.key}` is missing on a plain host: {entry.missing}", node.span)
        return operand

    def by(self, node: YamlNode) -> list[Key]:
        if isinstance(node, YamlList):
            if not node.items:
                self.wrong("`by` is empty", node.span, f"there are {', '.join(KEYS)}, and all fields")
            return [key for item in node.items for key in self.by(item)]
        if not isinstance(node, YamlScalar):
            self.wrong("`by` is a word or a list of words", node.span)
            return []
        word = " ".join(node.value.split())
        if word in KEYS:
            return [KEYS[word]]
        if "." not in word:
            near = suggest(word, KEYS)
            help = f"did you mean `{near}`?" if near else f"there are {', '.join(KEYS)}, and all fields"
            self.wrong(f"`by` cannot be `{word}`" if word else "`by` is empty", node.span, help)
            return []
        operand = self.field(node, "by")
        return [] if operand is None else [field_key(word, operand, (field_of(operand).key,))]

    def sequence(self, node: YamlNode) -> list[StepForm]:
        if not isinstance(node, YamlList):
            self.wrong("`sequence` is a list of steps", node.span, "each is a condition")
            return []
        steps = [step for item in node.items if (step := self.step(item)) is not None]
        if sum(step.count for step in steps) > MOST_STEPS:
            self.wrong(
                f"a sequence has at most {MOST_STEPS} steps, each counted as often as it is needed", node.span
            )
        elif len(node.items) < 2:
            self.wrong("a sequence has at least two steps", node.span)
        return steps

    def step(self, node: YamlNode) -> StepForm | None:
        if isinstance(node, YamlScalar):
            if not node.value.strip():
                self.wrong("a step is empty", node.span)
                return None
            return StepForm(PlacedText(node.value, node.span), "", 1, None, node.span)
        if not isinstance(node, YamlMap):
            self.wrong("a step is a condition, or a mapping with `condition` or `rule`", node.span)
            return None
        for key, place in node.keys.items():
            if key not in _STEP_KEYS:
                near = suggest(key, _STEP_KEYS)
                help = f"did you mean `{near}`?" if near else f"there are {', '.join(_STEP_KEYS)}"
                self.wrong(f"a step has no `{key}`", place, help)
        count = self.number(node.entries["count"], "count", MOST_STEPS, 1) if "count" in node.entries else 1
        by = self.by(node.entries["by"]) if "by" in node.entries else None
        if ("condition" in node.entries) is ("rule" in node.entries):
            self.wrong("a step has either `condition` or `rule`", node.span)
            return None
        if "rule" in node.entries:
            return StepForm(None, self.text(node, "rule"), count, by, node.entries["rule"].span)
        condition = self.placed(node, "condition")
        return None if condition is None else StepForm(condition, "", count, by, condition.span(0, 1))
