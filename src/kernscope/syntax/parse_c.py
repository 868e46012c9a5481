"""C of the preamble: preprocessor lines, and struct, union, enum and typedef."""

from __future__ import annotations

from kernscope.diagnostics.diagnostic import CompileError
from kernscope.diagnostics.source import Span

from .constants import NotConstant, evaluate, is_true
from .cursor import Stop
from .definitions import CEnum, CEnumerator, CField, CStruct, Define, Directive, Typedef
from .expressions import TypeExpr
from .lexer import skip_blank
from .node import CDefinition, Expr
from .parse_statements import StatementParser

__all__ = ["PREDEFINED", "CParser"]

PREDEFINED = ("BPFTRACE_HAVE_BTF",)
"""Names that count as `#define`d: the kernel's own types are always at hand here."""


def _strip_comments(text: str) -> str:
    """The rest of a preprocessor line without comments and line continuations."""
    parts: list[str] = []
    position = 0
    while position < len(text):
        c = text[position]
        if c == '"':
            end = position + 1
            while end < len(text) and text[end] != '"':
                end += 2 if text[end] == "\\" else 1
            parts.append(text[position : end + 1])
            position = end + 1
        elif c == "/" and text[position + 1 : position + 2] in ("/", "*"):
            if text[position + 1] == "/":
                break
            end = text.find("*/", position + 2)
            position = len(text) if end < 0 else end + 2
            parts.append(" ")
        elif c == "\\" and text[position + 1 : position + 2] == "\n":
            parts.append(" ")
            position += 2
        else:
            parts.append(c)
            position += 1
    return "".join(parts).strip().rstrip("\\ \t")  # a `\` before a comment continues nothing


class CParser(StatementParser):
    defines: dict[str, Define | None]
    # One entry per open `#if`: (its place, whether a branch of it was taken).
    conditionals: list[tuple[Span, bool]]

    # Preprocessor lines

    def _line_end(self, offset: int) -> int:
        """The offset of the line's end, continuation lines and comments that go on behind it included."""
        text = self.source.text
        while True:
            end = text.find("\n", offset)
            if end < 0:
                return len(text)
            comment = text.find("/*", offset, end)
            if comment >= 0 and '"' not in text[offset:comment] and "//" not in text[offset:comment]:
                closed = text.find("*/", comment + 2)
                offset = closed + 2 if closed >= 0 else len(text)
            elif text[end - 1] != "\\":
                return end
            else:
                offset = end + 1

    def _split_directive(self, offset: int) -> tuple[str, str, int]:
        """Name, rest and end of the preprocessor line at `offset`."""
        end = self._line_end(offset)
        line = _strip_comments(self.source.text[offset + 1 : end])
        name = line.split(None, 1)[0] if line else ""
        for stop in '<"(':
            name = name.split(stop, 1)[0]
        return name, line[len(name) :].strip(), end

    def parse_directive(self, offset: int, definitions: list[CDefinition]) -> int:
        """Read the preprocessor line at `offset`; returns where to read on."""
        name, rest, end = self._split_directive(offset)
        span = Span(self.source, offset, offset + len(self.source.text[offset:end].rstrip()))
        if name in ("if", "ifdef", "ifndef"):
            taken = self._condition(name, rest, span)
            self.conditionals.append((span, taken))
            return end if taken else self._skip_inactive(end)
        if name in ("else", "elif"):
            # A taken branch ends here; the rest of its `#if` is inactive.
            if self.conditionals:
                return self._skip_inactive(end)
            self._stray_conditional(name, span)
        elif name == "endif":
            if self.conditionals:
                self.conditionals.pop()
            else:
                self._stray_conditional(name, span)
        elif name == "define":
            self._define(rest, span, definitions)
        elif name == "undef":
            self.defines.pop(rest, None)
            definitions.append(Directive(name, rest, span))
        elif name in ("include", "pragma", "line", "error", "warning"):
            definitions.append(Directive(name, rest, span))
        elif name:
            self.report("invalid-directive", f"there is no preprocessor line `#{name}`", span)
        return end

    def _stray_conditional(self, name: str, span: Span) -> None:
        self.report("invalid-directive", f"this `#{name}` belongs to no `#if`", span)

    def _condition(self, name: str, rest: str, span: Span) -> bool:
        if name == "ifdef":
            return rest in self.defines
        if name == "ifndef":
            return rest not in self.defines
        try:
            return is_true(rest, self.defines)
        except (CompileError, NotConstant):
            self.report(
                "invalid-directive",
                "this condition cannot be decided when compiling",
                span,
                notes="conditions may hold numbers, `defined(NAME)`, `#define`d names and operators",
            )
            return False

    def _skip_inactive(self, offset: int) -> int:
        """Skip to the branch that is active, or behind the `#endif`, of the innermost `#if`."""
        text = self.source.text
        depth = 0
        while offset < len(text):
            offset += 1  # the line end
            line_end = text.find("\n", offset)
            line_end = len(text) if line_end < 0 else line_end
            stripped = text[offset:line_end].lstrip()
            if stripped.startswith("#"):
                start = line_end - len(stripped)
                name, rest, end = self._split_directive(start)
                if name in ("if", "ifdef", "ifndef"):
                    depth += 1
                elif depth and name == "endif":
                    depth -= 1
                elif not depth:
                    span, taken = self.conditionals[-1]
                    if name == "endif":
                        self.conditionals.pop()
                        return end
                    if not taken and (
                        name == "else" or (name == "elif" and self._condition("if", rest, span))
                    ):
                        self.conditionals[-1] = (span, True)
                        return end
                line_end = end
            offset = line_end
        return offset

    def _define(self, rest: str, span: Span, definitions: list[CDefinition]) -> None:
        length = 0
        while length < len(rest) and (rest[length].isalnum() or rest[length] == "_"):
            length += 1
        name = rest[:length]
        body = rest[length:]
        params: list[str] | None = None
        if not name or name[0].isdigit():
            self.report("invalid-directive", "`#define` needs a name", span)
            return
        if body.startswith("("):
            inside, closed, body = body[1:].partition(")")
            params = [param.strip() for param in inside.split(",")] if inside.strip() else []
            if not closed:
                self.report("invalid-directive", f"the parameters of `{name}` have no closing `)`", span)
        define = Define(name, params, body.strip(), span)
        self.defines[name] = define
        definitions.append(define)

    # Type definitions

    def parse_c_definition(self, offset: int, definitions: list[CDefinition]) -> int:
        """Read the definition at `offset`; returns where to read on."""
        typedef = self.source.text.startswith("typedef", offset)
        self.open_region(offset, whole=typedef)
        start = self.index
        if typedef:
            self.index += 1
            base = self._parse_c_base()
            field = self._parse_declarator(base)
            if field.name is None:
                self.unexpected("the new type's name")
            definitions.append(Typedef(field.name, field.type, self.span_from(start)))
            self.expect(";")
            return self.tokens.ends[self.index - 1]
        definition = self._parse_tagged(start)
        if isinstance(definition, TypeExpr):
            self.unexpected("`{` or `;`")
        definitions.append(definition)
        end = self.tokens.ends[self.index - 1]
        following = self._skip_attributes(end)
        if isinstance(definition, CStruct) and "packed" in self.source.text[end:following]:
            definition.packed = True
        return following

    def _skip_attributes(self, offset: int) -> int:
        """The offset after `__attribute__((…))` and `;`, both of which may be missing."""
        text = self.source.text
        offset = skip_blank(text, offset)
        while text.startswith("__attribute__", offset):
            # `))` may stand apart: `__attribute__((packed) )`
            inner = text.find(")", offset)
            outer = text.find(")", inner + 1) if inner >= 0 else -1
            while outer >= 0 and text.count("(", offset, outer) > text.count(")", offset, outer + 1):
                outer = text.find(")", outer + 1)
            offset = len(text) if outer < 0 else skip_blank(text, outer + 1)
        return offset + 1 if text.startswith(";", offset) else offset

    def _parse_tagged(self, start: int) -> CStruct | CEnum | TypeExpr:
        """A definition behind `struct`, `union` or `enum`, or a mere mention of one."""
        kind = self.kinds[self.index]
        self.index += 1
        packed = self._skip_attribute_tokens()
        name: str | None = None
        if self.kinds[self.index] == "name":
            name = self.text(self.index)
            self.index += 1
        if self.kinds[self.index] == "{":
            self.enter()
            if kind == "enum":
                result: CStruct | CEnum = self._parse_enum(start, name)
            else:
                result = self._parse_struct(start, kind, name)
                result.packed = packed
            self.depth -= 1
            return result
        if name is None:
            self.unexpected(f"the {kind}'s name or `{{`")
        if self.kinds[self.index] == ";" and kind != "enum" and start == 0:
            return CStruct(kind, name, None, self.span_from(start))
        return TypeExpr(name, kind, span=self.span_from(start))

    def _skip_attribute_tokens(self) -> bool:
        """Skip attributes; whether `packed` is one of them."""
        packed = False
        while self.kinds[self.index] == "name" and self.text(self.index) in ("__attribute__", "__packed"):
            start = self.index
            self.index += 1
            if self.kinds[self.index] == "(":
                self._skip_parens()
            packed |= "packed" in self.span_from(start).text
        return packed

    def _skip_parens(self) -> None:
        opening = self.index
        level = 0
        while True:
            kind = self.kinds[self.index]
            level += (kind == "(") - (kind == ")")
            if kind in ("end", ";", "{", "}"):
                self.expect_close(")", opening)
            self.index += 1
            if level == 0:
                return

    def _parse_struct(self, start: int, kind: str, name: str | None) -> CStruct:
        opening = self.index
        self.index += 1
        fields: list[CField] = []
        while self.kinds[self.index] != "}":
            if self.kinds[self.index] == ";":
                self.index += 1
                continue
            if self.kinds[self.index] == "end":
                self.report(
                    "unclosed-delimiter",
                    "this `{` is never closed",
                    self.span(opening),
                    label="its `}` is missing",
                )
                raise Stop
            self._parse_fields(fields)
        self.index += 1
        return CStruct(kind, name, fields, self.span_from(start))

    def _parse_c_base(self) -> TypeExpr:
        start = self.index
        if self.kinds[start] in ("struct", "union", "enum"):
            tagged = self._parse_tagged(start)
            packed = self._skip_attribute_tokens()
            if isinstance(tagged, CStruct) and packed:
                tagged.packed = True
            if isinstance(tagged, TypeExpr):
                return tagged
            tag = tagged.kind if isinstance(tagged, CStruct) else "enum"
            return TypeExpr(tagged.name or "", tag, body=tagged, span=self.span_from(start))
        return self.parse_base_type()

    def _parse_fields(self, fields: list[CField]) -> None:
        base = self._parse_c_base()
        if self.kinds[self.index] == ";" and base.body is not None:
            fields.append(CField(None, base, None, base.span))
            self.index += 1
            return
        while True:
            fields.append(self._parse_declarator(base))
            if self.kinds[self.index] != ",":
                break
            self.index += 1
        self.expect(";", "`;` after the member")

    def _parse_declarator(self, base: TypeExpr) -> CField:
        """Stars, name, array sizes and width of one member; a pointer to a function is a `void *`."""
        start = self.index
        kinds = self.kinds
        pointers = 0
        while kinds[self.index] == "*" or (kinds[self.index] == "name" and self.text(self.index) == "const"):
            pointers += kinds[self.index] == "*"
            self.index += 1
        if kinds[self.index] == "(" and kinds[self.index + 1] == "*":
            self.index += 2
            name = self.expect_name("the member's name")
            self.expect(")")
            self._skip_parens()
            return CField(name, TypeExpr("void", pointers=1, span=base.span), None, self.span_from(start))
        type_ = TypeExpr(base.name, base.tag, pointers, [], base.operand, base.body, base.span)
        member: str | None = None
        if kinds[self.index] != ":":
            member = self.expect_name("the member's name")
        while kinds[self.index] == "[":
            self.parse_dimension(type_)
        bits: int | None = None
        if kinds[self.index] == ":":
            self.index += 1
            bits = self._constant(self.parse_expression())
        self._skip_attribute_tokens()
        return CField(member, type_, bits, self.span_from(start))

    def parse_dimension(self, result: TypeExpr) -> None:
        """`[N]` or `[]`; in the preamble and in types, N may be any constant expression."""
        opening = self.index
        self.index += 1
        size: int | None = None
        if self.kinds[self.index] != "]":
            size = self._constant(self.parse_expression())
        self.expect_close("]", opening)
        result.dims.append(size)

    def _constant(self, expr: Expr) -> int:
        try:
            value = evaluate(expr, self.defines)
        except NotConstant as problem:
            self.report(
                "not-constant",
                "this must be a number that is known when compiling",
                problem.expr.span if problem.expr.span.source is self.source else expr.span,
            )
            return 1
        if not 0 <= value < 1 << 32:
            self.report("not-constant", f"{value} is no size", expr.span)
            return 1
        return value

    def _parse_enum(self, start: int, name: str | None) -> CEnum:
        opening = self.index
        self.index += 1
        members: list[CEnumerator] = []
        while self.kinds[self.index] == "name":
            index = self.index
            member = self.text(index)
            self.index += 1
            value: Expr | None = None
            if self.kinds[self.index] == "=":
                self.index += 1
                value = self.parse_expression()
            members.append(CEnumerator(member, value, self.span_from(index)))
            if self.kinds[self.index] != ",":
                break
            self.index += 1
        self.expect_close("}", opening, "`,`")
        return CEnum(name, members, self.span_from(start))
