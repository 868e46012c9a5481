"""A rule's output: text with fields, `%proc.name`, `%proc.aname[2]`, `%toupper(user.name)`; `%%` is a percent sign.

A `*` before everything (`*%proc.name …`) says that missing fields do not suppress the alert, which is so anyway.
A missing field is shown as `<NA>`. Values come from who is watched, so control characters in them are escaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from kernscope.detector.conditions import ConditionError, Operand, parse_operand
from kernscope.detector.placed_text import PlacedText
from kernscope.diagnostics import Diagnostic, error
from kernscope.output.escape import escape_text

__all__ = ["MISSING", "OutputFormat", "parse_output"]

MISSING = "<NA>"
_NAME = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*(?:\[[^\]]*\])?"
_FIELD = re.compile(rf"%%|%((?:[a-z0-9]+\()*{_NAME}\)*)|%")


class OutputFormat:
    """Texts and operands, in order."""

    __slots__ = ("parts",)

    def __init__(self, parts: list[str | Operand]) -> None:
        self.parts = parts

    @property
    def operands(self) -> list[Operand]:
        return [part for part in self.parts if not isinstance(part, str)]

    def format(
        self, event: Mapping[str, object], value: Callable[[Operand, Mapping[str, object]], object]
    ) -> str:
        """One line; `value` gives an operand's value, None where it is missing."""
        texts = []
        for part in self.parts:
            texts.append(part if isinstance(part, str) else _shown(value(part, event)))
        return escape_text("".join(texts))


def _shown(value: object) -> str:
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(map(_shown, value))
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def parse_output(text: PlacedText) -> tuple[OutputFormat, list[Diagnostic]]:
    """The format, and what is wrong with it."""
    parts: list[str | Operand] = []
    problems: list[Diagnostic] = []
    # Line ends of the rule file would split an alert.
    value = text.text.rstrip("\n")
    position = 1 if value.startswith("*%") else 0
    for match in _FIELD.finditer(value, position):
        parts.append(value[position : match.start()].replace("\n", " "))
        position = match.end()
        field = match.group(1)
        if field is None:
            parts.append("%")
            continue
        while field.count(")") > field.count("("):
            field, position = field[:-1], position - 1
        if "." not in field:
            parts.append("%" + field)
            continue
        start = match.start(1)
        try:
            parts.append(parse_operand(PlacedText(field, text.span(start, start + len(field)))))
        except ConditionError as problem:
            found = problem.diagnostic
            problems.append(
                error("bad-output", f"in the output: {found.message}", found.span, help=found.help)
            )
    parts.append(value[position:].replace("\n", " "))
    return OutputFormat([part for part in parts if part]), problems
