"""Macros and lists written out: the condition that is evaluated.

Each macro is expanded once and its tree shared, so memory stays small; what would still take too long to evaluate,
counted as if every use were written out, is refused.
"""

from __future__ import annotations

from kernscope.detector.conditions import (
    And,
    Check,
    Condition,
    ConditionError,
    Items,
    Macro,
    Not,
    Or,
    Value,
    Word,
    parse_condition,
)
from kernscope.detector.definitions import Definition, ListDefinition, MacroDefinition
from kernscope.detector.exclusions import list_word, with_exclusions
from kernscope.detector.rules import Rule, RuleSet
from kernscope.diagnostics import error, suggest

__all__ = ["MOST_COMPARISONS", "Expander"]

MOST_COMPARISONS = 20_000
_MOST_DEPTH = 200
_MOST_WORDS = 100_000

_Expanded = tuple[Condition, int, int]
"""The condition, its comparisons, and its depth."""


class Expander:
    """Expands conditions of a set of rules; raises ConditionError, for the same macro always the same."""

    def __init__(self, rules: RuleSet) -> None:
        self.names = rules.names
        self._macros: dict[MacroDefinition, _Expanded | ConditionError] = {}
        self._lists: dict[ListDefinition, list[Word] | ConditionError] = {}
        self._open: list[Definition] = []
        self._uses: dict[Definition | None, set[Definition]] = {None: set()}

    def rule(self, rule: Rule) -> Condition:
        """A rule's condition with its exceptions."""
        condition = with_exclusions(rule, parse_condition(rule.condition))
        return self._expand(condition)[0]

    def step(self, rule: Rule, condition: Condition) -> Condition:
        """A step of a rule's sequence, with the rule's condition, if it has one, and its exceptions."""
        if rule.condition.text:
            place = (condition.text, condition.start, condition.end)
            condition = And(*place, [parse_condition(rule.condition), condition])
        return self._expand(with_exclusions(rule, condition))[0]

    def macro(self, definition: MacroDefinition) -> Condition:
        return self._macro(definition)[0]

    def items(self, definition: ListDefinition) -> list[Word]:
        return self._list(definition)

    def used(self) -> set[Definition]:
        """What the rules that were expanded use, directly or by way of others."""
        found: set[Definition] = set()
        waiting = list(self._uses[None])
        while waiting:
            definition = waiting.pop()
            if definition not in found:
                found.add(definition)
                waiting += self._uses.get(definition, ())
        return found

    def _expand(self, node: Condition) -> _Expanded:
        match node:
            case Macro():
                return self._macro(self._named(node))
            case Not():
                part, size, depth = self._expand(node.part)
                return self._bounded(Not(node.text, node.start, node.end, part), size, depth + 1)
            case And() | Or():
                parts = [self._expand(part) for part in node.parts]
                joined = type(node)(node.text, node.start, node.end, [part for part, _, _ in parts])
                return self._bounded(joined, sum(p[1] for p in parts), 1 + max(p[2] for p in parts))
        value = self._value(node.value)
        return Check(node.text, node.start, node.end, node.operand, node.operator, value), 1, 1

    def _bounded(self, node: Condition, size: int, depth: int) -> _Expanded:
        if size > MOST_COMPARISONS:
            message = f"with its macros this has more than {MOST_COMPARISONS} comparisons"
            raise ConditionError(error("rule-too-large", message, node.span))
        if depth > _MOST_DEPTH:
            message = f"with its macros this is nested more than {_MOST_DEPTH} deep"
            raise ConditionError(error("rule-too-large", message, node.span))
        return node, size, depth

    def _named(self, node: Macro) -> MacroDefinition:
        """What the name means in the file that it stands in."""
        names = self.names.of(node.text.source(node.start))
        definition = names.find_macro(node.name)
        if definition is None:
            if names.find_list(node.name) is not None:
                help = f"`{node.name}` is a list: compare a field with it, as in `proc.name in ({node.name})`"
            else:
                near = suggest(node.name, names.macro_names())
                help = f"did you mean `{near}`?" if near else "define it: `- macro: …`"
            message = f"there is no macro `{node.name}`"
            raise ConditionError(error("undefined-macro", message, node.span, help=help))
        self._use(node, definition, "macro")
        return definition

    def _use(self, node: Macro | Word, definition: Definition, kind: str) -> None:
        """Note it; raises ConditionError where the definition is being expanded."""
        if definition in self._open:
            names = [*(d.name for d in self._open[self._open.index(definition) :]), definition.name]
            chain = " → ".join(f"`{name}`" for name in names)
            message = f"the {kind} `{definition.name}` contains itself: {chain}"
            raise ConditionError(error("rule-cycle", message, node.span))
        self._uses.setdefault(self._open[-1] if self._open else None, set()).add(definition)

    def _macro(self, definition: MacroDefinition) -> _Expanded:
        known = self._macros.get(definition)
        if isinstance(known, ConditionError):
            raise known
        if known is not None:
            return known
        self._open.append(definition)
        try:
            expanded = self._expand(parse_condition(definition.condition))
        except ConditionError as problem:
            self._macros[definition] = problem
            raise
        finally:
            self._open.pop()
        self._macros[definition] = expanded
        return expanded

    def _value(self, value: Value) -> Value:
        if not isinstance(value, Items):
            return value
        words = self._words(value.words)
        return Items(value.text, value.start, value.end, words)

    def _words(self, words: list[Word]) -> list[Word]:
        found: list[Word] = []
        for word in words:
            if not word.quoted and (named := self._list_named(word)) is not None:
                found += self._list(named)
            elif word.value or word.quoted:
                found.append(Word(word.text, word.start, word.end, word.value, True))
            if len(found) > _MOST_WORDS:
                message = f"with its lists this has more than {_MOST_WORDS} values"
                raise ConditionError(error("rule-too-large", message, word.span))
        return found

    def _list_named(self, word: Word) -> ListDefinition | None:
        definition = self.names.of(word.text.source(word.start)).find_list(word.value)
        if definition is not None:
            self._use(word, definition, "list")
        return definition

    def _list(self, definition: ListDefinition) -> list[Word]:
        known = self._lists.get(definition)
        if isinstance(known, ConditionError):
            raise known
        if known is not None:
            return known
        self._open.append(definition)
        try:
            words = self._words([list_word(item) for item in definition.items])
        except ConditionError as problem:
            self._lists[definition] = problem
            raise
        finally:
            self._open.pop()
        self._lists[definition] = words
        return words
