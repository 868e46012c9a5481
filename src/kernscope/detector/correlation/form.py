"""What the keys `count`, `distinct`, `sequence`, `within` and `by` of a rule say, without any state."""

from __future__ import annotations

from kernscope.detector.condition_tree import print_operand
from kernscope.syntax.literals import DURATIONS_NS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.detector.conditions import Condition, Operand
    from kernscope.detector.correlation.by import Key
    from kernscope.detector.evaluate import Predicate
    from kernscope.detector.placed_text import PlacedText
    from kernscope.diagnostics import Span

__all__ = ["CorrelationForm", "StepForm"]


class StepForm:
    """A step of a sequence.

    Attributes:
        text: its condition as written; None where it is another rule's.
        rule: the name of the rule whose condition it is, or "".
        count: how many matches make the step.
        by: whose matches belong together, where the step has an answer of its own; else None.
        condition, predicate: expanded, with the rule's own condition and exceptions; set by the check.
    """

    __slots__ = ("by", "condition", "count", "predicate", "rule", "span", "text")

    def __init__(
        self, text: PlacedText | None, rule: str, count: int, by: list[Key] | None, span: Span
    ) -> None:
        self.text, self.rule, self.count, self.by, self.span = text, rule, count, by, span
        self.condition: Condition | None = None
        self.predicate: Predicate | None = None


class CorrelationForm:
    """One of three kinds.

    Attributes:
        kind: `count`, `distinct` or `sequence`.
        within_ns: the length of the window.
        by: whose matches belong together; empty for the whole host.
        count: matches, or different values of `field`; of a sequence 1.
        field: of `distinct`; else None.
        steps: of `sequence`, in their order; else empty.
    """

    __slots__ = ("by", "count", "field", "kind", "steps", "within_ns")

    def __init__(
        self,
        kind: str,
        within_ns: int,
        by: list[Key],
        *,
        count: int = 1,
        field: Operand | None = None,
        steps: list[StepForm] | None = None,
    ) -> None:
        self.kind, self.within_ns, self.by = kind, within_ns, by
        self.count, self.field, self.steps = count, field, steps or []

    def text(self) -> str:
        """In words: `20 matches within 10s by process`."""
        by = f" by {_names(self.by)}" if self.by else ""
        return f"{self._what()} within {_duration(self.within_ns)}{by}"

    def _what(self) -> str:
        if self.kind == "count":
            return f"{self.count:,} matches"
        if self.field is not None:
            return f"{self.count:,} different values of {print_operand(self.field)}"
        return f"{len(self.steps)} steps in order: {'; '.join(map(_step_text, self.steps))}; all"


def _step_text(step: StepForm) -> str:
    what = (
        f"`{step.rule}`" if step.rule else " ".join(step.text.text.split()) if step.text is not None else ""
    )
    times = f" ({step.count} times)" if step.count > 1 else ""
    return f"{what}{times}{f' by {_names(step.by)}' if step.by else ''}"


def _names(keys: list[Key]) -> str:
    return " and ".join(key.name for key in keys)


def _duration(ns: int) -> str:
    for unit in ("d", "h", "m", "s", "ms", "us"):
        if ns % DURATIONS_NS[unit] == 0:
            return f"{ns // DURATIONS_NS[unit]}{unit}"
    return f"{ns}ns"
