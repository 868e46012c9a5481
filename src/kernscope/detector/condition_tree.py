"""The tree of a condition, and the text that it prints as."""

from __future__ import annotations

from collections.abc import Iterator

from kernscope.detector.placed_text import PlacedText
from kernscope.diagnostics import Span

__all__ = [
    "And",
    "Call",
    "Check",
    "Condition",
    "Field",
    "Items",
    "Macro",
    "Not",
    "Operand",
    "Or",
    "Reference",
    "Value",
    "Word",
    "comparisons",
    "print_condition",
    "print_operand",
    "quote",
    "same",
]


class _Node:
    """A place in a condition: the text it was read from, and its first and last offset there."""

    __slots__ = ("end", "start", "text")

    def __init__(self, text: PlacedText, start: int, end: int) -> None:
        self.text, self.start, self.end = text, start, end

    @property
    def span(self) -> Span:
        return self.text.span(self.start, self.end)


class Field(_Node):
    """`proc.aname[2]`: name `proc.aname`, argument `2`; without brackets the argument is None."""

    __slots__ = ("argument", "name")

    def __init__(self, text: PlacedText, start: int, end: int, name: str, argument: str | None) -> None:
        super().__init__(text, start, end)
        self.name, self.argument = name, argument

    @property
    def key(self) -> str:
        """As an event has it."""
        return self.name if self.argument is None else f"{self.name}[{self.argument}]"


class Call(_Node):
    """A transformer of an operand: `tolower(proc.name)`."""

    __slots__ = ("name", "operand")

    def __init__(self, text: PlacedText, start: int, end: int, name: str, operand: Operand) -> None:
        super().__init__(text, start, end)
        self.name, self.operand = name, operand


class Word(_Node):
    """Text on the right; a quoted one is never a list's name."""

    __slots__ = ("quoted", "value")

    def __init__(self, text: PlacedText, start: int, end: int, value: str, quoted: bool) -> None:
        super().__init__(text, start, end)
        self.value, self.quoted = value, quoted


class Items(_Node):
    """`(a, "b", shell_binaries)`."""

    __slots__ = ("words",)

    def __init__(self, text: PlacedText, start: int, end: int, words: list[Word]) -> None:
        super().__init__(text, start, end)
        self.words = words


class Reference(_Node):
    """Another field's value on the right: `val(proc.pname)`, `tolower(proc.pname)`."""

    __slots__ = ("operand",)

    def __init__(self, text: PlacedText, start: int, end: int, operand: Operand) -> None:
        super().__init__(text, start, end)
        self.operand = operand


class Check(_Node):
    """A comparison; `value` is None for `exists`, Items for list operators."""

    __slots__ = ("operand", "operator", "value")

    def __init__(
        self, text: PlacedText, start: int, end: int, operand: Operand, operator: str, value: Value
    ) -> None:
        super().__init__(text, start, end)
        self.operand, self.operator, self.value = operand, operator, value


class Macro(_Node):
    __slots__ = ("name",)

    def __init__(self, text: PlacedText, start: int, end: int, name: str) -> None:
        super().__init__(text, start, end)
        self.name = name


class Not(_Node):
    __slots__ = ("part",)

    def __init__(self, text: PlacedText, start: int, end: int, part: Condition) -> None:
        super().__init__(text, start, end)
        self.part = part


class And(_Node):
    """At least two parts."""

    __slots__ = ("parts",)

    def __init__(self, text: PlacedText, start: int, end: int, parts: list[Condition]) -> None:
        super().__init__(text, start, end)
        self.parts = parts


class Or(_Node):
    """At least two parts."""

    __slots__ = ("parts",)

    def __init__(self, text: PlacedText, start: int, end: int, parts: list[Condition]) -> None:
        super().__init__(text, start, end)
        self.parts = parts


Operand = Field | Call
Value = Word | Items | Reference | None
Condition = And | Or | Not | Check | Macro


def comparisons(condition: Condition) -> Iterator[Check]:
    """All comparisons, those of shared trees once."""
    seen: set[int] = set()
    stack = [condition]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, And | Or):
            stack.extend(reversed(node.parts))
        elif isinstance(node, Not):
            stack.append(node.part)
        elif isinstance(node, Check):
            yield node


def print_condition(node: Condition) -> str:
    """A text that parses to the same tree."""
    match node:
        case Or():
            return " or ".join(_grouped(part, (Or,)) for part in node.parts)
        case And():
            return " and ".join(_grouped(part, (Or, And)) for part in node.parts)
        case Not():
            return f"not {_grouped(node.part, (Or, And))}"
        case Macro():
            return node.name
    if node.value is None:
        return f"{print_operand(node.operand)} exists"
    return f"{print_operand(node.operand)} {node.operator} {_value(node.value)}"


def _grouped(node: Condition, kinds: tuple[type, ...]) -> str:
    text = print_condition(node)
    return f"({text})" if isinstance(node, kinds) else text


def print_operand(operand: Operand) -> str:
    if isinstance(operand, Call):
        return f"{operand.name}({print_operand(operand.operand)})"
    if operand.argument is None:
        return operand.name
    plain = "]" not in operand.argument and operand.argument[:1] not in ("'", '"')
    return f"{operand.name}[{operand.argument if plain else quote(operand.argument)}]"


def quote(value: str) -> str:
    """The text in double quotes, as the language reads it back."""
    for plain, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
        value = value.replace(plain, escape)
    return f'"{value}"'


def _value(value: Word | Items | Reference) -> str:
    if isinstance(value, Word):
        return quote(value.value) if value.quoted else value.value
    if isinstance(value, Items):
        return f"({', '.join(map(_value, value.words))})"
    text = print_operand(value.operand)
    return f"val({text})" if isinstance(value.operand, Field) else text


def same(a: object, b: object) -> bool:
    """Whether two trees are the same, wherever they stand."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, _Node):
        return all(same(getattr(a, name), getattr(b, name)) for name in type(a).__slots__)
    return a == b
