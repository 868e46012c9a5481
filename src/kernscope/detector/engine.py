"""Rules on a stream of events: which of them match, in the rules' order.

The same engine judges what is watched and what was recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from kernscope.detector.alert import Alert, make_alert
from kernscope.detector.check import CheckedRule, CheckedRules
from kernscope.detector.compiled import compile_rules
from kernscope.detector.evaluate import Event, operand_value
from kernscope.detector.event_time import event_time_ns
from kernscope.kernel.heap import give_back_memory

__all__ = ["Engine"]

_NOTHING: dict[str, object] = {}
_MOST_TYPES = 1000
"""A recording may hold any names as types."""


class Engine:
    """All rules that are not disabled. A rule that cannot fire on a plain host is tried too: a recording may come from
    elsewhere.
    """

    def __init__(self, rules: CheckedRules) -> None:
        self.rules = [rule for rule in rules.rules if rule.predicate is not None and rule.state != "disabled"]
        self._by_type: dict[object, Callable[[Event], list[CheckedRule]]] = {}

    def rules_about(self, event_type: object) -> list[CheckedRule]:
        """Those that an event of this type can match, in their order."""
        return [r for r in self.rules if r.event_types is None or event_type in r.event_types]

    def matching(self, event: Event) -> list[CheckedRule]:
        """The rules whose conditions are true, in their order."""
        event_type = event.get("evt.type")
        match = self._by_type.get(event_type)
        if match is None:
            if len(self._by_type) >= _MOST_TYPES:
                self._by_type.clear()
            match = self._by_type[event_type] = compile_rules(self.rules_about(event_type), event_type)
            give_back_memory()
        return match(event)

    def feed(self, event: Event) -> list[Alert]:
        """The alerts for one event."""
        alerts = []
        for rule in self.matching(event):
            if rule.correlation is None:
                alerts.append(self._alert(rule, event, _NOTHING))
                continue
            evidence = rule.correlation.add(event, event_time_ns(event))
            if evidence is not None:
                alerts.append(self._alert(rule, _WithEvidence(event, evidence), evidence))
        return alerts

    def _alert(self, rule: CheckedRule, event: Event, evidence: dict[str, object]) -> Alert:
        output = rule.output.format(event, operand_value)
        return make_alert(rule.rule, output, rule.output.operands, event, evidence)


class _WithEvidence(Mapping[str, object]):
    """An event, and what a rule that counts has found."""

    __slots__ = ("event", "evidence")

    def __init__(self, event: Event, evidence: Mapping[str, object]) -> None:
        self.event, self.evidence = event, evidence

    def __getitem__(self, name: str) -> object:
        return self.evidence[name] if name in self.evidence else self.event[name]

    def get(self, name: str, default: object = None) -> object:
        return self.evidence[name] if name in self.evidence else self.event.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter({**self.event, **self.evidence})

    def __len__(self) -> int:
        return len({**self.event, **self.evidence})
