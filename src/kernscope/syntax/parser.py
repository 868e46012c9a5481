"""The parser: a program's text to its tree, or to every syntax error that can be told from the others.

Recursive descent in layers, each a file: `cursor` (tokens, errors), `parse_types`, `parse_expressions`,
`parse_statements`, `parse_c`, and here the top level. After an error, parsing goes on at the next statement
or definition. The grammar is that of bpftrace's docs/language.md and docs/language_parsing.md.
"""

from __future__ import annotations

from kernscope.diagnostics.diagnostic import CompileError, error
from kernscope.diagnostics.source import Source, Span

from .cursor import MAX_ERRORS, OTHER_WORDS, Abort, Stop, deep_error
from .definitions import (
    AttachPoint,
    ConfigEntry,
    Import,
    Macro,
    MacroParam,
    MapDecl,
    Param,
    Probe,
    Program,
    Subprog,
)
from .expressions import Identifier
from .lexer import skip_blank
from .node import CDefinition, Expr
from .parse_c import PREDEFINED, CParser
from .parse_statements import plain
from .targets import find_target_end, split_target

TYPE_CHECKING = False  # typing costs 3 ms to import; checkers take the name for true
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Parser", "parse", "parse_expression"]

_NAME_START = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_NAME_PART = _NAME_START | frozenset("0123456789")


class Parser(CParser):
    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.program = Program([], [], [], [], [], [], [], Span(source, 0, len(source.text)))
        self.defines = dict.fromkeys(PREDEFINED)
        self.conditionals = []

    def parse_program(self) -> Program:
        text = self.source.text
        offset = self._line_end(0) if text.startswith("#!") else 0
        while len(self.diagnostics) < MAX_ERRORS:
            offset = skip_blank(text, offset)
            if offset >= len(text):
                break
            self.depth = 0
            self.in_predicate = False
            try:
                offset = self._parse_definition(offset)
            except Stop:
                offset = self._after_error(offset)
            except Abort as abort:
                offset = abort.resume if abort.resume >= 0 else self._region_end()
        for span, _ in self.conditionals[: MAX_ERRORS - len(self.diagnostics) - 1]:
            self.report("invalid-directive", "this `#if` has no `#endif`", span)
        return self.program

    def _region_end(self) -> int:
        return self.tokens.ends[-1] if self.kinds else len(self.source.text)

    def _after_error(self, offset: int) -> int:
        """Where to read on after an error in the head of the definition at `offset`."""
        kinds = self.kinds
        reached = max(self.tokens.starts[self.index] if kinds else 0, offset)
        if kinds and kinds[0] in ("let", "import"):
            while kinds[self.index] not in (";", "end"):
                self.index += 1
            line_end = self._line_end(offset)
            return max(min(self.tokens.ends[self.index], line_end), offset + 1)
        if "{" in kinds[: self.index + 1]:
            return max(self.tokens.ends[-1], offset + 1)
        # Skip the block that follows, if any, so that its contents are not taken for targets.
        self.open_region(reached)
        return max(self.tokens.ends[-1], offset + 1)

    def _parse_definition(self, offset: int) -> int:
        """Read what starts at `offset`; returns where to read on."""
        text = self.source.text
        c = text[offset]
        if c in _NAME_START:
            end = offset
            while text[end : end + 1] in _NAME_PART:
                end += 1
            parse = _DEFINITIONS.get(text[offset:end])
            if parse is not None and self._introduces(text[offset:end], end):
                return parse(self, offset)
            return self._parse_probe(offset)
        if c == "#":
            return self.parse_directive(offset, self.program.c_definitions)
        if c == ";":
            return offset + 1
        self.open_region(offset)
        if self.kinds[0] == "invalid":
            self.invalid_token(0)
        if c == "}":
            self.report(
                "unmatched-close",
                "this `}` closes nothing",
                Span(self.source, offset, offset + 1),
                help="remove it, or look for a `}` too many before it",
            )
            return offset + 1
        self._expected_target(offset)
        raise Stop

    def _introduces(self, word: str, end: int) -> bool:
        """Whether the word before `end` starts a definition: a target goes on with `:=,/{`."""
        rest = skip_blank(self.source.text, end)
        follows = self.source.text[rest : rest + 1]
        if word == "config":
            return follows == "="
        return follows not in (":", "=", ",", "/") and (
            follows != "{" or word in ("struct", "union", "enum", "macro", "fn", "typedef")
        )

    def _expected_target(self, offset: int) -> None:
        text = self.source.text
        if text[offset] == "{":
            help = "a block that runs when the program starts is `begin { … }`"
        elif text[offset] in "@$":
            help = "statements stand in the block of a probe, such as `begin { … }`"
        elif text[offset] == "/":
            help = "a predicate follows its target: `tracepoint:sched:sched_switch /pid == 1/ { … }`"
        else:
            help = "a target is written `kind:what`, such as `tracepoint:syscalls:sys_enter_openat`"
        shown = text[offset]
        self.report(
            "expected-target",
            f"expected a probe's target, found `{shown}`",
            Span(self.source, offset, offset + 1),
            label="a probe starts with its target",
            help=help,
        )

    # Probes

    def _parse_probe(self, offset: int) -> int:
        targets, position = self._parse_targets(offset)
        text = self.source.text
        if position < len(text) and text[position] not in "/{":
            position = self._slash_in_target(targets, position)
        self.open_region(position)
        predicate: Expr | None = None
        if self.kinds[0] == "/":
            predicate = self._parse_predicate(position)
        if self.kinds[self.index] != "{":
            self._missing_action(targets[-1])
        body = plain(self.parse_block())
        end = self.tokens.ends[self.index - 1]
        self.program.probes.append(Probe(targets, predicate, body, Span(self.source, offset, end)))
        return end

    def _missing_action(self, target: AttachPoint) -> None:
        if self.kinds[self.index] == "invalid":
            self.invalid_token(self.index)
        name = target.text
        if self.kinds[self.index] == "end":
            message = f"`{name}` has no action"
        else:
            message = f"expected `{{`, `,` or a predicate after `{name}`, found {self.describe(self.index)}"
        self.report(
            "expected-action",
            message,
            self.here() if self.kinds[self.index] != "end" else target.span,
            help="what the probe does stands in braces: `" + name + " { … }`",
        )
        raise Stop

    def _parse_targets(self, offset: int) -> tuple[list[AttachPoint], int]:
        """The targets from `offset`, and the offset of what follows them."""
        text = self.source.text
        targets: list[AttachPoint] = []
        while True:
            target, offset = self._parse_target(offset)
            targets.append(target)
            offset = skip_blank(text, offset)
            if text[offset : offset + 1] != ",":
                return targets, offset
            offset = skip_blank(text, offset + 1)
            if text[offset : offset + 1] == "{":
                return targets, offset

    def _parse_target(self, offset: int) -> tuple[AttachPoint, int]:
        text = self.source.text
        if offset >= len(text) or text[offset] not in _NAME_START:
            self.open_region(offset)
            if self.kinds[0] == "invalid":
                self.invalid_token(0)
            if offset >= len(text):
                self.unexpected("another target after `,`")
            self._expected_target(offset)
            raise Stop
        start = offset
        label: str | None = None
        end = self._provider_end(offset)
        if text[end : end + 1] == "=":
            label = text[offset:end]
            start = end + 1
            end = self._provider_end(start)
        if text[end : end + 1] == ":":
            end = find_target_end(self.source, start)
            if end < 0:
                self._unclosed_quote(start)
        parts = split_target(text[start:end])
        return AttachPoint(parts[0], parts[1:], text[start:end], label, Span(self.source, start, end)), end

    def _provider_end(self, offset: int) -> int:
        text = self.source.text
        while text[offset : offset + 1] in _NAME_PART or text[offset : offset + 1] == "*":
            offset += 1
        return offset

    def _unclosed_quote(self, start: int) -> None:
        text = self.source.text
        quote = text.index('"', start)
        line_end = self._line_end(quote)
        self.open_region(line_end)
        self.report(
            "unclosed-string",
            'this quote has no closing `"` on its line',
            Span(self.source, quote, quote + len(text[quote:line_end].rstrip())),
            label="starts here",
        )
        raise Stop

    def _slash_in_target(self, targets: list[AttachPoint], position: int) -> int:
        """The predicate's start where no blank stands before it (`kprobe:f/pid == 1/`), else `position`."""
        target = targets[-1]
        last = target.args[-1] if target.args else ""
        slash = target.text.find("/")
        if slash < 0 or last[:1] in ("/", ".", "~") or not target.args:
            return position
        text = target.text[:slash]
        if text.count('"') % 2:
            return position  # the `/` stands in quotes
        parts = split_target(text)
        start = target.span.start
        targets[-1] = AttachPoint(
            parts[0], parts[1:], text, target.label, Span(self.source, start, start + slash)
        )
        return start + slash

    def _parse_predicate(self, offset: int) -> Expr | None:
        first_brace = self.kinds.index("{") if "{" in self.kinds else -1
        if first_brace == 1 or (first_brace > 1 and self.kinds[first_brace - 1] != "/"):
            # The predicate has a brace of its own, which ended the region too early.
            self.open_region(offset, whole=True)
        self.in_predicate = True
        self.index = 1
        try:
            predicate = self.parse_expression()
            kind = self.kinds[self.index]
            if kind == "=":
                self.assignment_as_value(predicate)
                kind = self.kinds[self.index]
            if kind == "/":
                self.index += 1
            elif kind == "{":
                self.report(
                    "unclosed-delimiter",
                    "this predicate is never closed",
                    self.span(0),
                    label="its second `/` is missing",
                    labels=[(self.here(), "expected `/` before this")],
                )
            else:
                self._end_of_predicate()
        except Stop:
            self._skip_to_action()
            return None
        finally:
            self.in_predicate = False
        return predicate

    def _end_of_predicate(self) -> None:
        word = self.text(self.index)
        self.unexpected("`/` or an operator", OTHER_WORDS.get(word))

    def _skip_to_action(self) -> None:
        """After an error in a predicate: on to the block, which may have errors of its own."""
        self.depth = 0
        while self.kinds[self.index] not in ("{", "end"):
            self.index += 1
        if self.kinds[self.index] == "end":
            raise Abort

    # Other definitions

    def _parse_config(self, offset: int) -> int:
        self.open_region(offset)
        self.index = 2
        opening = self.index
        self.expect("{")
        while self.kinds[self.index] != "}":
            start = self.index
            if self.kinds[start] == ";":
                self.index += 1
                continue
            if self.kinds[start] == "end":
                self._unclosed(opening)
            try:
                self._parse_config_entry()
            except Stop:
                self.depth = 0
                self._recover()
        self.index += 1
        return self.tokens.ends[self.index - 1]

    def _parse_config_entry(self) -> None:
        start = self.index
        name = self.expect_name("a setting's name")
        self.expect("=", "`=` and the setting's value")
        kind = self.kinds[self.index]
        if kind not in ("name", "number", "string", "true", "false"):
            self.unexpected("a number, a string, `true`, `false` or a name")
        if kind == "name":
            value: Expr = Identifier(self.text(self.index), self.here())
            self.index += 1
        else:
            value = self.parse_unary()
        self.program.config.append(ConfigEntry(name, value, self.span_from(start)))
        self._end_statement(start)

    def _parse_root_import(self, offset: int) -> int:
        self.open_region(offset, whole=True)
        statements: list[Import] = []
        self._parse_import(statements)  # type: ignore[arg-type]
        self.program.imports += statements
        return self.tokens.ends[self.index - 1]

    def _parse_map_decl(self, offset: int) -> int:
        self.open_region(offset, whole=True)
        self.index = 1
        if self.kinds[1] != "map":
            help = "variables are declared in a block; only maps are declared before the probes"
            self.unexpected("a map, such as `@x`", help if self.kinds[1] == "variable" else None)
        name = self.text(1)[1:]
        self.index = 2
        self.expect("=", "`=` and the map's type")
        map_type = self.expect_name("a map type, such as `hash`")
        opening = self.index
        self.expect("(", "`(` and the number of entries")
        args = self._parse_list(")", opening)
        span = self.span_from(0)
        self.program.map_decls.append(MapDecl(name, map_type, args, span))
        self.expect(";")
        return self.tokens.ends[self.index - 1]

    def _parse_macro(self, offset: int) -> int:
        self.open_region(offset)
        self.index = 1
        name = self.expect_name("the macro's name")
        opening = self.index
        self.expect("(")
        params: list[MacroParam] = []
        while self.kinds[self.index] in ("name", "variable", "map"):
            text = self.text(self.index)
            sigil = text[0] if text[0] in "$@" else ""
            params.append(MacroParam(sigil, text[len(sigil) :], self.here()))
            self.index += 1
            if self.kinds[self.index] != ",":
                break
            self.index += 1
        self.expect_close(")", opening, "a parameter" if not params else "`,`")
        body = self.parse_block()
        self.program.macros.append(Macro(name, params, body, self.span_from(0)))
        return self.tokens.ends[self.index - 1]

    def _parse_subprog(self, offset: int) -> int:
        self.open_region(offset)
        self.index = 1
        name = self.expect_name("the function's name")
        opening = self.index
        self.expect("(")
        params: list[Param] = []
        while self.kinds[self.index] == "variable":
            start = self.index
            self.index += 1
            self.expect(":", "`:` and the parameter's type")
            params.append(Param(self.text(start)[1:], self.parse_type(), self.span_from(start)))
            if self.kinds[self.index] != ",":
                break
            self.index += 1
        self.expect_close(")", opening, "a parameter" if not params else "`,`")
        return_type = None
        if self.kinds[self.index] == ":":
            self.index += 1
            return_type = self.parse_type()
        body = plain(self.parse_block())
        self.program.subprogs.append(Subprog(name, params, return_type, body, self.span_from(0)))
        return self.tokens.ends[self.index - 1]

    def _parse_c(self, offset: int) -> int:
        definitions: list[CDefinition] = self.program.c_definitions
        return self.parse_c_definition(offset, definitions)


_DEFINITIONS: dict[str, Callable[[Parser, int], int]] = {
    "config": Parser._parse_config,
    "import": Parser._parse_root_import,
    "let": Parser._parse_map_decl,
    "macro": Parser._parse_macro,
    "fn": Parser._parse_subprog,
    "struct": Parser._parse_c,
    "union": Parser._parse_c,
    "enum": Parser._parse_c,
    "typedef": Parser._parse_c,
}


def _too_deep(parser: Parser) -> CompileError:
    return CompileError([deep_error(parser.here() if parser.kinds else parser.program.span)])


def _check_characters(source: Source) -> None:
    """Refuse surrogates that stand for no byte: a string with one could not be written anywhere."""
    if source.text.isascii():
        return
    try:
        source.text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as problem:
        message = f"U+{ord(source.text[problem.start]):04X} is half a character"
        span = Span(source, problem.start, problem.start + 1)
        raise CompileError([error("invalid-character", message, span)]) from None


def parse(source: Source) -> Program:
    """The tree of a program. Raises CompileError with all syntax errors found."""
    _check_characters(source)
    parser = Parser(source)
    try:
        program = parser.parse_program()
    except RecursionError:
        # The caller's own stack was nearly full.
        raise _too_deep(parser) from None
    if parser.diagnostics:
        raise CompileError(parser.diagnostics)
    return program


def parse_expression(source: Source) -> Expr:
    """The tree of a text that is one expression, such as the body of a `#define`. Raises CompileError."""
    parser = Parser(source)
    parser.open_region(0, whole=True)
    try:
        expr = parser.parse_expression()
        if parser.kinds[parser.index] != "end":
            parser.unexpected("an operator or the end")
    except (Stop, Abort):
        raise CompileError(parser.diagnostics) from None
    except RecursionError:
        raise _too_deep(parser) from None
    if parser.diagnostics:
        raise CompileError(parser.diagnostics)
    return expr
