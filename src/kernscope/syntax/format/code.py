"""Statements, members and blocks as lines."""

from kernscope.syntax.parse_expressions import PRECEDENCE

from .layout import NO_BREAK, WIDTH, Piece, lay_out
from .shape import Body, Item, Shape
from .tokens import Comment, Token

__all__ = ["Code", "comment_lines", "ends_in_comment"]

INDENT = "  "

_NO_SPACE_BEFORE = frozenset((")", "]", ",", ";", ".", "->", ".."))
_NO_SPACE_AFTER = frozenset(("(", "[", ".", "->", ".."))
_CALLED = frozenset(("name", "sizeof", "offsetof", "typeof", "typeinfo", ")", "]"))
"""What a `(` follows without a blank."""
_INDEXED = frozenset(("name", "variable", "map", "param", ")", "]"))
_OPERANDS = frozenset(
    ("name", "number", "string", "variable", "param", "$#", "map", "true", "false", ")", "]", "}")
)
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_COMMA_COST = 0
_OPENING_COST = 50
"""Breaking right after a bracket is the last resort at its depth."""


class Code:
    """Sets the tokens of one definition. `shape` says what they are."""

    def __init__(self, shape: Shape, tokens: list[Token]) -> None:
        self.shape, self.tokens = shape, tokens
        self.index = 0
        self.lines: list[str] = []

    # Bodies

    def body(self, body: Body, indent: str) -> None:
        """What stands in the braces whose `{` has just been written, and the `}` itself, which begins the
        last line.
        """
        inner = indent + INDENT
        opened = len(self.lines), self.lines[-1]
        for number, item in enumerate(body.items):
            self._skip_empty_statements(item.start)
            self._comments_above(self.tokens[self.index], inner, number == 0)
            self._item(item, inner)
        self._skip_empty_statements(-1)
        closing = self.tokens[self.index]
        closing.blank_before = False
        self._comments_above(closing, inner, not body.items)
        self.index += 1
        if opened == (len(self.lines), self.lines[-1]):
            self.lines[-1] += "}"
        else:
            self.lines.append(indent + "}")

    def _skip_empty_statements(self, start: int) -> None:
        """Past a `;` that ends nothing; its comments stay."""
        while self.tokens[self.index].kind == ";" and self.tokens[self.index].start != start:
            token, following = self.tokens[self.index], self.tokens[self.index + 1]
            following.blank_before |= token.blank_before
            following.comments = token.comments + following.comments
            self.index += 1

    def _comments_above(self, token: Token, indent: str, first: bool) -> None:
        """The comments before a statement: at the end of the line before, or on lines of their own."""
        for comment in token.comments:
            if not comment.own_line and self.lines and not ends_in_comment(self.lines[-1]):
                self.lines[-1] += " " + comment.text
            else:
                if comment.blank_before and not first and self.lines[-1]:
                    self.lines.append("")
                self.lines.append(indent + comment.text)
            first = False
        if token.blank_before and not first and self.lines[-1]:
            self.lines.append("")
        token.comments = []

    def _item(self, item: Item, indent: str) -> None:
        self.statement(self._end(item), indent, inline=False)
        following = self.tokens[self.index]
        if item.mark == "?":  # a `;` after it decides whether it is the block's value
            mark = ";" if following.kind == ";" else ""
        else:
            mark = item.mark
        if following.kind in (";", ",") and not (following.kind == ";" and not mark):
            self._comments_inside(following)
            self.index += 1
        self._append(mark)

    def _end(self, item: Item) -> int:
        """Where it ends, with the brackets around it, which its tree does not have."""
        index = self.index
        while self.tokens[index].start < item.end:
            index += 1
        while self.tokens[index].kind == ")":
            index += 1
        return self.tokens[index - 1].end

    def _append(self, mark: str) -> None:
        self.lines[-1] += mark

    def _comments_inside(self, token: Token) -> None:
        """Comments between a statement and its `;` come after it."""
        if token.comments:
            following = self.tokens[self.index + 1]
            following.comments = token.comments + following.comments
            token.comments = []

    # Statements

    def statement(self, end: int, indent: str, inline: bool, prefix: str = "") -> None:
        """The tokens up to the offset `end`, with the blocks in them, as lines.

        `inline`: on one line with what has been written. Blocks that are one value stay on the statement's line if
        it is short enough.
        """
        first = self.index
        while self.index < len(self.tokens) and self.tokens[self.index].start < end:
            self.index += 1
        tokens = self.tokens[first : self.index]
        pieces = self._one_line(tokens)
        if pieces is not None and len(prefix) + len(indent) + _length(pieces) < WIDTH:
            self._emit(pieces, indent, inline, prefix)
            return
        self.index = first
        self._segments(end, indent, inline, prefix)

    def _segments(self, end: int, indent: str, inline: bool, prefix: str) -> None:
        """The pieces before, between and after blocks."""
        segment: list[Token] = []
        before: Token | None = None
        while self.index < len(self.tokens) and self.tokens[self.index].start < end:
            token = self.tokens[self.index]
            body = self.shape.bodies.get(token.start) if token.kind == "{" else None
            segment.append(token)
            self.index += 1
            if body is None:
                continue
            self._emit(self._pieces(segment, before), indent, inline, prefix)
            self.body(body, indent)
            segment, before, inline, prefix = [], self.tokens[self.index - 1], True, ""
        if segment:
            self._emit(self._pieces(segment, before), indent, inline, prefix)

    def _emit(self, pieces: list[Piece], indent: str, inline: bool, prefix: str) -> None:
        """`inline`: the first line goes on with the last one written."""
        if not pieces:
            return
        if prefix:
            pieces[0].text = prefix + pieces[0].text
        if not inline or pieces[0].must_break:
            self.lines += lay_out(pieces, indent, 1)
            return
        head = Piece(self.lines.pop().removeprefix(indent), False)
        self.lines += lay_out([head, *pieces], indent, 1)

    def _one_line(self, tokens: list[Token]) -> list[Piece] | None:
        """The pieces with their blocks in line, or None if something in them needs lines of its own."""
        for token in tokens:
            body = self.shape.bodies.get(token.start) if token.kind == "{" else None
            if body is not None and not body.is_value and body.items:
                return None
            if body is not None and not body.items:
                return None
        pieces = self._pieces(tokens, None)
        return None if any("\n" in p.text or p.must_break for p in pieces) else pieces

    # Pieces

    def _pieces(self, tokens: list[Token], before: Token | None) -> list[Piece]:
        pieces: list[Piece] = []
        depth = 0
        questions: list[int] = []
        casts: list[bool] = []
        previous = before
        after_cast = after_line = False
        for number, token in enumerate(tokens):
            if token.kind in _CLOSING:
                depth -= 1
            cost = self._cost(previous, token, depth, questions) if number else NO_BREAK
            for comment in token.comments:
                space = bool(pieces) or previous is not None
                pieces.append(
                    Piece(comment.text, space, NO_BREAK, after_line or (comment.own_line and bool(pieces)))
                )
                after_line, cost = comment.ends_line, NO_BREAK
            space = previous is not None and not after_cast and self._space(previous, token)
            commented = bool(token.comments)
            pieces.append(Piece(token.text, space or commented, cost, after_line))
            after_cast = after_line = False
            if token.kind in _OPENING:
                depth += 1
                casts.append(token.start in self.shape.casts)
            elif token.kind in _CLOSING and casts:
                after_cast = casts.pop()
            if token.kind == "?":
                questions.append(depth)
            previous = token
        return pieces

    def _cost(
        self, previous: Token | None, token: Token, depth: int, questions: list[int]
    ) -> tuple[int, int]:
        """What breaking before `token` costs."""
        if previous is None:
            return NO_BREAK
        if previous.kind == ",":
            return depth, _COMMA_COST
        if (
            previous.kind in ("(", "[")
            and token.kind not in _CLOSING
            and previous.start not in self.shape.casts
        ):
            return depth, _OPENING_COST
        if (token.kind == ":" and depth in questions) or token.kind == "?":
            return depth, 1
        if token.kind in PRECEDENCE and self._is_binary(token) and previous.kind in _OPERANDS:
            return depth, 2 + PRECEDENCE[token.kind]
        return NO_BREAK

    def _is_binary(self, token: Token) -> bool:
        return token.start not in self.shape.unary and not (
            token.kind == "*" and self.shape.is_type_star(token.start)
        )

    def _space(self, previous: Token, token: Token) -> bool:
        """Whether a blank stands between two tokens."""
        before, kind = previous.kind, token.kind
        if kind in _NO_SPACE_BEFORE or before in _NO_SPACE_AFTER:
            return False
        if previous.start in self.shape.unary:
            # `- -x` must not become `--x`, nor `& &x` `&&x`
            return token.start in self.shape.unary and before[-1] == kind[0] and kind[0] in "+-&"
        if before == "*" and self.shape.is_type_star(previous.start):
            return kind not in ("name", "*")
        if kind in ("++", "--") and token.start not in self.shape.unary:
            return False
        if kind == "(":
            return before not in _CALLED
        if kind == "[":
            return before not in _INDEXED
        return not (before == "?" and kind == ":")


def _length(pieces: list[Piece]) -> int:
    return sum(len(piece.text) + piece.space for piece in pieces)


def comment_lines(comments: list[Comment], lines: list[str]) -> None:
    """Comments of the top level, behind what stands there or on lines of their own."""
    for comment in comments:
        if not comment.own_line and lines and lines[-1] and not ends_in_comment(lines[-1]):
            lines[-1] += " " + comment.text
            continue
        if comment.blank_before and lines and lines[-1]:
            lines.append("")
        lines.append(comment.text)


def ends_in_comment(line: str) -> bool:
    """Whether a `//` comment reaches to the end of the line; one in a string does not."""
    in_string = False
    position = 0
    while position < len(line):
        if line[position] == "\\" and in_string:
            position += 1
        elif not in_string and line.startswith("/*", position):
            # In a target (`uprobe:/lib/*/x`) it is no comment and has no end.
            position = max(line.find("*/", position + 2) + 1, position)
        elif line[position] == '"':
            in_string = not in_string
        elif not in_string and line.startswith("//", position):
            return True
        position += 1
    return False
