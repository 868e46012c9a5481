"""Events that were written down, one JSON object of fields a line, and the alerts that rules give for them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from kernscope.detector.check import CheckedRule, CheckedRules
from kernscope.detector.evaluate import operand_value
from kernscope.diagnostics import Diagnostic, Source, Span, error
from kernscope.output.escape import escape_text

__all__ = ["Alert", "alerts", "read_events"]

_LONGEST_LINE = 1 << 20


class Alert:
    """One rule that matched one event; `output` is its line, control characters escaped."""

    __slots__ = ("event", "number", "output", "rule")

    def __init__(self, number: int, rule: CheckedRule, event: dict[str, object], output: str) -> None:
        self.number, self.rule, self.event, self.output = number, rule, event, output

    def text(self) -> str:
        """`TIME: Priority OUTPUT`, without the time where the event has none."""
        time = self.event.get("evt.time")
        line = f"{self.rule.rule.priority.capitalize()} {self.output}"
        return line if time is None else f"{escape_text(str(time))}: {line}"

    def json(self) -> str:
        """One line: rule, priority, tags, output, the number of the event, and the fields that the output shows."""
        fields = {
            getattr(operand, "key", operand.name): operand_value(operand, self.event)
            for operand in self.rule.output.operands
        }
        rule = self.rule.rule
        return json.dumps(
            {
                "event": self.number,
                "time": self.event.get("evt.time"),
                "rule": rule.name,
                "priority": rule.priority,
                "tags": rule.tags,
                "output": self.output,
                "output_fields": fields,
            }
        )


def read_events(source: Source, problems: list[Diagnostic]) -> Iterator[dict[str, object]]:
    """The events of a recording; lines that are none are added to `problems`.

    `evt.num` counts from 1 where it is missing.
    """
    offset = number = 0
    for line in source.text.split("\n"):
        start, offset = offset, offset + len(line) + 1
        if not line.strip():
            continue
        message, place, event = "", start, None
        try:
            if len(line) > _LONGEST_LINE:
                raise ValueError(f"the line is longer than {_LONGEST_LINE >> 20} MiB")
            event = json.loads(line)
        except json.JSONDecodeError as problem:
            message, place = f"not JSON: {problem.msg}", start + problem.pos
        except (ValueError, RecursionError) as problem:
            message = "nested too deeply" if isinstance(problem, RecursionError) else str(problem)
        if not message and not _is_event(event):
            message = "an event is an object of texts, numbers, truth values, null and lists of them"
        if message:
            problems.append(error("bad-event", message, Span(source, place, place + 1)))
            continue
        assert isinstance(event, dict)
        number += 1
        event.setdefault("evt.num", number)
        yield event


def _is_event(value: object) -> bool:
    simple = (str, int, float, bool, type(None))
    return isinstance(value, dict) and all(
        isinstance(v, simple) or (isinstance(v, list) and all(isinstance(one, simple) for one in v))
        for v in value.values()
    )


def alerts(rules: CheckedRules, events: Iterable[dict[str, object]]) -> Iterator[Alert]:
    """For each event, the alerts of all rules that match it, in the rules' order.

    A rule that cannot fire on a plain host is evaluated too: a recording may come from elsewhere.
    """
    active = [rule for rule in rules.rules if rule.predicate is not None and rule.state != "disabled"]
    for number, event in enumerate(events, 1):
        for rule in active:
            assert rule.predicate is not None
            if rule.predicate(event):
                yield Alert(number, rule, event, rule.output.format(event, operand_value))
