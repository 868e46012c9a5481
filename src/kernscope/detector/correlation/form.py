"""What the keys `count`, `distinct`, `sequence`, `within` and `by` of a rule say, without any state."""

from __future__ import annotations

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
