"""The service's configuration: from one YAML file, every error with its place; and the defaults as such a file."""

from __future__ import annotations

from kernscope.detector.reactions import Context, Match, Protection, kinds, make_ladder
from kernscope.detector.rules import PRIORITIES
from kernscope.detector.service.keys import SECTIONS, TOP, Key
from kernscope.detector.sinks import SinkError, kind_named
from kernscope.detector.sinks.settings import number
from kernscope.detector.yaml_source import YamlList, YamlMap, YamlNode, YamlScalar, read_documents
from kernscope.diagnostics import Diagnostic, Source, Span, error, suggest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernscope.detector.reactions import Ladder
    from kernscope.detector.sinks.base import Setting

__all__ = ["Configuration", "LadderForm", "default_text", "read_configuration"]

_PATH = "/etc/kernscope/detect.yaml"
_LISTS = ("sinks", "reactions")
_CODE = "bad-detect-config"


class LadderForm:
    """A ladder as the file has it: what it is about, and kinds of steps with their settings and `after`."""

    __slots__ = ("match", "name", "steps")

    def __init__(self, name: str, match: Match, steps: list[tuple[str, dict[str, object], int]]) -> None:
        self.name, self.match, self.steps = name, match, steps


class Configuration:
    """Values of all keys.

    Attributes:
        values: `rules`, `enforce`, `store.path`, …: what the table's readers made of them.
        sinks: settings of each, as `sinks.make` takes them.
        ladders: the reactions.
    """

    def __init__(self) -> None:
        self.values: dict[str, object] = {key.setting.name: key.setting.default for key in TOP}
        for section, (_, keys) in SECTIONS.items():
            for key in keys:
                self.values[f"{section}.{key.setting.name}"] = key.setting.default
        self.sinks: list[dict[str, object]] = [{"kind": "stdout"}]
        self.ladders: list[LadderForm] = []

    def flag(self, name: str) -> bool:
        return self.values[name] is True

    def texts(self, name: str) -> list[str]:
        value = self.values[name]
        assert isinstance(value, list)
        return [str(word) for word in value]

    def text(self, name: str) -> str:
        """Empty where nothing is given."""
        return str(self.values[name] or "")

    def number(self, name: str) -> float:
        return float(str(self.values[name]))

    def protection(self) -> Protection:
        return Protection(self.texts("protect.paths"), self.texts("protect.addresses"))

    def make_ladders(self, context: Context) -> list[Ladder]:
        return [make_ladder(form.name, form.match, form.steps, context) for form in self.ladders]

    def reactions_key(self) -> object:
        """The same for configurations whose reactions are the same."""
        names = [
            name for name in self.values if name.startswith(("enforce", "dry_run", "limit.", "protect."))
        ]
        ladders = [(f.match.rules, f.match.tags, f.match.priority, f.steps) for f in self.ladders]
        return [(name, self.values[name]) for name in names], ladders

    def delivery_key(self) -> object:
        """The same for configurations with the same store and sinks."""
        return [(n, v) for n, v in self.values.items() if n.startswith("store.")], self.sinks

    @property
    def kinds(self) -> set[str]:
        """Of all steps."""
        return {kind for form in self.ladders for kind, _, _ in form.steps}


def read_configuration(source: Source) -> tuple[Configuration, list[Diagnostic]]:
    """What a file says; where there are errors the configuration is not to be used. Raises YamlMissing."""
    configuration = Configuration()
    document = read_documents(source)
    problems = list(document.diagnostics)
    if len(document.items) > 1:
        problems.append(error(_CODE, "a configuration is one document", document.items[1].span))
    for item in document.items[:1]:
        if isinstance(item, YamlMap):
            _Reader(configuration, problems).read(item)
        elif not (isinstance(item, YamlScalar) and not item.value):
            problems.append(error(_CODE, "a configuration is a mapping of keys to values", item.span))
    return configuration, problems


class _Reader:
    def __init__(self, configuration: Configuration, problems: list[Diagnostic]) -> None:
        self.configuration, self.problems = configuration, problems

    def report(self, message: str, span: Span, help: str | None = None) -> None:
        self.problems.append(error(_CODE, message, span, help=help))

    def unknown(self, key: str, span: Span, known: Sequence[str], where: str) -> None:
        near = suggest(key, known)
        help = f"did you mean `{near}`?" if near else f"there are {', '.join(known) or 'none'}"
        self.report(f"there is no key `{key}`{where}", span, help)

    def read(self, node: YamlMap) -> None:
        top = {key.setting.name: key for key in TOP}
        for name, value in node.entries.items():
            if name in top:
                self.value(name, top[name], value)
            elif name in SECTIONS:
                self.section(name, value)
            elif name == "sinks":
                self.configuration.sinks = self.sinks(value)
            elif name == "reactions":
                self.configuration.ladders = self.ladders(value)
            else:
                self.unknown(name, node.keys[name], [*top, *SECTIONS, *_LISTS], "")

    def value(self, name: str, key: Key, node: YamlNode) -> None:
        try:
            self.configuration.values[name] = key.setting.read(_plain(node))
        except ValueError as problem:
            self.report(f"`{name}` {problem}", node.span)

    def section(self, section: str, node: YamlNode) -> None:
        doc, keys = SECTIONS[section]
        known = {key.setting.name: key for key in keys}
        if not isinstance(node, YamlMap):
            self.report(f"`{section}` is a mapping with {', '.join(known)}: {doc}", node.span)
            return
        for name, value in node.entries.items():
            if name in known:
                self.value(f"{section}.{name}", known[name], value)
            else:
                self.unknown(name, node.keys[name], list(known), f" in `{section}`")

    def items(self, node: YamlNode, what: str) -> list[YamlMap]:
        if isinstance(node, YamlScalar) and not node.value:
            return []
        if not isinstance(node, YamlList):
            self.report(f"{what} are a list", node.span)
            return []
        for item in node.items:
            if not isinstance(item, YamlMap):
                self.report(f"each of the {what} is a mapping", item.span)
        return [item for item in node.items if isinstance(item, YamlMap)]

    def settings(
        self, node: YamlMap, known: Sequence[Setting], where: str, others: Sequence[str] = ()
    ) -> dict[str, object]:
        """The values of a mapping's keys, checked; those that `others` names are left to the caller."""
        by_name = {setting.name: setting for setting in known}
        found: dict[str, object] = {}
        for name, value in node.entries.items():
            if name in others:
                continue
            if name not in by_name:
                self.unknown(name, node.keys[name], [*by_name, *others], f" in {where}")
                continue
            try:
                found[name] = _plain(value)
                by_name[name].read(found[name])
            except ValueError as problem:
                self.report(f"`{name}` {problem}", value.span)
        for setting in known:
            if setting.needed and setting.name not in node.entries:
                self.report(f"{where} needs `{setting.name}`: {setting.doc}", _start(node))
        return found

    def sinks(self, node: YamlNode) -> list[dict[str, object]]:
        found = []
        for item in self.items(node, "sinks"):
            kind = item.entries.get("kind")
            try:
                name = kind.value if isinstance(kind, YamlScalar) else ""
                entry = kind_named(name)
            except SinkError as problem:
                message = str(problem) if name else "a sink needs a `kind`"
                self.report(message, kind.span if kind is not None else _start(item))
                continue
            values = self.settings(item, entry.settings, f"a sink of kind `{name}`", ("kind",))
            found.append({"kind": name, **values})
        return found

    def ladders(self, node: YamlNode) -> list[LadderForm]:
        found = []
        for place, item in enumerate(self.items(node, "reactions"), 1):
            lists: dict[str, list[str]] = {}
            for name in ("rules", "tags"):
                given = _plain(item.entries[name]) if name in item.entries else []
                words = [given] if isinstance(given, str) else given
                if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                    self.report(f"`{name}` is a list of names, with `*`", item.entries[name].span)
                    words = []
                lists[name] = [str(word) for word in words]
            priority = self.priority(item)
            for name in item.entries:
                if name not in ("rules", "tags", "priority", "steps"):
                    known = ("rules", "tags", "priority", "steps")
                    self.unknown(name, item.keys[name], known, " in a reaction")
            match = Match(lists["rules"], lists["tags"], priority)
            found.append(LadderForm(f"reaction {place}", match, self.steps(item)))
        return found

    def priority(self, node: YamlMap) -> str:
        value = node.entries.get("priority")
        if value is None:
            return ""
        word = value.value.lower() if isinstance(value, YamlScalar) else ""
        word = {"info": "informational"}.get(word, word)
        if word not in PRIORITIES:
            near = suggest(word, PRIORITIES)
            help = f"did you mean `{near}`?" if near else f"there are {', '.join(PRIORITIES)}"
            self.report(f"there is no priority `{word}`", value.span, help)
            return ""
        return word

    def steps(self, node: YamlMap) -> list[tuple[str, dict[str, object], int]]:
        """`- kill`, or `- run: {command: …}`."""
        given = node.entries.get("steps")
        if not isinstance(given, YamlList) or not given.items:
            self.report("a reaction needs `steps`, a list", given.span if given is not None else _start(node))
            return []
        found = []
        for item in given.items:
            step = self.step(item)
            if step is not None:
                found.append(step)
        return found

    def step(self, item: YamlNode) -> tuple[str, dict[str, object], int] | None:
        name, inside = "", None
        if isinstance(item, YamlScalar):
            name = item.value
        elif isinstance(item, YamlMap) and len(item.entries) == 1:
            name, inside = next(iter(item.entries.items()))
            if isinstance(inside, YamlScalar) and not inside.value:
                inside = None
        kind = kinds().get(name)
        if kind is None:
            near = suggest(name, kinds())
            help = f"did you mean `{near}`?" if near else f"there are {', '.join(kinds())}"
            what = f"there is no reaction `{name}`" if name else "a step is `KIND` or `KIND: {SETTINGS}`"
            self.report(what, _start(item), help)
            return None
        if inside is None:
            inside = YamlMap(item.span)
        if not isinstance(inside, YamlMap):
            self.report(f"the settings of `{name}` are a mapping", inside.span)
            return None
        values = self.settings(inside, kind.settings, f"`{name}`", ("after",))
        after = 1
        if "after" in inside.entries:
            try:
                after = number(1, 1_000_000)(_plain(inside.entries["after"]))
            except ValueError as problem:
                self.report(f"`after` {problem}", inside.entries["after"].span)
        return name, values, after


def _start(node: YamlNode) -> Span:
    """A block's beginning: an error about all of it would show all of it."""
    if isinstance(node, YamlMap) and node.keys:
        return next(iter(node.keys.values()))
    return node.span


def _plain(node: YamlNode) -> object:
    """Texts, lists, mappings; None for nothing."""
    if isinstance(node, YamlMap):
        return {key: _plain(value) for key, value in node.entries.items()}
    if isinstance(node, YamlList):
        return [_plain(item) for item in node.items]
    return None if node.plain and node.value.lower() in ("", "~", "null") else node.value


def default_text() -> str:
    """A file with all keys, their meaning and defaults."""
    lines = [f"# Configuration of `kernscope detect run --config {_PATH}`: the defaults.", ""]
    for key in TOP:
        lines += _lines(key, "")
    for section, (doc, keys) in SECTIONS.items():
        lines += [f"# {doc}", f"{section}:"]
        for key in keys:
            lines += _lines(key, "  ")
    lines += ["# where alerts go, besides the store; kinds and their keys:"]
    from kernscope.detector.sinks import KINDS

    for name in KINDS:
        kind = kind_named(name)
        lines.append(f"#   {name}: {kind.doc}")
        lines += [f"#     {setting.name}: {setting.doc}" for setting in kind.settings]
    lines += ["sinks:", "  - kind: stdout", ""]
    lines += [
        "# what is done about alerts; the first steps come first, `after: 3` means from the third alert of a rule in",
        "# an incident on. Kinds of steps and their keys (! needs `enforce: true`):",
    ]
    for step in kinds().values():
        lines.append(f"#   {step.name}{'!' if step.enforces else ''}: {step.doc}")
        lines += [f"#     {setting.name}: {setting.doc}" for setting in step.settings]
    lines += ["reactions: []", *_EXAMPLE.splitlines()]
    return "\n".join(lines) + "\n"


_EXAMPLE = """\
# reactions:
#   - priority: critical
#     rules: [Shell of a web server]
#     tags: [T1059]
#     steps:
#       - run: {command: [/usr/local/bin/tell-operators], timeout: 10s}
#       - stop: {ttl: 10m}
#       - kill: {after: 3}
"""


def _lines(key: Key, indent: str) -> list[str]:
    name = key.setting.name
    lines = [f"{indent}# {key.setting.doc}"]
    if key.default is None:
        lines.append(f"{indent}# {name}:")
    elif isinstance(key.default, list):
        lines += [f"{indent}{name}:", *(f"{indent}  - {_scalar(word)}" for word in key.default)]
    else:
        lines.append(f"{indent}{name}: {key.default}")
    if key.example:
        lines.append(f"{indent}# {key.example}")
    return [*lines, *([] if indent else [""])]


def _scalar(word: str) -> str:
    """A word that YAML reads as it stands, or in quotes."""
    plain = word[:1].isalnum() or word.startswith("/")
    return word if plain and ": " not in word and not word.endswith(":") else f"'{word}'"
