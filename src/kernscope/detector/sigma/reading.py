"""A file of Sigma rules → rules of ours. Everything that is wrong has a place in the file."""

from __future__ import annotations

from sigma.exceptions import (
    SigmaConditionError,
    SigmaDetectionError,
    SigmaError,
    SigmaLogsourceError,
    SigmaTitleError,
)
from sigma.rule import SigmaRule

from kernscope.detector.placed_text import PlacedText
from kernscope.detector.rules import Rule, RuleSet
from kernscope.detector.sigma.backend import EventsBackend, split_places
from kernscope.detector.sigma.mapping import LEVELS, LOG_MESSAGE, RECORDS, Origin, source_of
from kernscope.detector.sigma.pipeline import ToEvents, make_pipeline
from kernscope.detector.yaml_source import YamlList, YamlMap, YamlNode, YamlScalar, read_documents
from kernscope.diagnostics import Source, Span, error, suggest, warning

__all__ = ["read_rules"]

_NOT_RULES = {
    "correlation": "rules that correlate others are not read: write `count`, `distinct` or `sequence` instead",
    "filter": "filters for other rules are not read: write an item with `exceptions` and `override` instead",
    "action": "collections with `action` are no longer part of Sigma",
}
_PLACES: dict[type[SigmaError], tuple[str, ...]] = {
    SigmaTitleError: ("title",),
    SigmaLogsourceError: ("logsource",),
    SigmaConditionError: ("detection", "condition"),
    SigmaDetectionError: ("detection",),
}
_LONGEST_TITLE = 256


def read_rules(source: Source, rules: RuleSet) -> None:
    """Add the rules of a file, one or several documents."""
    document = read_documents(source)
    rules.diagnostics += document.diagnostics
    for item in document.items:
        if isinstance(item, YamlMap):
            _Reader(rules, item).read()
        else:
            rules.diagnostics.append(
                error(
                    "bad-sigma",
                    "a Sigma rule is a mapping with `title`, `logsource` and `detection`",
                    item.span,
                )
            )


class _Reader:
    def __init__(self, rules: RuleSet, node: YamlMap) -> None:
        self.rules, self.node = rules, node

    def read(self) -> None:
        node = self.node
        for key, message in _NOT_RULES.items():
            if key in node.entries:
                self.rules.diagnostics.append(error("bad-sigma", message, node.keys[key]))
                return
        title = self.text("title")
        if not title:
            place = node.keys.get("title", node.span)
            self.rules.diagnostics.append(error("bad-sigma", "a Sigma rule needs a `title`", place))
            return
        name = title[:_LONGEST_TITLE]
        if name in self.rules.rules:  # another rule, not a change of that one
            name = f"{name} [{self.text('id') or len(self.rules.rules)}]"
        rule = self.rules.rules[name] = Rule(name, node.keys["title"])
        rule.desc = self.text("description")
        tags = node.entries.get("tags")
        rule.tags = (
            [i.value for i in tags.items if isinstance(i, YamlScalar)] if isinstance(tags, YamlList) else []
        )
        self.set_priority(rule)
        try:
            self.set_condition(rule)
        except SigmaError as problem:
            self.refuse(rule, str(problem), self.place_of(problem))
        except (RecursionError, ValueError, TypeError, KeyError, AttributeError) as problem:
            # pySigma has no error of its own for everything that is wrong with a rule.
            self.refuse(rule, f"pySigma cannot read this rule: {problem}", self.place("detection"))

    @property
    def title(self) -> str:
        """As an alert's output begins."""
        return self.text("title")[:_LONGEST_TITLE].replace("%", "%%")

    def text(self, key: str) -> str:
        value = self.node.entries.get(key)
        return value.value.strip() if isinstance(value, YamlScalar) else ""

    def place(self, *keys: str) -> Span:
        """Of the value behind the keys, as far as there is one."""
        node: YamlNode = self.node
        for key in keys:
            found = node.entries.get(key) if isinstance(node, YamlMap) else None
            if found is None:
                break
            node = found
        return self.node.keys["title"] if node is self.node else _first_line(node.span)

    def place_of(self, problem: SigmaError) -> Span:
        for kind, keys in _PLACES.items():
            if isinstance(problem, kind):
                return self.place(*keys)
        for value in _scalars(self.node.entries.get("detection")):
            if len(value.value) > 1 and f"'{value.value}'" in str(problem):
                return value.span
        return self.place("detection")

    def refuse(self, rule: Rule, message: str, place: Span) -> None:
        message = " ".join(message.split())
        self.rules.diagnostics.append(error("bad-sigma", message, place))
        rule.wrong = message

    def set_priority(self, rule: Rule) -> None:
        level = self.text("level").lower()
        if level and level not in LEVELS:
            near = suggest(level, LEVELS)
            help = f"did you mean `{near}`?" if near else f"there are {', '.join(LEVELS)}"
            place = self.place("level")
            self.rules.diagnostics.append(
                error("bad-sigma", f"there is no level `{level}`", place, help=help)
            )
        rule.priority = LEVELS.get(level, LEVELS["medium"])

    def set_condition(self, rule: Rule) -> None:
        keys = ("title", "logsource", "detection")
        entries: dict[str, object] = {
            key: _plain(value) for key, value in self.node.entries.items() if key in keys
        }
        sigma = SigmaRule.from_dict(entries)
        logsource = sigma.logsource
        origin = source_of(logsource.product, logsource.category, logsource.service)
        if origin is None and logsource.product in (None, "linux") and logsource.service:
            origin = Origin()  # the log of a program: only its keywords can be told
        if origin is None:
            names = filter(None, (logsource.product, logsource.category, logsource.service))
            rule.source = f"sigma {'/'.join(names)}"
            rule.condition = PlacedText(f"{LOG_MESSAGE} exists", self.place("logsource"))
            rule.output = PlacedText(self.title, rule.span)
            return
        transformation = ToEvents(origin=origin, audited=logsource.service == "auditd", unknown=[])
        backend = EventsBackend(make_pipeline(transformation))
        texts = [str(text) for text in backend.convert_rule(sigma)]
        text = texts[0] if len(texts) == 1 else f"({' or '.join(texts)})"
        rule.condition = self.placed(origin, text, backend.values)
        rule.output = PlacedText(f"{self.title} | {origin.output}", rule.span)
        rule.warn_event_types = False
        self.tell_unknown(origin, transformation)

    def placed(self, origin: Origin, text: str, values: list[str]) -> PlacedText:
        """The condition, each of its comparisons with the place of the value in the file."""
        whole = self.place("detection")
        scalars = _scalars(self.node.entries.get("detection"))
        base = f"{origin.condition} and (" if origin.condition else "("
        placed = PlacedText(base, self.place("logsource"))
        for number, part in split_places(text):
            span = whole
            if number >= 0:
                wanted = values[number].strip("*")
                span = next((s.span for s in scalars if s.value.strip("*") == wanted and wanted), whole)
            placed = placed.joined(PlacedText(part, span))
        return placed.joined(PlacedText(")", whole))

    def tell_unknown(self, origin: Origin, transformation: ToEvents) -> None:
        known = [*origin.fields, *(name for record in RECORDS.values() for name in record.fields)]
        detection = self.node.entries.get("detection")
        for name in dict.fromkeys(transformation.unknown):
            near = suggest(name, origin.fields or known)
            help = f"did you mean `{near}`?" if near else None
            place = _key_place(detection, name) or self.place("detection")
            message = f"no event here has `{name}`: what is compared with it is false"
            self.rules.diagnostics.append(warning("unknown-sigma-field", message, place, help=help))


def _first_line(span: Span) -> Span:
    """A block's first line: an error about it would show all of it."""
    end = span.source.text.find("\n", span.start, span.end)
    return span if end < 0 else Span(span.source, span.start, max(end, span.start + 1))


def _scalars(node: YamlNode | None) -> list[YamlScalar]:
    if isinstance(node, YamlScalar):
        return [node]
    if isinstance(node, YamlMap):
        return [scalar for value in node.entries.values() for scalar in _scalars(value)]
    return (
        [scalar for value in node.items for scalar in _scalars(value)] if isinstance(node, YamlList) else []
    )


def _key_place(node: YamlNode | None, field: str) -> Span | None:
    if isinstance(node, YamlMap):
        for key, span in node.keys.items():
            if key.partition("|")[0] == field:
                return span
        children = list(node.entries.values())
    else:
        children = node.items if isinstance(node, YamlList) else []
    return next((found for child in children if (found := _key_place(child, field)) is not None), None)


def _plain(node: YamlNode) -> object:
    """As pySigma wants it: texts, whole numbers, truth values, None."""
    if isinstance(node, YamlMap):
        return {key: _plain(value) for key, value in node.entries.items()}
    if isinstance(node, YamlList):
        return [_plain(item) for item in node.items]
    if not node.plain:
        return node.value
    word = node.value.lower()
    if word in ("", "~", "null"):
        return None
    if word in ("true", "false"):
        return word == "true"
    try:
        whole = int(node.value) if len(node.value) < 20 else None
        return whole if str(whole) == node.value else node.value
    except ValueError:
        return node.value
