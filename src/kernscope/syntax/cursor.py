"""The parser's place in the text, and what it says when something else was expected there."""

from __future__ import annotations

from kernscope.diagnostics.diagnostic import Diagnostic, error
from kernscope.diagnostics.source import Source, Span

from .lexer import KEYWORDS, Tokens, scan

TYPE_CHECKING = False  # typing costs 3 ms to import; checkers take the name for true
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

__all__ = ["MAX_CHAIN", "MAX_DEPTH", "MAX_ERRORS", "OTHER_WORDS", "Abort", "Cursor", "Stop", "deep_error"]

MAX_DEPTH = 100
"""Levels of parentheses, blocks and prefix operators. Later stages recurse over the tree too."""

MAX_CHAIN = 100
"""Operators or accesses in a row on one level: the tree is that deep although the parser loops."""

_NAME_RULE = "names are made of the letters a to z and A to Z, digits and `_`"

MAX_ERRORS = 20
"""A text with more errors than this is no program; the rest would be noise."""


class Stop(Exception):
    """Parsing cannot go on here; the reason is among the diagnostics. Caught where parsing can resume."""


class Abort(Exception):
    """The block cannot be read to its end; the reason is among the diagnostics.

    `resume` is the offset where a new definition seems to start, or -1.
    """

    def __init__(self, resume: int = -1) -> None:
        self.resume = resume
        super().__init__(resume)


OTHER_WORDS = {
    "and": "write `&&` for “and”",
    "or": "write `||` for “or”",
    "is": "write `==` to compare",
    "eq": "write `==` to compare",
    "in": "a loop over a map is `for ($kv : @map) { … }`",
}


def deep_error(span: Span) -> Diagnostic:
    return error(
        "nesting-too-deep",
        f"this is nested more than {MAX_DEPTH} levels deep, or longer than {MAX_CHAIN} operators",
        span,
        help="keep parts of it in variables: `$part = …;`",
    )


class Cursor:
    """A region's tokens, the index of the next one, and the findings so far."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.diagnostics: list[Diagnostic] = []
        self.depth = 0
        self.index = 0
        self.tokens = Tokens()
        self.kinds: list[str] = []

    def open_region(self, offset: int, whole: bool = False) -> None:
        """Make the tokens from `offset` the ones to read."""
        self.tokens = scan(self.source, offset, whole)
        self.kinds = self.tokens.kinds
        self.index = 0

    def text(self, index: int) -> str:
        tokens = self.tokens
        return self.source.text[tokens.starts[index] : tokens.ends[index]]

    def span(self, index: int) -> Span:
        """The span of one token."""
        return Span(self.source, self.tokens.starts[index], self.tokens.ends[index])

    def span_from(self, index: int) -> Span:
        """From the start of the token at `index` to the end of the last one read."""
        tokens = self.tokens
        return Span(self.source, tokens.starts[index], tokens.ends[self.index - 1])

    def here(self) -> Span:
        return self.span(self.index)

    def after_last(self) -> Span:
        """The empty span behind the last token read."""
        end = self.tokens.ends[self.index - 1] if self.index else self.tokens.starts[0]
        return Span(self.source, end, end)

    def report(
        self,
        code: str,
        message: str,
        span: Span,
        label: str = "",
        labels: Iterable[tuple[Span, str]] = (),
        notes: str | Iterable[str] = (),
        help: str | Iterable[str] | None = None,
    ) -> None:
        self.diagnostics.append(
            error(code, message, span, label=label, labels=labels, notes=notes, help=help)
        )
        if len(self.diagnostics) >= MAX_ERRORS:
            raise Abort

    def enter(self) -> None:
        """Go one level down; the caller takes one off `depth` on its way up."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.too_deep(self.here())

    def too_deep(self, span: Span) -> NoReturn:
        self.diagnostics.append(deep_error(span))
        raise Stop

    def expect(self, kind: str, what: str = "") -> None:
        """Read a token of this kind."""
        if self.kinds[self.index] != kind:
            self.unexpected(what or f"`{kind}`")
        self.index += 1

    def expect_name(self, what: str) -> str:
        """Read a name; `what` names its role in the error."""
        index = self.index
        if self.kinds[index] != "name":
            self.unexpected(what)
        self.index += 1
        return self.text(index)

    def expect_close(self, kind: str, opening: int, alternatives: str = "") -> None:
        """Read the bracket that closes the one at token `opening`."""
        if self.kinds[self.index] == kind:
            self.index += 1
            return
        expected = f"{alternatives} or `{kind}`" if alternatives else f"`{kind}`"
        if self.kinds[self.index] in ("end", "}", ";", "{"):
            self.report(
                "unclosed-delimiter",
                f"this `{self.text(opening)}` is never closed",
                self.span(opening),
                label=f"its `{kind}` is missing",
                labels=[(self.here(), f"expected {expected} before this")],
            )
            raise Stop
        self.unexpected(f"an operator{',' if alternatives else ' or'} {expected}", self.word_hint())

    def word_hint(self) -> str | None:
        """What to write instead of a word that is an operator elsewhere."""
        return OTHER_WORDS.get(self.text(self.index)) if self.kinds[self.index] == "name" else None

    def describe(self, index: int) -> str:
        """The token in words."""
        kind = self.kinds[index]
        if kind == "end":
            return "the end of the program"
        if kind == "string":
            return "a string"
        if kind in KEYWORDS:
            return f"the keyword `{kind}`"
        return f"`{self.text(index)}`"

    def unexpected(self, expected: str, help: str | None = None) -> NoReturn:
        """Report that the next token is not what was expected, and stop."""
        index = self.index
        if self.kinds[index] == "invalid":
            self.invalid_token(index)
        if self.kinds[index] in KEYWORDS and expected.endswith("name"):
            self.report(
                "reserved-word",
                f"`{self.kinds[index]}` is a keyword and cannot be used as {expected}",
                self.here(),
                help=f"choose another name, such as `{self.kinds[index]}_`",
            )
            raise Stop
        self.report(
            "unexpected-token",
            f"expected {expected}, found {self.describe(index)}",
            self.here(),
            help=help,
        )
        raise Stop

    def invalid_token(self, index: int) -> NoReturn:
        """Report a token that the lexer could not read, and stop."""
        problem = self.tokens.problems[index]
        text = self.text(index)
        if problem == "string":
            start = self.tokens.starts[index]
            self.report(
                "unclosed-string",
                'this string has no closing `"` on its line',
                Span(self.source, start, start + len(text.rstrip())),
                label="starts here",
                help='close it with `"`, and write a line break inside a string as `\\n`',
            )
        elif problem == "comment":
            start = self.tokens.starts[index]
            self.report(
                "unclosed-comment",
                "this comment has no closing `*/`",
                Span(self.source, start, start + 2),
                help="close it with `*/`, or write `//` for a comment of one line",
            )
        elif text == "'":
            self.report(
                "single-quotes",
                "text stands in double quotes",
                self.span(index),
                label='write `"` here',
                notes="there are no character literals; a character is its code, such as 65 for A",
            )
        elif text == "$":
            self.report(
                "invalid-character",
                "`$` stands before a variable's name (`$x`) or a parameter's number (`$1`)",
                self.span(index),
                label="no name follows",
                notes=_NAME_RULE if self.source.text[self.tokens.ends[index] :][:1].isalpha() else (),
            )
        else:
            self.report(
                "invalid-character",
                f"{'a backtick' if text == '`' else f'`{text}`'} (U+{ord(text[0]):04X}) has no meaning here",
                self.span(index),
                notes=_NAME_RULE if text.isalpha() else (),
            )
        raise Stop
