"""The definitions of a program, one after the other."""

from kernscope.diagnostics.source import Source
from kernscope.syntax import definitions as d
from kernscope.syntax.lexer import skip_blank
from kernscope.syntax.node import Node
from kernscope.syntax.parser import Parser

from .code import Code, comment_lines, ends_in_comment
from .shape import Body, Item, Shape
from .tokens import Token, comments_in, tokens_between

__all__ = ["format_program"]


def format_program(source: Source, program: d.Program) -> str:
    """The text of `program`, which was parsed from `source`."""
    return _Program(source, program).text()


class _Program:
    def __init__(self, source: Source, program: d.Program) -> None:
        self.source, self.program = source, program
        self.shape = Shape(source, program)
        groups = (program.imports, program.c_definitions, program.map_decls, program.macros, program.subprogs)
        self.starts: dict[int, Node] = {n.span.start: n for group in groups for n in group}
        self.starts |= {probe.span.start: probe for probe in program.probes}
        self.inactive = _inactive_ranges(source)
        self.lines: list[str] = []
        self.apart = False
        """Whether an empty line must stand before what follows: a block ended."""

    def text(self) -> str:
        text = self.source.text
        offset = 0
        if text.startswith("#!"):
            offset = self._line_end(0)
            self.lines.append(text[:offset].rstrip())
        while True:
            offset = self._gap(offset)
            if offset >= len(text):
                break
            offset = self._definition(offset)
        while self.lines and not self.lines[-1]:
            self.lines.pop()
        if not self.lines:
            return ""
        # A line that ends with `\` would go on with what follows.
        return "\n".join(self.lines) + ("" if self.lines[-1].endswith("\\") else "\n")

    def _gap(self, offset: int) -> int:
        """Comments and blank lines before the next definition."""
        end = offset
        text = self.source.text
        while True:
            end = skip_blank(text, end)
            if text[end : end + 1] != ";":
                break
            end += 1  # one that ends nothing
        comments, blank = comments_in(_without_semicolons(text[offset:end]), first=not self.lines)
        if self.apart and (end < len(text) or comments):
            first = next((c for c in comments if c.own_line), None)
            if first is not None:
                first.blank_before = True
            else:
                blank = True
        self.apart = False
        comment_lines(comments, self.lines)
        if blank and self.lines and self.lines[-1] and end < len(text):
            self.lines.append("")
        return end

    def _definition(self, offset: int) -> int:
        text = self.source.text
        node = self.starts.get(offset)
        if text[offset] == "#":
            return self._verbatim(offset)
        match node:
            case d.Probe():
                return self._probe(node)
            case d.Macro() | d.Subprog():
                return self._with_block(offset, node.span.end, node.body.span.start)
            case d.Import() | d.MapDecl():
                return self._simple(offset, node.span.end)
            case d.CStruct() | d.CEnum() | d.Typedef():
                return self._c_definition(offset, node.span.end)
        if text.startswith("config", offset) and text[skip_blank(text, offset + 6)] == "=":
            return self._config(offset)
        return self._verbatim(offset)

    def _line_end(self, offset: int) -> int:
        end = self.source.text.find("\n", offset)
        return len(self.source.text) if end < 0 else end

    def _verbatim(self, offset: int) -> int:
        """A line, and those that it goes on with, as they are."""
        text = self.source.text
        end = self._line_end(offset)
        while text[offset:end].endswith("\\") and end < len(text):
            end = self._line_end(end + 1)
        end = self.inactive.get(end, end)
        self.lines += [line.rstrip() for line in text[offset:end].split("\n")]
        return end

    def _code(self, start: int, end: int) -> Code:
        # One token more, so that there is always a next one.
        tokens = tokens_between(self.source, start, end)
        tokens.append(Token("end", "", end, end, [], False))
        return Code(self.shape, tokens)

    def _take(self, code: Code) -> None:
        comment_lines(code.tokens[code.index].comments, code.lines)
        self.lines += code.lines

    def _simple(self, start: int, end: int) -> int:
        code = self._code(start, end)
        code.statement(end, "", inline=False)
        code.lines[-1] += "" if code.lines[-1].endswith(";") else ";"
        self._take(code)
        return self._past_semicolon(end)

    def _past_semicolon(self, offset: int) -> int:
        after = skip_blank(self.source.text, offset)
        gap = self.source.text[offset:after]
        return after + 1 if self.source.text[after : after + 1] == ";" and not gap.strip() else offset

    def _with_block(self, start: int, end: int, brace: int) -> int:
        """A head and a block, its brace on a line of its own."""
        code = self._code(start, end)
        code.statement(brace, "", inline=False)
        self._block(code, brace)
        return end

    def _block(self, code: Code, brace: int) -> None:
        opening = code.tokens[code.index]
        comment_lines(opening.comments, code.lines)
        code.index += 1
        code.lines.append("{")
        code.body(self.shape.bodies[brace], "")
        self._take(code)
        self.apart = True

    def _probe(self, node: d.Probe) -> int:
        text = self.source.text
        position = node.span.start
        lines: list[str] = []
        for number, target in enumerate(node.attach_points):
            if number:
                lines[-1] += ","
            comment_lines(comments_in(text[position : target.span.start].replace(",", " ", 1))[0], lines)
            label = "" if target.label is None else f"{target.label}="
            lines.append(label + text[target.span.start : target.span.end])
            position = target.span.end
        self.lines += lines
        brace = node.body.span.start
        head = skip_blank(text, position)
        if text[head : head + 1] == ",":  # one after the last target
            position = head + 1
        opening = skip_blank(text, position)
        comment_lines(comments_in(text[position:opening])[0], self.lines)
        if node.predicate is not None:
            self._predicate(opening + 1, brace)
        code = self._code(brace, node.span.end)
        self._block(code, brace)
        return node.span.end

    def _predicate(self, start: int, brace: int) -> None:
        code = self._code(start, brace)
        closing = max(i for i, token in enumerate(code.tokens) if token.kind == "/")
        end = code.tokens[closing].start
        # `/*` would start a comment.
        lead = "/ " if code.tokens[0].kind in ("*", "/") or code.tokens[0].comments else "/"
        code.statement(end, "", inline=False, prefix=lead)
        comment_lines(code.tokens[closing].comments, code.lines)
        if ends_in_comment(code.lines[-1]):
            code.lines.append("/")
        else:
            code.lines[-1] += "/"
        comment_lines(comments_in(self.source.text[end + 1 : brace])[0], code.lines)
        self.lines += code.lines

    def _config(self, offset: int) -> int:
        tokens = tokens_between(self.source, offset, len(self.source.text))
        brace, end = tokens[2].start, self._matching(tokens)
        entries = [entry for entry in self.program.config if offset < entry.span.start < end]
        self.shape.bodies[brace] = Body([Item(e.span.start, e.span.end, ";") for e in entries])
        code = self._code(offset, end)
        code.statement(end, "", inline=False)
        self._take(code)
        self.apart = True
        return end

    @staticmethod
    def _matching(tokens: list[Token]) -> int:
        depth = 0
        for token in tokens:
            depth += {"{": 1, "}": -1}.get(token.kind, 0)
            if token.kind == "}" and depth == 0:
                return token.end
        return tokens[-1].end

    def _c_definition(self, start: int, end: int) -> int:
        text = self.source.text
        after = skip_blank(text, end)
        if text.startswith("__attribute__", after):
            end = _closing(text, text.index("(", after))
        code = self._code(start, end)
        _find_c_bodies(code.tokens, self.shape)
        code.statement(end, "", inline=False)
        code.lines[-1] += ";"
        self._take(code)
        return self._past_semicolon(end)


class _Recorder(Parser):
    """A parser that notes what `#if` leaves out: from the end of one directive's line to that of another."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.inactive: dict[int, int] = {}

    def _skip_inactive(self, offset: int) -> int:
        end = self.inactive[offset] = super()._skip_inactive(offset)
        return end


def _inactive_ranges(source: Source) -> dict[int, int]:
    if "#" not in source.text:
        return {}
    recorder = _Recorder(source)
    recorder.parse_program()
    return recorder.inactive


def _without_semicolons(gap: str) -> str:
    """The gap with the `;` that stand outside of comments made blanks."""
    parts = []
    position = 0
    while position < len(gap):
        end = skip_blank(gap, position)
        parts.append(gap[position:end])
        if end < len(gap):
            parts.append(" ")
        position = end + 1
    return "".join(parts)


def _closing(text: str, opening: int) -> int:
    """The offset after the bracket that closes the one at `opening`."""
    depth = 0
    for offset in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[offset], 0)
        if depth == 0:
            return offset + 1
    return len(text)


def _find_c_bodies(tokens: list[Token], shape: Shape) -> None:
    """The members in the braces of structs, unions and enums."""
    for index, token in enumerate(tokens):
        if token.kind != "{":
            continue
        mark = "," if "enum" in {t.kind for t in tokens[max(index - 2, 0) : index]} else ";"
        shape.bodies[token.start] = Body(_members(tokens, index + 1, mark))


def _members(tokens: list[Token], index: int, mark: str) -> list[Item]:
    items: list[Item] = []
    depth, start = 0, -1
    while True:
        token = tokens[index]
        if token.kind == "}" and depth == 0:
            if start >= 0:
                items.append(Item(start, tokens[index - 1].end, mark))
            return items
        if start < 0:
            start = token.start
        if token.kind in ("{", "("):
            depth += 1
        elif token.kind in ("}", ")"):
            depth -= 1
        elif token.kind == mark and depth == 0:
            if token.start > start:
                items.append(Item(start, tokens[index - 1].end, mark))
            start = -1
        index += 1
