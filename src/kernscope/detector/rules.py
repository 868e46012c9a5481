"""Rules, macros and lists from files, in their order; later items redefine, append to or override earlier ones.

What an item means follows Falco's documentation ("Basic Elements", "Overriding", "Exceptions"), with one difference: a
macro or a list may stand after what uses it. Nothing here raises for what a file says: it is in `RuleSet.diagnostics`,
the item is left out, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kernscope.detector.definitions import ListDefinition, MacroDefinition, NameSpaces
from kernscope.detector.item_reader import ItemReader
from kernscope.detector.placed_text import PlacedText
from kernscope.detector.sigma import is_sigma, read_sigma
from kernscope.detector.yaml_source import YamlList, YamlMap, YamlNode, YamlScalar, read_yaml
from kernscope.diagnostics import Diagnostic, Source, Span, suggest

__all__ = [
    "OWN_KEYS",
    "PRIORITIES",
    "Exclusion",
    "Rule",
    "RuleSet",
    "load_rules",
]

PRIORITIES = ("emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug")
_PRIORITY_NAMES = {name: name for name in PRIORITIES} | {"info": "informational"}

OWN_KEYS = ("count", "distinct", "sequence", "within", "by")
"""Of rules that count; Falco has none of them."""
_APPENDABLE = ("condition", "output", "desc", "tags", "exceptions", "sequence")
_REPLACEABLE = (*_APPENDABLE, "priority", "enabled", "warn_evttypes", "skip-if-unknown-filter", *OWN_KEYS)
_FOR_PEOPLE = ("benign",)
"""Known causes of false alarms; nothing reads them."""
_RULE_KEYS = frozenset(
    ("rule", "source", "append", "override", "capture", "capture_duration", *_REPLACEABLE, *_FOR_PEOPLE)
)
_MACRO_KEYS = frozenset(("macro", "condition", "append", "override"))
_LIST_KEYS = frozenset(("list", "items", "append", "override"))


class Exclusion:
    """An entry of `exceptions`. `single`: one field and one operator, and `values` is a plain list.

    Otherwise each of `values` is a tuple with as many members as there are fields.
    """

    __slots__ = ("comps", "fields", "name", "single", "span", "values")

    def __init__(
        self,
        name: str,
        fields: list[YamlScalar],
        comps: list[str],
        single: bool,
        values: list[YamlNode],
        span: Span,
    ) -> None:
        self.name, self.fields, self.comps, self.single = name, fields, comps, single
        self.values, self.span = values, span


class Rule:
    """A rule as its files have it; `wrong` says why it cannot be used, its condition is checked all the same.

    `own`: the values of those of `OWN_KEYS` that it has. With a `sequence` the condition may be empty.
    """

    __slots__ = (
        *(
            "condition",
            "desc",
            "enabled",
            "exceptions",
            "name",
            "output",
            "own",
            "priority",
            "source",
            "span",
            "tags",
        ),
        *("skip_if_unknown", "warn_event_types", "wrong"),
    )

    def __init__(self, name: str, span: Span) -> None:
        self.name, self.span = name, span
        self.condition = self.output = PlacedText("", span)
        self.desc, self.priority, self.source = "", "debug", "syscall"
        self.wrong = ""
        self.tags: list[str] = []
        self.exceptions: list[Exclusion] = []
        self.own: dict[str, YamlNode] = {}
        self.enabled = self.warn_event_types = True
        self.skip_if_unknown = False


class RuleSet:
    """What the files define, by name, in the order of definition; `requires` notes versions that files ask for."""

    def __init__(self) -> None:
        self.rules: dict[str, Rule] = {}
        self.names = NameSpaces()
        self.requires: list[str] = []
        self.diagnostics: list[Diagnostic] = []


def load_rules(sources: Iterable[Source]) -> RuleSet:
    """Read files, the first first. Raises YamlMissing."""
    rules = RuleSet()
    for source in sources:
        rules.names.read(source)
        if is_sigma(source):
            read_sigma(source, rules)
            continue
        document = read_yaml(source)
        rules.diagnostics += document.diagnostics
        for item in document.items:
            _Item(rules, item).read()
    return rules


class _Item(ItemReader):
    """One item of a file's list."""

    def __init__(self, rules: RuleSet, node: YamlNode) -> None:
        super().__init__(rules.diagnostics)
        self.rules, self.node = rules, node
        self.names = rules.names.of(node.span.source)

    def read(self) -> None:
        node = self.node
        if not isinstance(node, YamlMap):
            self.report("bad-rule", "an item is a mapping with a key `rule`, `macro` or `list`", node.span)
            return
        kinds: dict[str, Callable[[YamlMap], None]] = {
            "rule": self.read_rule,
            "macro": self.read_macro,
            "list": self.read_list,
            "required_engine_version": self.read_requirement,
            "required_plugin_versions": self.read_requirement,
        }
        found = [kind for kind in kinds if kind in node.entries]
        if len(found) == 1:
            kinds[found[0]](node)
        elif found:
            self.report(
                "bad-rule", f"an item is one of {' and '.join(f'`{k}`' for k in found)}", node.keys[found[1]]
            )
        else:
            near = next((near for key in node.keys if (near := suggest(key, kinds))), None)
            self.report(
                "bad-rule",
                "this item is no rule, macro or list",
                next(iter(node.keys.values()), node.span),
                help=f"did you mean `{near}`?" if near else f"it has one of the keys {', '.join(kinds)}",
            )

    def read_requirement(self, node: YamlMap) -> None:
        for key, value in node.entries.items():
            parts = value.items if isinstance(value, YamlList) else [value]
            for part in parts:
                if isinstance(part, YamlMap):
                    words = [v.value for v in part.entries.values() if isinstance(v, YamlScalar)]
                    self.rules.requires.append(f"{key} {' '.join(words)}")
                elif isinstance(part, YamlScalar):
                    self.rules.requires.append(f"{key} {part.value}")

    def modes(self, node: YamlMap, kind: str, exists: bool) -> dict[str, str] | None:
        """What to do with each key: append or replace. Empty for a definition, None where something is wrong."""
        override = node.entries.get("override")
        append = "append" in node.entries and self.truth(node, "append", False)
        if override is None and not append:
            return {}
        place = node.keys["override" if override is not None else "append"]
        if override is not None and append:
            self.report("bad-override", "`append` and `override` exclude each other", place)
            return None
        if not exists:
            name = self.text(node, kind)
            self.report(
                "bad-override", f"there is no {kind} `{name}` before this that could be changed", place
            )
            return None
        if override is None:
            keys = {
                "rule": ("condition", "exceptions", "sequence"),
                "macro": ("condition",),
                "list": ("items",),
            }[kind]
            return {key: "append" for key in keys if key in node.entries}
        return self.override_modes(node, override, kind)

    def override_modes(self, node: YamlMap, override: YamlNode, kind: str) -> dict[str, str] | None:
        if not isinstance(override, YamlMap):
            self.report(
                "bad-override", "`override` is a mapping from keys to `append` or `replace`", override.span
            )
            return None
        own = {"macro": ("condition",), "list": ("items",)}
        before, modes = len(self.diagnostics), {}
        for key, value in override.entries.items():
            mode = value.value if isinstance(value, YamlScalar) else ""
            allowed = own.get(kind, _APPENDABLE if mode == "append" else _REPLACEABLE)
            if mode not in ("append", "replace"):
                self.report("bad-override", f"`{key}` is overridden by `append` or `replace`", value.span)
            elif key not in allowed:
                message = f"`{key}` of a {kind} cannot be overridden by `{mode}`"
                self.report(
                    "bad-override", message, override.keys[key], help=f"possible are {', '.join(allowed)}"
                )
            elif key not in node.entries:
                self.report(
                    "bad-override", f"`{key}` is to be overridden, but is not given", override.keys[key]
                )
            modes[key] = mode
        for key in node.entries:
            if key not in (kind, "override", *modes):
                message = f"`{key}` is given, but `override` does not say what to do with it"
                self.report("bad-override", message, node.keys[key])
        return modes if len(self.diagnostics) == before else None

    def read_list(self, node: YamlMap) -> None:
        self.known_keys(node, _LIST_KEYS)
        name = self.text(node, "list")
        before = self.names.find_list(name)
        modes = self.modes(node, "list", before is not None)
        items = self.scalars(node, "items")
        if not name or modes is None or items is None:
            return
        if before is not None and modes.get("items") == "append":
            items = before.items + items
        names = self.names.of_list(name) if modes else self.names
        names.lists[name] = ListDefinition(name, items, node.keys["list"])

    def read_macro(self, node: YamlMap) -> None:
        self.known_keys(node, _MACRO_KEYS)
        name = self.text(node, "macro")
        before = self.names.find_macro(name)
        modes = self.modes(node, "macro", before is not None)
        condition = self.placed(node, "condition")
        if not name or modes is None or condition is None:
            return
        if before is not None and modes.get("condition") == "append":
            condition = before.condition.joined(condition)
        names = self.names.of_macro(name) if modes else self.names
        names.macros[name] = MacroDefinition(name, condition, node.keys["macro"])

    def read_rule(self, node: YamlMap) -> None:
        name = self.text(node, "rule")
        if not name:
            return
        self.known_keys(node, _RULE_KEYS)
        base = self.rules.rules.get(name)
        modes = self.modes(node, "rule", base is not None)
        if modes is None:
            return
        if base is not None and node.entries.keys() == {"rule", "enabled"}:
            base.enabled = self.truth(node, "enabled", True)
        elif base is not None and modes:
            self.change_rule(base, node, modes)
        else:
            self.define_rule(name, node)

    def define_rule(self, name: str, node: YamlMap) -> None:
        before = len(self.diagnostics)
        rule = Rule(name, node.keys["rule"])
        needed = ("desc", "output", "priority", *(() if "sequence" in node.entries else ("condition",)))
        missing = [key for key in sorted(needed) if key not in node.entries]
        if missing:
            self.report(
                "bad-rule", f"the rule `{name}` has no {', '.join(f'`{k}`' for k in missing)}", rule.span
            )
        for key in node.entries:
            if key in _RULE_KEYS and key not in ("rule", "append", "override"):
                self.set(rule, node, key)
        wrong = [problem for problem in self.diagnostics[before:] if problem.severity == "error"]
        rule.wrong = wrong[0].message if wrong else ""
        self.rules.rules[name] = rule

    def set(self, rule: Rule, node: YamlMap, key: str) -> None:
        """Give the rule what the key says."""
        if key in ("condition", "output"):
            setattr(rule, key, self.placed(node, key) or PlacedText("", rule.span))
        elif key in ("desc", "source"):
            setattr(rule, key, self.text(node, key, empty=True))
        elif key == "tags":
            rule.tags = [item.value for item in self.scalars(node, key) or []]
        elif key == "exceptions":
            rule.exceptions = self.exceptions(node, [])
        elif key == "priority":
            self.set_priority(rule, node)
        elif key in ("enabled", "warn_evttypes", "skip-if-unknown-filter"):
            default = key != "skip-if-unknown-filter"
            names = {"warn_evttypes": "warn_event_types", "skip-if-unknown-filter": "skip_if_unknown"}
            setattr(rule, names.get(key, key), self.truth(node, key, default))
        elif key in OWN_KEYS:
            rule.own = {**rule.own, key: node.entries[key]}

    def set_priority(self, rule: Rule, node: YamlMap) -> None:
        given = self.text(node, "priority")
        priority = _PRIORITY_NAMES.get(given.lower())
        if priority is None and given:
            near = suggest(given.lower(), PRIORITIES)
            help = f"did you mean `{near}`?" if near else f"there are {', '.join(PRIORITIES)}"
            self.report(
                "bad-rule", f"there is no priority `{given}`", node.entries["priority"].span, help=help
            )
        rule.priority = priority or "debug"

    def change_rule(self, rule: Rule, node: YamlMap, modes: dict[str, str]) -> None:
        before = len(self.diagnostics)
        changed = Rule(rule.name, rule.span)
        for slot in Rule.__slots__:
            setattr(changed, slot, getattr(rule, slot))
        for key, mode in modes.items():
            if mode == "replace":
                self.set(changed, node, key)
            elif key in ("condition", "output"):
                added = self.placed(node, key)
                if added is not None:
                    setattr(changed, key, getattr(rule, key).joined(added))
            elif key == "desc":
                changed.desc = f"{rule.desc} {self.text(node, key)}"
            elif key == "tags":
                changed.tags = rule.tags + [item.value for item in self.scalars(node, key) or []]
            elif key == "exceptions":
                changed.exceptions = self.exceptions(node, rule.exceptions)
            elif key == "sequence":
                changed.own = {**rule.own, key: _joined(rule.own.get(key), node.entries[key])}
        if not any(problem.severity == "error" for problem in self.diagnostics[before:]):
            self.rules.rules[rule.name] = changed

    def exceptions(self, node: YamlMap, base: list[Exclusion]) -> list[Exclusion]:
        from kernscope.detector.exclusions import read_exclusion

        given = node.entries["exceptions"]
        if not isinstance(given, YamlList):
            self.report("bad-exception", "`exceptions` is a list", given.span)
            return base
        found = {entry.name: entry for entry in base}
        for item in given.items:
            entry = read_exclusion(self, item, found)
            if entry is not None:
                found[entry.name] = entry
        return list(found.values())


def _joined(first: YamlNode | None, second: YamlNode) -> YamlNode:
    """The steps of both; where one is no list, that one, which is complained about later."""
    if not isinstance(first, YamlList) or not isinstance(second, YamlList):
        return second if first is None or isinstance(first, YamlList) else first
    joined = YamlList(second.span)
    joined.items = first.items + second.items
    return joined
