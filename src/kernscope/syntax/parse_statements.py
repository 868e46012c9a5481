"""Blocks and statements, and going on after an error in one of them."""

from __future__ import annotations

from .cursor import MAX_ERRORS, OTHER_WORDS, Abort, Stop
from .expressions import IfExpr
from .node import Expr, Statement
from .parse_expressions import ASSIGNMENTS, ExpressionParser
from .statements import (
    Assign,
    Block,
    Break,
    Continue,
    Discard,
    ExprStatement,
    ForEach,
    ForRange,
    If,
    Let,
    Return,
    Unroll,
    While,
)

TYPE_CHECKING = False  # typing costs 3 ms to import; checkers take the name for true
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

__all__ = ["StatementParser", "plain"]


def plain(block: Block) -> Block:
    """The block as one whose value nobody takes: its trailing expression becomes a statement."""
    result = block.result
    if result is not None:
        block.result = None
        block.statements.append(_as_statement(result))
    return block


def _as_statement(expr: Expr) -> Statement:
    if isinstance(expr, IfExpr):
        return If(expr.cond, plain(expr.then), plain(expr.orelse), expr.span)
    return ExprStatement(expr, expr.span)


# Tokens that can start a statement, and so stand where a `;` is missing.
_STARTS = "name variable map if while for let return break continue unroll import ++ --"
_STATEMENT_START = frozenset(_STARTS.split())

_OTHER_STATEMENTS = {
    "elif": "write `else if (…) { … }`",
    "elseif": "write `else if (…) { … }`",
    "elsif": "write `else if (…) { … }`",
    "foreach": "a loop over a map is `for ($kv : @map) { … }`",
    "var": "write `let $x = …;` or just `$x = …;`",
    "int": "write `let $x = …;` or just `$x = …;`",
    "def": "write `macro name(…) { … }` before the probes",
    "switch": "write `if (…) { … } else if (…) { … }`",
}


class StatementParser(ExpressionParser):
    def parse_block(self) -> Block:
        kinds = self.kinds
        opening = self.index
        self.expect("{")
        self.enter()
        statements: list[Statement] = []
        result: Expr | None = None
        while kinds[self.index] != "}":
            if kinds[self.index] == "end":
                self._unclosed(opening)
            depth = self.depth
            try:
                result = self._parse_statement(statements)
            except Stop:
                self.depth = depth
                self._recover()
        self.index += 1
        self.depth -= 1
        return Block(statements, result, self.span_from(opening))

    def _unclosed(self, opening: int, found: int = -1) -> NoReturn:
        """Report that the block at token `opening` has no end; a new probe may start at token `found`."""
        labels = []
        resume = -1
        if found >= 0:
            resume = self.tokens.starts[found]
            labels.append((self.span(found), "a new probe seems to start here"))
        self.report(
            "unclosed-delimiter",
            "this `{` is never closed",
            self.span(opening),
            label="its `}` is missing",
            labels=labels,
        )
        raise Abort(resume)

    def _next_outer_line(self, offset: int) -> int:
        """Where to read on when a bad string holds its block's `}`: at the next line that is not indented.

        Without one, the end of the text.
        """
        text = self.source.text
        while True:
            offset = text.find("\n", offset) + 1
            if offset == 0:
                return len(text)
            c = text[offset : offset + 1]
            if c == "}":
                return offset + 1
            if c == "#" or c.isalpha():
                return offset

    def _recover(self) -> None:
        """Skip to the end of the statement in which an error was found."""
        if len(self.diagnostics) >= MAX_ERRORS:
            raise Abort
        kinds = self.kinds
        level = 0
        while True:
            kind = kinds[self.index]
            if kind == "end":
                raise Abort
            if kind == "invalid" and "}" in self.text(self.index):
                raise Abort(self._next_outer_line(self.tokens.ends[self.index]))
            if level == 0 and kind == "}":
                return
            self.index += 1
            if kind == "{":
                level += 1
            elif kind == "}":
                level -= 1
                if level == 0 and kinds[self.index] not in (";", ")", ",", "else"):
                    return
            elif kind == ";" and level == 0:
                return

    def _parse_statement(self, statements: list[Statement]) -> Expr | None:
        """Append a statement, or return the expression that ends a block."""
        kinds = self.kinds
        start = self.index
        kind = kinds[start]
        parse = _STATEMENTS.get(kind)
        if parse is not None:
            return parse(self, statements)
        if kind == "name":
            after = kinds[start + 1]
            if after == ":" or after == "{":
                self._at_new_definition(start)
            if after == "=" and self.text(start) == "_":
                self.index += 2
                value = self.parse_expression()
                statements.append(Discard(value, self.span_from(start)))
                self._end_statement(start)
                return None
        expr = self.parse_expression()
        after = kinds[self.index]
        if after == "=" or after in ASSIGNMENTS:
            self.check_assignable(expr, after)
            self.index += 1
            value = self.parse_expression()
            op = None if after == "=" else ASSIGNMENTS[after]
            statements.append(Assign(expr, op, value, self.span_from(start)))
        elif after == "}":
            return expr
        else:
            statements.append(ExprStatement(expr, self.span_from(start)))
        self._end_statement(start)
        return None

    def _at_new_definition(self, index: int) -> None:
        """Report a missing `}` where `name:` or `begin {` stands: no statement starts so, a probe does."""
        word = self.text(index)
        if self.kinds[index + 1] == ":" or word.lower() in ("begin", "end"):
            opening = self._innermost_opening(index)
            if opening >= 0:
                self._unclosed(opening, index)

    def _innermost_opening(self, index: int) -> int:
        """The `{` that is open at token `index`; -1 where there is none, as in the `else` of a predicate."""
        level = 0
        for before in range(index - 1, -1, -1):
            kind = self.kinds[before]
            if kind == "}":
                level += 1
            elif kind == "{":
                if level == 0:
                    return before
                level -= 1
        return -1

    def _end_statement(self, start: int) -> None:
        """Read the `;` of the statement that started at token `start`; before `}` there need be none."""
        kinds = self.kinds
        kind = kinds[self.index]
        if kind == ";":
            self.index += 1
        elif kind != "}" and kind != "end":
            self._missing_semicolon(start)

    def _missing_semicolon(self, start: int) -> None:
        kind = self.kinds[self.index]
        last = self.index - 1
        word = self.text(self.index) if kind == "name" else ""
        if word in OTHER_WORDS:
            self.unexpected("`;` or an operator", OTHER_WORDS[word])
        first = self.text(start)
        if first in _OTHER_STATEMENTS:
            self.unexpected("`;` or an operator", _OTHER_STATEMENTS[first])
        if last == start and self.kinds[start] == "name":
            values = ("string", "number", "variable", "map", "name")
            help = f"a call needs parentheses: `{first}(…)`" if kind in values else None
            self.unexpected("`;` or an operator", help)
        if kind not in _STATEMENT_START:
            if kind == "=":
                self.unexpected("`;` or an operator", "write `==` to compare")
            self.unexpected("`;` or an operator")
        self.report(
            "missing-semicolon",
            f"a `;` is missing before {self.describe(self.index)}",
            self.after_last(),
            label="here",
        )

    # One function per kind of first token.

    def _parse_inner_block(self, statements: list[Statement]) -> Expr | None:
        # Complete with its `}`: an operator behind it belongs to the next statement.
        expr = self.parse_block_expression()
        if self.kinds[self.index] == "}":
            return expr
        statements.append(ExprStatement(expr, expr.span))
        return None

    def _parse_empty(self, statements: list[Statement]) -> Expr | None:
        self.index += 1
        return None

    def _parse_condition(self) -> Expr:
        if self.kinds[self.index] == "(":
            self.statement_paren = self.index
        cond = self.parse_expression()
        kind = self.kinds[self.index]
        if kind == "=":
            self.assignment_as_value(cond)
        elif kind == "name" and self.text(self.index) in OTHER_WORDS:
            self.unexpected("`{` or an operator", OTHER_WORDS[self.text(self.index)])
        return cond

    def _parse_body(self, word: str) -> Block:
        """The block of a statement; one statement without braces is reported and read."""
        if self.kinds[self.index] == "{":
            return self.parse_block()
        if self.kinds[self.index - 1] not in (")", "else") or self.kinds[self.index] not in _STATEMENT_START:
            self.unexpected("`{`")
        start = self.index
        statements: list[Statement] = []
        self.report(
            "missing-block",
            f"the statements of `{word}` stand in braces, even a single one",
            self.here(),
            label="expected `{`",
            help=f"write `{word} … {{ … }}`",
        )
        result = self._parse_statement(statements)
        return Block(statements, result, self.span_from(start))

    def _if_parts(self) -> tuple[Expr, Block, Block | None]:
        self.enter()
        self.index += 1
        cond = self._parse_condition()
        then = self._parse_body("if")
        orelse: Block | None = None
        if self.kinds[self.index] == "else":
            self.index += 1
            if self.kinds[self.index] == "if":
                orelse = self._parse_else_if()
            else:
                orelse = self._parse_body("else")
        self.depth -= 1
        return cond, then, orelse

    def _parse_else_if(self) -> Block:
        start = self.index
        cond, then, orelse = self._if_parts()
        span = self.span_from(start)
        if then.result is not None and orelse is not None and orelse.result is not None:
            return Block([], IfExpr(cond, then, orelse, span), span)
        return Block([If(cond, plain(then), orelse and plain(orelse), span)], None, span)

    def _parse_if_statement(self, statements: list[Statement]) -> Expr | None:
        start = self.index
        cond, then, orelse = self._if_parts()
        span = self.span_from(start)
        if orelse is not None and then.result is not None and orelse.result is not None:
            expr = IfExpr(cond, then, orelse, span)
            if self.kinds[self.index] == "}":
                return expr
            statements.append(_as_statement(expr))
        else:
            statements.append(If(cond, plain(then), orelse and plain(orelse), span))
        return None

    def parse_if_expression(self) -> IfExpr:
        start = self.index
        cond, then, orelse = self._if_parts()
        if orelse is None:
            self.unexpected("`else`: an `if` used as a value needs a value for both cases")
        for block in (then, orelse):
            if block.result is None:
                self.report(
                    "missing-value",
                    "this block has no value, and the `if` around it is used as one",
                    block.span,
                    help="end the block with an expression without `;`",
                )
                raise Stop
        return IfExpr(cond, then, orelse, self.span_from(start))

    def _parse_while(self, statements: list[Statement]) -> Expr | None:
        start = self.index
        self.index += 1
        cond = self._parse_condition()
        body = plain(self._parse_body("while"))
        statements.append(While(cond, body, self.span_from(start)))
        return None

    def _parse_unroll(self, statements: list[Statement]) -> Expr | None:
        start = self.index
        self.index += 1
        count = self._parse_condition()
        body = plain(self._parse_body("unroll"))
        statements.append(Unroll(count, body, self.span_from(start)))
        return None

    def _parse_for(self, statements: list[Statement]) -> Expr | None:
        start = self.index
        self.index += 1
        opening = -1
        if self.kinds[self.index] == "(":
            opening = self.index
            self.index += 1
        hint = "a loop counts, `for ($i : 0..10) { … }`, or goes over a map, `for ($kv : @map) { … }`"
        if self.kinds[self.index] != "variable" or self.kinds[self.index + 1] != ":":
            self._bad_loop(opening, hint)
        name = self.text(self.index)[1:]
        self.index += 2
        first = self.parse_expression()
        last: Expr | None = None
        if self.kinds[self.index] == "..":
            self.index += 1
            last = self.parse_expression()
        if opening >= 0:
            self.expect_close(")", opening, "`..`" if last is None else "")
        body = plain(self._parse_body("for"))
        span = self.span_from(start)
        if last is None:
            statements.append(ForEach(name, first, body, span))
        else:
            statements.append(ForRange(name, first, last, body, span))
        return None

    def _bad_loop(self, opening: int, hint: str) -> NoReturn:
        """Report what stands in place of `$x :`, and leave out the loop's whole head."""
        expected = "the loop's variable"
        if self.kinds[self.index] == "variable":
            self.index += 1
            expected = "`:`"
        try:
            self.unexpected(expected, hint)
        finally:
            level = 1
            while opening >= 0 and level and self.kinds[self.index] not in ("end", "{", "}"):
                level += (self.kinds[self.index] == "(") - (self.kinds[self.index] == ")")
                self.index += 1

    def _parse_let(self, statements: list[Statement]) -> Expr | None:
        start = self.index
        self.index += 1
        kind = self.kinds[self.index]
        if kind == "map":
            self.unexpected(
                "a variable", "maps need no declaration; one with a type and size stands before the probes"
            )
        if kind == "name":
            name = self.text(self.index)
            self.report(
                "missing-sigil",
                f"a variable's name starts with `$`, and `{name}` does not",
                self.here(),
                help=f"write `let ${name}`",
            )
            name = "$" + name
        elif kind == "variable":
            name = self.text(self.index)
        else:
            self.unexpected("a variable, such as `$x`")
        self.index += 1
        type_ = None
        if self.kinds[self.index] == ":":
            self.index += 1
            type_ = self.parse_type()
        value = None
        if self.kinds[self.index] == "=":
            self.index += 1
            value = self.parse_expression()
        statements.append(Let(name[1:], type_, value, self.span_from(start)))
        self._end_statement(start)
        return None

    def _parse_return(self, statements: list[Statement]) -> Expr | None:
        start = self.index
        self.index += 1
        value = None
        if self.kinds[self.index] not in (";", "}", "end"):
            value = self.parse_expression()
        statements.append(Return(value, self.span_from(start)))
        self._end_statement(start)
        return None

    def _parse_jump(self, statements: list[Statement]) -> Expr | None:
        start = self.index
        self.index += 1
        node = Break if self.kinds[start] == "break" else Continue
        statements.append(node(self.span(start)))
        self._end_statement(start)
        return None

    def _parse_import(self, statements: list[Statement]) -> Expr | None:
        from .definitions import Import

        start = self.index
        self.index += 1
        if self.kinds[self.index] != "string":
            self.unexpected("the imported file's name in double quotes")
        path = self.parse_string().value
        statements.append(Import(path, self.span_from(start)))
        self._end_statement(start)
        return None

    def _parse_else(self, statements: list[Statement]) -> Expr | None:
        self.report(
            "else-without-if",
            "this `else` belongs to no `if`",
            self.here(),
            help="an `else` follows the `}` of its `if` directly: `if (…) { … } else { … }`",
        )
        # Read what belongs to it, so that errors inside are reported too.
        self.index += 1
        if self.kinds[self.index] == "if":
            self._if_parts()
        else:
            self._parse_body("else")
        return None


_STATEMENTS: dict[str, Callable[[StatementParser, list[Statement]], Expr | None]] = {
    ";": StatementParser._parse_empty,
    "{": StatementParser._parse_inner_block,
    "if": StatementParser._parse_if_statement,
    "while": StatementParser._parse_while,
    "unroll": StatementParser._parse_unroll,
    "for": StatementParser._parse_for,
    "let": StatementParser._parse_let,
    "return": StatementParser._parse_return,
    "break": StatementParser._parse_jump,
    "continue": StatementParser._parse_jump,
    "import": StatementParser._parse_import,
    "else": StatementParser._parse_else,
}
