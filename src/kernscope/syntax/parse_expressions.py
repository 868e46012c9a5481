"""Expressions: precedence climbing over the operators of bpftrace's docs/language_parsing.md.

One function per level of the grammar would cost a call per level and operand; here a table gives each binary
operator its level, and postfix operators are a loop.
"""

from __future__ import annotations

from kernscope.diagnostics.source import Span

from .cursor import MAX_CHAIN
from .expressions import (
    Binary,
    BlockExpr,
    BoolLiteral,
    Call,
    Cast,
    Comptime,
    FieldAccess,
    Identifier,
    IfExpr,
    Index,
    IntLiteral,
    MapRef,
    Offsetof,
    ParamCount,
    PositionalParam,
    RecordExpr,
    RecordField,
    Sizeof,
    StringLiteral,
    Ternary,
    TupleAccess,
    TupleExpr,
    TypeExpr,
    TypeInfo,
    Unary,
    Update,
    Variable,
)
from .lexer import KEYWORDS
from .literals import NumberError, StringError, decode_string, read_number
from .node import Expr
from .parse_types import BASIC_TYPES, TypeParser
from .statements import Block

TYPE_CHECKING = False  # typing costs 3 ms to import; checkers take the name for true
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ASSIGNMENTS", "PRECEDENCE", "ExpressionParser"]

PRECEDENCE = {
    "||": 1,
    "&&": 2,
    "|": 3,
    "^": 4,
    "&": 5,
    "==": 6,
    "!=": 6,
    "<": 7,
    ">": 7,
    "<=": 7,
    ">=": 7,
    "<<": 8,
    ">>": 8,
    "+": 9,
    "-": 9,
    "*": 10,
    "/": 10,
    "%": 10,
}
"""Binary operators; a higher number binds tighter, all associate to the left."""

ASSIGNMENTS = {op + "=": op for op in ["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"]}
"""Assignment operators other than `=`, and the binary operator each stands for."""

_PREFIX = frozenset(("-", "+", "!", "~", "*", "&"))

# What can only be the operand of a cast behind `(name)`: with `-`, `+`, `*`, `&` it is arithmetic.
_OPERANDS = "name number string variable param $# map ( ! ~ true false sizeof offsetof typeinfo comptime"
_OPERAND_START = frozenset(_OPERANDS.split())


class ExpressionParser(TypeParser):
    # In a predicate, `/` before `{` ends it.
    in_predicate = False
    # Index of a `(` that belongs to a statement, so that `if (name) …` is not read as a cast.
    statement_paren = -1

    def parse_block(self) -> Block:
        raise NotImplementedError

    def parse_if_expression(self) -> IfExpr:
        raise NotImplementedError

    def parse_expression(self) -> Expr:
        start = self.index
        self.enter()
        cond = self.parse_binary(1)
        if self.kinds[self.index] == "?":
            cond = self._parse_ternary(start, cond)
        self.depth -= 1
        return cond

    def _parse_ternary(self, start: int, cond: Expr) -> Expr:
        self.index += 1
        then: Expr | None = None
        if self.kinds[self.index] != ":":
            then = self.parse_expression()
            if self.kinds[self.index] != ":":
                self.unexpected("`:` and the value for when the condition is false")
        self.index += 1
        orelse = self.parse_expression()
        return Ternary(cond, then, orelse, self.span_from(start))

    def parse_binary(self, lowest: int) -> Expr:
        kinds = self.kinds
        start = self.index
        left = self.parse_unary()
        count = 0
        while True:
            op = kinds[self.index]
            level = PRECEDENCE.get(op, 0)
            if level < lowest:
                return left
            if op == "/" and self.in_predicate and kinds[self.index + 1] in _AFTER_PREDICATE:
                return left
            count += 1
            if count > MAX_CHAIN:
                self.too_deep(self.here())
            self.index += 1
            right = self.parse_binary(level + 1)
            left = Binary(op, left, right, self.span_from(start))

    def parse_unary(self) -> Expr:
        start = self.index
        kind = self.kinds[start]
        if kind in _PREFIX:
            self.enter()
            self.index += 1
            operand = self.parse_unary()
            self.depth -= 1
            return Unary(kind, operand, self.span_from(start))
        if kind == "++" or kind == "--":
            self.enter()
            self.index += 1
            operand = self.parse_unary()
            self.depth -= 1
            self.check_assignable(operand, kind)
            return Update(kind, True, operand, self.span_from(start))
        return self._parse_postfix(start, _PRIMARY.get(kind, ExpressionParser._no_expression)(self))

    def _parse_postfix(self, start: int, base: Expr) -> Expr:
        kinds = self.kinds
        count = 0
        while True:
            kind = kinds[self.index]
            if kind == "." or kind == "->":
                base = self._parse_access(start, base, kind)
            elif kind == "[":
                opening = self.index
                self.index += 1
                index = self.parse_expression()
                self.expect_close("]", opening)
                base = Index(base, index, self.span_from(start))
            elif kind == "++" or kind == "--":
                self.check_assignable(base, kind)
                self.index += 1
                base = Update(kind, False, base, self.span_from(start))
            else:
                return base
            count += 1
            if count > MAX_CHAIN:
                self.too_deep(self.here())

    def _parse_access(self, start: int, base: Expr, op: str) -> Expr:
        self.index += 1
        index = self.index
        kind = self.kinds[index]
        if kind == "number" and op == ".":
            if self.kinds[index - 2] == "number" and isinstance(base, IntLiteral):
                self._no_floating_point(start, index)
                return base
            digits = self.text(index)
            if not digits.isdecimal() or len(digits) > 4:
                self.unexpected("a field's name or a tuple index")
            self.index += 1
            return TupleAccess(base, int(digits), self.span_from(start))
        # A field may be named like a keyword.
        text = self.text(index)
        if kind != "name" and kind not in KEYWORDS:
            self.unexpected("a field's name" if op == "->" else "a field's name or a tuple index")
        self.index += 1
        return FieldAccess(base, text, op == "->", self.span_from(start))

    def _no_floating_point(self, start: int, last: int) -> None:
        span = Span(self.source, self.tokens.starts[start], self.tokens.ends[last])
        self.report(
            "no-floating-point",
            "there are no floating-point numbers in the kernel, and so none here",
            span,
            help="use a smaller unit, such as nanoseconds instead of seconds, or multiply first",
        )
        self.index = last + 1

    def check_assignable(self, target: Expr, op: str) -> None:
        """Report, and go on, where `target` is neither a variable nor a map."""
        if isinstance(target, (Variable, MapRef)):
            return
        does = "change" if op in ("++", "--") else "assign to"
        name = self.source.text[target.span.start : target.span.end]
        if isinstance(target, Identifier):
            self.report(
                "missing-sigil",
                f"`{name}` is not a variable: variables start with `$`, maps with `@`",
                target.span,
                help=f"write `${name}` for this run of the probe, `@{name}` for all probes to share",
            )
            return
        if isinstance(target, (FieldAccess, TupleAccess, Index, Unary)):
            why = "fields, elements and memory of the kernel and of processes can only be read"
        else:
            why = "only variables (`$x`) and maps (`@x`) hold values"
        self.report("not-assignable", f"cannot {does} this expression", target.span, notes=why)

    # Primary expressions, one per kind of first token.

    def _no_expression(self) -> Expr:
        kind = self.kinds[self.index]
        self.unexpected("a name" if kind in _NOT_NAMES else "an expression", _HINTS.get(kind))

    def _parse_number(self) -> Expr:
        index = self.index
        text = self.text(index)
        try:
            value, suffix = read_number(text)
        except NumberError as problem:
            self._bad_number(index, text, problem.reason)
            value, suffix = 0, ""
        else:
            self.index += 1
        return IntLiteral(value, suffix, text, self.span(index))

    def _bad_number(self, index: int, text: str, reason: str) -> None:
        """Report a bad number and read it, so that parsing can go on."""
        span = self.span(index)
        self.index += 1
        if text[-1:] in "eE" and self.kinds[index + 1] in ("-", "+") and text[:-1].isdigit():
            self._no_floating_point(index, index + 2)
        elif reason == "range":
            self.report("number-too-large", f"`{text}` does not fit in 64 bits", span)
        elif reason == "octal":
            digits = text.replace("_", "").lstrip("0") or "0"
            self.report(
                "invalid-number",
                f"`{text}` starts with 0, so it is octal, and has a digit above 7",
                span,
                help=f"write `{digits}` for the decimal number",
            )
        elif reason == "binary":
            digits = text[2:].replace("_", "")
            known = 0 < len(digits) <= 64 and not digits.strip("01")
            self.report(
                "invalid-number",
                f"`{text}` is no number: there are no binary literals",
                span,
                help=f"write `{hex(int(digits, 2))}`" if known else "write it in hexadecimal: `0x…`",
            )
        else:
            self.report(
                "invalid-number",
                f"`{text}` is no number",
                span,
                notes="numbers are decimal (`1_000`), hexadecimal (`0x1f`), octal (`017`), scientific (`2e3`)"
                " or durations (`10ms`)",
            )

    def parse_string(self) -> StringLiteral:
        index = self.index
        span = self.span(index)
        self.index += 1
        text = self.text(index)
        try:
            value = decode_string(text)
        except StringError as problem:
            start = span.start + problem.start
            escape = text[problem.start : problem.end]
            self.report(
                "invalid-escape",
                f"`{escape}` is no escape sequence" if not problem.reason else problem.reason,
                Span(self.source, start, span.start + problem.end),
                help='write `\\\\` for a backslash; `\\n`, `\\t`, `\\"`, `\\033` and `\\x1b` are escapes',
            )
            value = ""
        return StringLiteral(value, span)

    def _parse_bool(self) -> Expr:
        self.index += 1
        return BoolLiteral(self.kinds[self.index - 1] == "true", self.span(self.index - 1))

    def _parse_variable(self) -> Expr:
        self.index += 1
        return Variable(self.text(self.index - 1)[1:], self.span(self.index - 1))

    def _parse_param(self) -> Expr:
        index = self.index
        digits = self.text(index)[1:]
        self.index += 1
        number = int(digits) if len(digits) < 6 else 0
        if number == 0:
            self.report(
                "invalid-parameter",
                f"`${digits}` is no positional parameter: they are counted from `$1`",
                self.span(index),
                help="`$#` is their number",
            )
        return PositionalParam(number, self.span(index))

    def _parse_param_count(self) -> Expr:
        self.index += 1
        return ParamCount(self.span(self.index - 1))

    def _parse_map(self) -> Expr:
        start = self.index
        name = self.text(start)[1:]
        self.index += 1
        keys: list[Expr] | None = None
        if self.kinds[self.index] == "[":
            opening = self.index
            self.index += 1
            if self.kinds[self.index] == "]":
                self.unexpected("a key", "a map without a key is just `@" + name + "`")
            keys = self._parse_list("]", opening)
        return MapRef(name, keys, self.span_from(start))

    def _parse_list(self, close: str, opening: int) -> list[Expr]:
        """Expressions between commas, and the closing bracket."""
        items: list[Expr] = []
        if self.kinds[self.index] == close:
            self.index += 1
            return items
        while True:
            items.append(self.parse_expression())
            if self.kinds[self.index] != ",":
                break
            self.index += 1
        self.expect_close(close, opening, "`,`")
        return items

    def _parse_name(self) -> Expr:
        start = self.index
        name = self.text(start)
        self.index += 1
        if self.kinds[self.index] == "(":
            opening = self.index
            self.index += 1
            args = self._parse_list(")", opening)
            return Call(name, args, self.span_from(start))
        return Identifier(name, self.span(start))

    def _parse_sizeof(self) -> Expr:
        start = self.index
        self.index += 1
        return Sizeof(self.parse_type_argument(), self.span_from(start))

    def _parse_typeinfo(self) -> Expr:
        start = self.index
        self.index += 1
        return TypeInfo(self.parse_type_argument(), self.span_from(start))

    def _parse_offsetof(self) -> Expr:
        start = self.index
        self.index += 1
        opening = self.index
        self.expect("(")
        arg = self.parse_type() if self.at_type() else self.parse_expression()
        self.expect(",", "`,` and a field's name")
        fields = [self.expect_name("a field's name")]
        while self.kinds[self.index] == ".":
            self.index += 1
            fields.append(self.expect_name("a field's name"))
        self.expect_close(")", opening)
        return Offsetof(arg, fields, self.span_from(start))

    def _parse_comptime(self) -> Expr:
        start = self.index
        self.enter()
        self.index += 1
        operand = self.parse_unary()
        self.depth -= 1
        return Comptime(operand, self.span_from(start))

    def parse_block_expression(self) -> Expr:
        start = self.index
        return BlockExpr(self.parse_block(), self.span_from(start))

    def _parse_if(self) -> Expr:
        return self.parse_if_expression()

    # What `(` can start: a tuple, a record, a cast, a group.

    def _parse_paren(self) -> Expr:
        start = self.index
        kinds = self.kinds
        self.index += 1
        kind = kinds[self.index]
        if kind == ")":
            self.index += 1
            return TupleExpr([], self.span_from(start))
        if kind == "name":
            if kinds[self.index + 1] == "=":
                return self._parse_record(start)
            if self._at_cast(start):
                return self._parse_cast(start)
        elif kind in ("struct", "union", "enum", "typeof"):
            return self._parse_cast(start)
        first = self.parse_expression()
        if kinds[self.index] != ",":
            if kinds[self.index] == "=":
                self.assignment_as_value(first)
            self.expect_close(")", start)
            return first
        self.index += 1
        elements = [first]
        if kinds[self.index] == ")":
            self.index += 1
        else:
            elements += self._parse_list(")", start)
        return TupleExpr(elements, self.span_from(start))

    def assignment_as_value(self, target: Expr) -> None:
        """Report the `=` at the next token, where a value is wanted, and stop."""
        name = self.source.text[target.span.start : target.span.end]
        self.report(
            "assignment-as-value",
            "`=` assigns, and an assignment has no value",
            self.here(),
            label="assignment",
            help=f"write `==` to compare: `{name} == …`" if len(name) < 40 else "write `==` to compare",
        )
        # Read on as if it were `==`, so that what follows is checked too.
        self.index += 1
        self.parse_binary(1)

    def _at_cast(self, opening: int) -> bool:
        """Whether the name behind `(` is a type: known as one, or in a place where only a type fits."""
        kinds = self.kinds
        index = self.index
        name = self.text(index)
        known = name in BASIC_TYPES or name.endswith("_t") or name in ("const", "volatile")
        index += 1
        stars = 0
        while kinds[index] == "*":
            index += 1
            stars += 1
        if known:
            return stars > 0 or kinds[index] in (")", "[", "name")
        if opening == self.statement_paren:
            return False
        while kinds[index] == "[":
            index += 2 if kinds[index + 1] == "]" else 3
            if kinds[index - 1] != "]":
                return False
        return kinds[index] == ")" and (stars > 0 or kinds[index + 1] in _OPERAND_START)

    def _parse_cast(self, start: int) -> Expr:
        type_: TypeExpr = self.parse_type()
        self.expect_close(")", start)
        self.enter()
        operand = self.parse_unary()
        self.depth -= 1
        return Cast(type_, operand, self.span_from(start))

    def _parse_record(self, start: int) -> Expr:
        fields: list[RecordField] = []
        while True:
            index = self.index
            name = self.expect_name("a field's name")
            self.expect("=", "`=` and the field's value")
            value = self.parse_expression()
            fields.append(RecordField(name, value, self.span_from(index)))
            if self.kinds[self.index] != ",":
                break
            self.index += 1
            if self.kinds[self.index] == ")":
                break
        self.expect_close(")", start, "`,`")
        return RecordExpr(fields, self.span_from(start))


# What `/` stands before where it ends a predicate.
_AFTER_PREDICATE = ("{", "end")

# Keywords that no statement or expression starts with, so that a name was meant.
_NOT_NAMES = frozenset(("macro", "enum", "struct", "union"))

_HINTS = {
    "else": "an `else` follows the `}` of its `if` directly",
    "#": "preprocessor lines stand on lines of their own, before the probes",
}


_PRIMARY: dict[str, Callable[[ExpressionParser], Expr]] = {
    "name": ExpressionParser._parse_name,
    "number": ExpressionParser._parse_number,
    "string": ExpressionParser.parse_string,
    "variable": ExpressionParser._parse_variable,
    "map": ExpressionParser._parse_map,
    "param": ExpressionParser._parse_param,
    "$#": ExpressionParser._parse_param_count,
    "(": ExpressionParser._parse_paren,
    "{": ExpressionParser.parse_block_expression,
    "true": ExpressionParser._parse_bool,
    "false": ExpressionParser._parse_bool,
    "if": ExpressionParser._parse_if,
    "sizeof": ExpressionParser._parse_sizeof,
    "offsetof": ExpressionParser._parse_offsetof,
    "typeinfo": ExpressionParser._parse_typeinfo,
    "comptime": ExpressionParser._parse_comptime,
}
