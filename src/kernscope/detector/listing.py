"""The states of rules as a table and as JSON."""

from __future__ import annotations

import json

from kernscope.detector.check import STATES, CheckedRules
from kernscope.diagnostics import to_json
from kernscope.output.table import Column, plain_text

__all__ = ["states_json", "states_text"]

_COLUMNS = [Column("STATE"), Column("PRIORITY"), Column("RULE"), Column("REASON")]


def states_text(rules: CheckedRules) -> str:
    """All rules, by state, and how many there are of each."""
    rows = [
        (rule.state, rule.rule.priority, rule.rule.name, rule.reason)
        for state in STATES
        for rule in rules.rules
        if rule.state == state
    ]
    counts = [(state, sum(row[0] == state for row in rows)) for state in STATES]
    summary = ", ".join(f"{count} {state}" for state, count in counts if count) or "no rules"
    return (plain_text(_COLUMNS, rows) + "\n" if rows else "") + summary + "\n"


def states_json(rules: CheckedRules) -> str:
    """`{"rules": […], "diagnostics": […], "requires": […]}`; rules in the order of definition."""
    listed = []
    for checked in rules.rules:
        source, start = checked.rule.span.source, checked.rule.span.start
        line, column = source.position(start)
        listed.append(
            {
                "rule": checked.rule.name,
                "state": checked.state,
                "reason": checked.reason,
                "priority": checked.rule.priority,
                "tags": checked.rule.tags,
                "source": checked.rule.source,
                "counts": None if checked.correlation is None else checked.correlation.form.text(),
                "missing_fields": checked.missing,
                "event_types": None if checked.event_types is None else sorted(checked.event_types),
                "file": source.name,
                "line": line,
                "column": column,
            }
        )
    found = {
        "rules": listed,
        "diagnostics": json.loads(to_json(rules.diagnostics)),
        "requires": rules.definitions.requires,
    }
    return json.dumps(found, indent=1) + "\n"
