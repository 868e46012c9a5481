"""The condition language of Falco's rules: text → tree → text.

    condition:  ANY "or" ANY ...  |  ANY "and" ANY ...  |  "not" ANY  |  "(" condition ")"
    ANY:        FIELD OPERATOR VALUE  |  FIELD "exists"  |  FIELD LIST_OPERATOR "(" VALUE, ... ")"  |  macro's name
    FIELD:      proc.name  |  proc.aname[2]  |  tolower(FIELD)

What a word means depends on where it stands (`proc.name` is a field on the left and text on the right), so there is no
separate lexer: each rule of the grammar reads the characters it wants. Behaviour: falco.org, "Condition Syntax".
`condition_tree.print_condition` writes a text that parses to the same tree.
"""

from __future__ import annotations

import re

from kernscope.detector.condition_tree import (
    And,
    Call,
    Check,
    Condition,
    Field,
    Items,
    Macro,
    Not,
    Operand,
    Or,
    Reference,
    Value,
    Word,
    print_condition,
    same,
)
from kernscope.detector.placed_text import PlacedText
from kernscope.diagnostics import Diagnostic, error, suggest

__all__ = [
    "LIST_OPERATORS",
    "OPERATORS",
    "TRANSFORMERS",
    "And",
    "Call",
    "Check",
    "Condition",
    "ConditionError",
    "Field",
    "Items",
    "Macro",
    "Not",
    "Operand",
    "Or",
    "Reference",
    "Value",
    "Word",
    "parse_condition",
    "parse_operand",
    "print_condition",
    "same",
]

LIST_OPERATORS = ("in", "intersects", "pmatch")
"""Their right side is a list in parentheses, or a list's name."""
OPERATORS = (
    *("=", "!=", "<", "<=", ">", ">=", "contains", "icontains", "bcontains", "startswith", "bstartswith"),
    *("endswith", "glob", "iglob", "regex", *LIST_OPERATORS, "exists"),
)
TRANSFORMERS = ("tolower", "toupper", "b64", "basename", "len")
MOST_NESTING = 100
"""Parentheses and `not` inside each other."""

_BLANK = re.compile(r"\s*")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_\-]*(?:\.[A-Za-z0-9_\-]+)*")
_SYMBOL = re.compile(r"==|!=|<=|>=|=|<|>")
_BARE = re.compile(r"""[^\s()"',]+""")
_LIST_WORD = re.compile(r"""[^\s()"',]+""")
_ESCAPES = {"\\": "\\", '"': '"', "'": "'", "n": "\n", "t": "\t", "r": "\r"}
_KEYWORDS = frozenset(("and", "or", "not", *OPERATORS))


class ConditionError(Exception):
    """The text is no condition; `diagnostic` says where and why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(str(diagnostic))


def parse_condition(text: PlacedText) -> Condition:
    """The tree. Raises ConditionError."""
    parser = _Parser(text)
    condition = parser.alternatives()
    parser.expect_end("expected `and`, `or` or the end")
    return condition


def parse_operand(text: PlacedText) -> Operand:
    """A field, perhaps with transformers, alone. Raises ConditionError."""
    parser = _Parser(text)
    operand = parser.operand()
    parser.expect_end("expected the end behind the field")
    return operand


class _Parser:
    __slots__ = ("depth", "placed", "position", "text")

    def __init__(self, placed: PlacedText) -> None:
        self.placed, self.text = placed, placed.text
        self.position = self.depth = 0
        self.skip()

    def skip(self) -> None:
        blank = _BLANK.match(self.text, self.position)
        assert blank is not None
        self.position = blank.end()

    def fail(self, message: str, end: int = 0, help: str | None = None, start: int = -1) -> ConditionError:
        start = self.position if start < 0 else start
        # What is missing at the end is shown at the last character: behind it may come the next rule.
        start = min(start, max(len(self.text.rstrip()) - 1, 0))
        span = self.placed.span(start, max(end, start + 1))
        return ConditionError(error("bad-condition", message, span, help=help))

    def expect_end(self, message: str) -> None:
        if self.position < len(self.text):
            raise self.fail(f"{message}, not {self.found()}", self.position + len(self.next_word()))

    def next_word(self) -> str:
        match = _BARE.match(self.text, self.position)
        return match.group() if match else self.text[self.position : self.position + 1]

    def found(self) -> str:
        word = self.next_word()
        return f"`{word}`" if word else "the end of the condition"

    def keyword(self, word: str) -> bool:
        """Read the word if it is next."""
        end = self.position + len(word)
        if not self.text.startswith(word, self.position):
            return False
        if end < len(self.text) and (self.text[end].isalnum() or self.text[end] in "_.-["):
            return False
        self.position = end
        self.skip()
        return True

    def character(self, c: str) -> bool:
        if not self.text.startswith(c, self.position):
            return False
        self.position += 1
        self.skip()
        return True

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MOST_NESTING:
            raise self.fail(f"more than {MOST_NESTING} parentheses and `not` are nested here")

    def alternatives(self) -> Condition:
        start = self.position
        parts = [self.conjunction()]
        while self.keyword("or"):
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else Or(self.placed, start, self.position, parts)

    def conjunction(self) -> Condition:
        start = self.position
        parts = [self.negation()]
        while self.keyword("and"):
            parts.append(self.negation())
        return parts[0] if len(parts) == 1 else And(self.placed, start, self.position, parts)

    def negation(self) -> Condition:
        start = self.position
        if not self.keyword("not"):
            return self.primary()
        self.deeper()
        part = self.negation()
        self.depth -= 1
        return Not(self.placed, start, self.position, part)

    def primary(self) -> Condition:
        start = self.position
        if self.character("("):
            self.deeper()
            condition = self.alternatives()
            if not self.character(")"):
                opened = f"; `(` at character {start + 1} is not closed" if not self.next_word() else ""
                raise self.fail(f"expected `)`, not {self.found()}{opened}")
            self.depth -= 1
            return condition
        name = self.identifier()
        if "." not in name and not self.text.startswith("(", self.position):
            after = self.operator(peek=True)
            if after:
                raise self.fail(
                    f"`{name}` is not a field, so it cannot be compared", start + len(name), start=start
                )
            return Macro(self.placed, start, start + len(name), name)
        self.position = start
        operand = self.operand()
        return self.check(start, operand)

    def identifier(self) -> str:
        match = _IDENTIFIER.match(self.text, self.position)
        if match is None or match.group() in _KEYWORDS:
            what = "a comparison, a macro or `(`"
            raise self.fail(f"expected {what}, not {self.found()}", self.position + len(self.next_word()))
        self.position = match.end()
        if self.text[self.position : self.position + 1] != "[":
            self.skip()
        return match.group()

    def operand(self) -> Operand:
        start = self.position
        name = self.identifier()
        if self.character("("):
            if name not in TRANSFORMERS:
                near = suggest(name, TRANSFORMERS)
                help = f"did you mean `{near}`?" if near else f"there are {', '.join(TRANSFORMERS)}"
                raise self.fail(
                    f"there is no transformer `{name}`", start + len(name), start=start, help=help
                )
            self.deeper()
            operand = self.operand()
            if not self.character(")"):
                raise self.fail(f"expected `)` behind the field, not {self.found()}")
            self.depth -= 1
            return Call(self.placed, start, self.position, name, operand)
        if "." not in name:
            raise self.fail(f"`{name}` is not a field", start + len(name), start=start)
        end = start + len(name)
        argument = None
        if self.text.startswith("[", self.position):
            argument, end = self.argument()
        return Field(self.placed, start, end, name, argument)

    def argument(self) -> tuple[str, int]:
        """What stands in the brackets, and the offset behind them."""
        start = self.position
        if self.text[start + 1 : start + 2] in ("'", '"'):
            self.position = start + 1
            argument = self.quoted().value
            self.skip()
            if not self.text.startswith("]", self.position):
                raise self.fail(f"expected `]`, not {self.found()}")
            end = self.position + 1
        else:
            end = self.text.find("]", start) + 1
            if not end:
                raise self.fail("`[` is not closed", len(self.text))
            argument = self.text[start + 1 : end - 1]
        self.position = end
        self.skip()
        return argument, end

    def operator(self, peek: bool = False) -> str:
        """The operator that is next, or ""."""
        match = _SYMBOL.match(self.text, self.position)
        if match is not None:
            if not peek:
                self.position = match.end()
                self.skip()
            return "=" if match.group() == "==" else match.group()
        before = self.position
        for operator in OPERATORS:
            if operator[0].isalpha() and self.keyword(operator):
                if peek:
                    self.position = before
                return operator
        return ""

    def check(self, start: int, operand: Operand) -> Check:
        operator = self.operator()
        if not operator:
            word = self.next_word()
            near = suggest(word, OPERATORS) if word else None
            raise self.fail(
                f"expected an operator behind the field, not {self.found()}",
                self.position + len(word),
                help=f"did you mean `{near}`?" if near else f"there are {' '.join(OPERATORS)}",
            )
        value: Value = None
        if operator in LIST_OPERATORS:
            value = self.list_value(operator)
        elif operator != "exists":
            value = self.reference() or self.word(f"a value behind `{operator}`")
        return Check(self.placed, start, self.end_of_last(), operand, operator, value)

    def end_of_last(self) -> int:
        return len(self.text[: self.position].rstrip())

    def reference(self) -> Reference | None:
        match = _IDENTIFIER.match(self.text, self.position)
        if match is None or match.group() not in ("val", *TRANSFORMERS):
            return None
        if not self.text.startswith("(", match.end()):
            return None
        start = self.position
        if match.group() != "val":
            return Reference(self.placed, start, self.position, self.operand())
        self.position = match.end() + 1
        self.skip()
        operand = self.operand()
        if not self.character(")"):
            raise self.fail(f"expected `)` behind the field, not {self.found()}")
        return Reference(self.placed, start, self.position, operand)

    def list_value(self, operator: str) -> Items | Reference:
        start = self.position
        reference = self.reference()
        if reference is not None:
            return reference
        if not self.character("("):
            word = self.word(f"`(` behind `{operator}`")
            return Items(self.placed, start, word.end, [word])
        words: list[Word] = []
        if not self.character(")"):
            while True:
                words.append(self.word("a value", _LIST_WORD))
                if self.character(")"):
                    break
                if not self.character(","):
                    raise self.fail(
                        f"expected `,` or `)`, not {self.found()}", self.position + len(self.next_word())
                    )
        return Items(self.placed, start, self.end_of_last(), words)

    def word(self, wanted: str, bare: re.Pattern[str] = _BARE) -> Word:
        start = self.position
        if self.text[start : start + 1] in ('"', "'") and start < len(self.text):
            word = self.quoted()
        else:
            match = bare.match(self.text, start)
            if match is None:
                raise self.fail(f"expected {wanted}, not {self.found()}")
            self.position = match.end()
            word = Word(self.placed, start, match.end(), match.group(), False)
        self.skip()
        return word

    def quoted(self) -> Word:
        start = self.position
        quote = self.text[start]
        characters: list[str] = []
        position = start + 1
        while position < len(self.text) and self.text[position] != quote:
            c = self.text[position]
            following = self.text[position + 1 : position + 2]
            if c == "\\" and following in _ESCAPES and following:
                c = _ESCAPES[following]
                position += 1
            characters.append(c)
            position += 1
        if position >= len(self.text):
            raise self.fail(f"the text that begins with {quote} does not end", len(self.text))
        self.position = position + 1
        return Word(self.placed, start, self.position, "".join(characters), True)
