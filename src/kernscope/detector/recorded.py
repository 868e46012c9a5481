"""Events that were written down, one JSON object of fields a line, and the alerts that rules give for them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from kernscope.detector.alert import Alert
from kernscope.detector.check import CheckedRules
from kernscope.detector.engine import Engine
from kernscope.diagnostics import Diagnostic, Source, Span, error

__all__ = ["alerts", "read_events"]

_LONGEST_LINE = 1 << 20


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
    """For each event, the alerts of all rules that match it, in the rules' order."""
    engine = Engine(rules)
    for event in events:
        yield from engine.feed(event)
