"""What was counted goes on when rules are read again: rules that are as they were keep their state."""

from __future__ import annotations

from kernscope.detector.condition_tree import same

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from kernscope.detector.check import CheckedRule
    from kernscope.detector.correlation.by import Key
    from kernscope.detector.correlation.form import CorrelationForm, StepForm

__all__ = ["adopt_counts"]


def adopt_counts(new: Iterable[CheckedRule], old: Iterable[CheckedRule]) -> int:
    """Give new rules the counts of the old ones that say the same; how many did. The old ones must not be used then."""
    before = {rule.rule.name: rule for rule in old if rule.correlation is not None}
    adopted = 0
    for rule in new:
        other = before.get(rule.rule.name)
        mine, theirs = rule.correlation, other.correlation if other is not None else None
        if mine is None or theirs is None or other is None or not same(rule.condition, other.condition):
            continue
        if _same_form(mine.form, theirs.form):
            mine.table.take(theirs.table)
            mine.skipped = theirs.skipped
            adopted += 1
    return adopted


def _same_form(a: CorrelationForm, b: CorrelationForm) -> bool:
    return (
        (a.kind, a.within_ns, a.count) == (b.kind, b.within_ns, b.count)
        and same(a.field, b.field)
        and _same_keys(a.by, b.by)
        and len(a.steps) == len(b.steps)
        and all(map(_same_step, a.steps, b.steps))
    )


def _same_step(a: StepForm, b: StepForm) -> bool:
    by = a.by is None if b.by is None else a.by is not None and _same_keys(a.by, b.by)
    return by and a.count == b.count and same(a.condition, b.condition)


def _same_keys(a: list[Key], b: list[Key]) -> bool:
    return [key.name for key in a] == [key.name for key in b]
