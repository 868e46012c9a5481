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
from kernscope.detector.exclusions import list_word, with_exclusions
from kernscope.detector.rules import Rule, RuleSet
from kernscope.diagnostics import Span, error, suggest

__all__ = ["MOST_COMPARISONS", "Expander"]

MOST_COMPARISONS = 20_000
_MOST_DEPTH = 200
_MOST_WORDS = 100_000

_Expanded = tuple[Condition, int, int]
"""The condition, its comparisons, and its depth."""


class Expander:
    """Expands conditions of a set of rules; raises ConditionError, for the same macro always the same."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self._macros: dict[str, _Expanded | ConditionError] = {}
        self._lists: dict[str, list[Word] | ConditionError] = {}
        self._open_macros: list[str] = []
        self._open_lists: list[str] = []

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

    def macro(self, name: str) -> Condition:
        """A macro that is defined."""
        return self._macro(name, self.rules.macros[name].span)[0]

    def items(self, name: str) -> list[Word]:
        """The items of a list that is defined."""
        return self._list(name, self.rules.lists[name].span)

    def _expand(self, node: Condition) -> _Expanded:
        match node:
            case Macro():
                return self._macro(node.name, node.span)
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

    def _macro(self, name: str, use: Span) -> _Expanded:
        known = self._macros.get(name)
        if isinstance(known, ConditionError):
            raise known
        if known is not None:
            return known
        if name in self._open_macros:
            raise self._cycle("macro", [*self._open_macros[self._open_macros.index(name) :], name], use)
        definition = self.rules.macros.get(name)
        if definition is None:
            raise self._undefined(name, use)
        self._open_macros.append(name)
        try:
            expanded = self._expand(parse_condition(definition.condition))
        except ConditionError as problem:
            self._macros[name] = problem
            raise
        finally:
            self._open_macros.pop()
        self._macros[name] = expanded
        return expanded

    def _cycle(self, kind: str, names: list[str], use: Span) -> ConditionError:
        chain = " → ".join(f"`{name}`" for name in names)
        return ConditionError(error("rule-cycle", f"the {kind} `{names[0]}` contains itself: {chain}", use))

    def _undefined(self, name: str, use: Span) -> ConditionError:
        if name in self.rules.lists:
            help = f"`{name}` is a list: compare a field with it, as in `proc.name in ({name})`"
        else:
            near = suggest(name, self.rules.macros)
            help = f"did you mean `{near}`?" if near else "define it: `- macro: …`"
        return ConditionError(error("undefined-macro", f"there is no macro `{name}`", use, help=help))

    def _value(self, value: Value) -> Value:
        if not isinstance(value, Items):
            return value
        words = self._words(value.words)
        return Items(value.text, value.start, value.end, words)

    def _words(self, words: list[Word]) -> list[Word]:
        found: list[Word] = []
        for word in words:
            if not word.quoted and word.value in self.rules.lists:
                found += self._list(word.value, word.span)
            elif word.value or word.quoted:
                found.append(Word(word.text, word.start, word.end, word.value, True))
            if len(found) > _MOST_WORDS:
                message = f"with its lists this has more than {_MOST_WORDS} values"
                raise ConditionError(error("rule-too-large", message, word.span))
        return found

    def _list(self, name: str, use: Span) -> list[Word]:
        known = self._lists.get(name)
        if isinstance(known, ConditionError):
            raise known
        if known is not None:
            return known
        if name in self._open_lists:
            raise self._cycle("list", [*self._open_lists[self._open_lists.index(name) :], name], use)
        self._open_lists.append(name)
        try:
            words = self._words([list_word(item) for item in self.rules.lists[name].items])
        except ConditionError as problem:
            self._lists[name] = problem
            raise
        finally:
            self._open_lists.pop()
        self._lists[name] = words
        return words
