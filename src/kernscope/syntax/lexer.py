"""Text to tokens.

Not the whole text at once: targets such as `uprobe:/lib/*/x:"a b"` and preprocessor lines follow rules of
their own, so the parser reads those from the text itself and asks for tokens one region (a predicate and its
block, a definition) at a time. A region ends with the `}` that closes its first `{`, or a `;` before that.

A hand-written loop: importing `re` and compiling one pattern of all tokens takes about 10 ms at each start,
as long as this loop needs for some ten thousand lines' worth of one-liners.
"""

from kernscope.diagnostics.source import Source

__all__ = ["KEYWORDS", "Tokens", "scan", "skip_blank"]

_WORDS = (
    "break comptime continue else enum false for if import let macro offsetof return sizeof struct true "
    "typeinfo typeof union unroll while"
)
KEYWORDS = frozenset(_WORDS.split())
"""Words that cannot be used as names (bpftrace: docs/language.md, "Keywords", and language_parsing.md)."""

_KIND_OF_WORD = {word: word for word in KEYWORDS}

_NAME_START = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_DIGITS = frozenset("0123456789")
_NAME_PART = _NAME_START | _DIGITS
_BLANK = frozenset(" \t\r\n\f\v")

# One interned string per kind, so that comparing kinds is comparing pointers.
_THREE = {op: op for op in ("<<=", ">>=")}
_TWO_CHARACTERS = "++ -- -> == != <= >= && || << >> += -= *= /= %= &= |= ^= .."
_TWO = {op: op for op in _TWO_CHARACTERS.split()}
_ONE = {op: op for op in "+-*/%&|^~!<>=?:;,.()[]{}#"}


class Tokens:
    """A region's tokens as columns: `kinds[i]` of the text from `starts[i]` to `ends[i]`.

    A kind is the token itself for keywords and operators; else `name`, `number`, `string`, `variable` (`$x`),
    `param` (`$1`), `$#`, `map` (`@x`), `invalid` (`problems` says why) or `end`, as the last ones always are.
    """

    __slots__ = ("ends", "kinds", "problems", "starts")

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        # index of an invalid token -> "character", "string" or "comment"
        self.problems: dict[int, str] = {}


def skip_blank(text: str, position: int) -> int:
    """The offset after blanks and comments; at an unclosed comment, the offset of that comment."""
    length = len(text)
    while position < length:
        c = text[position]
        if c in _BLANK:
            position += 1
        elif c == "/" and text.startswith("//", position):
            end = text.find("\n", position)
            position = length if end < 0 else end + 1
        elif c == "/" and text.startswith("/*", position):
            end = text.find("*/", position + 2)
            if end < 0:
                return position
            position = end + 2
        else:
            break
    return position


def _string_end(text: str, start: int) -> int:
    """The offset after the closing quote of the string at `start`; negative where the line ends before it."""
    position = start + 1
    while True:
        quote = text.find('"', position)
        if quote < 0 or text.find("\n", position, quote) >= 0:
            return -1
        backslash = text.find("\\", position, quote)
        if backslash < 0:
            return quote + 1
        position = backslash + 2


def _sigil_end(text: str, start: int) -> tuple[str, int]:
    """Kind and end of what starts with `$` or `@`; the text ends with a NUL, which is part of no name."""
    position = start + 1
    c = text[position]
    if c in _NAME_START:
        while text[position] in _NAME_PART:
            position += 1
        return ("variable" if text[start] == "$" else "map"), position
    if text[start] == "@":
        return "map", position
    if c in _DIGITS:
        while text[position] in _DIGITS:
            position += 1
        return "param", position
    if c == "#":
        return "$#", position + 1
    return "invalid", position


def scan(source: Source, start: int, whole: bool = False) -> Tokens:
    """The tokens of the region from `start`: to its closing brace, or to a `;` outside of braces.

    Where `whole`, a closing brace does not end it.
    """
    tokens = Tokens()
    kinds, starts, ends = tokens.kinds, tokens.starts, tokens.ends
    text = source.text + "\0"  # an end mark that is part of no token spares the loops a comparison
    length = len(text) - 1
    position = start
    depth = 0
    while True:
        c = text[position]
        if c in _BLANK:
            position += 1
            continue
        begin = position
        if c in _NAME_START:
            position += 1
            while text[position] in _NAME_PART:
                position += 1
            kind = _KIND_OF_WORD.get(text[begin:position], "name")
        elif c in _DIGITS:
            position += 1
            while text[position] in _NAME_PART:
                position += 1
            kind = "number"
        elif c == "/" and text[position + 1] in "/*":
            position = skip_blank(source.text, position)
            if position != begin:
                continue
            kind = "invalid"
            tokens.problems[len(kinds)] = "comment"
            position = length
        elif c == '"':
            kind = "string"
            position = _string_end(text, begin)
            if position < 0:
                kind = "invalid"
                tokens.problems[len(kinds)] = "string"
                position = text.find("\n", begin)
                if position < 0:
                    position = length
        elif c == "$" or c == "@":
            kind, position = _sigil_end(text, begin)
            if kind == "invalid":
                tokens.problems[len(kinds)] = "character"
        elif (two := text[begin : begin + 2]) in _TWO:
            kind = _TWO[two]
            position += 2
            if text[begin : begin + 3] in _THREE:
                kind = _THREE[text[begin : begin + 3]]
                position += 1
        elif c in _ONE:
            kind = _ONE[c]
            position += 1
        elif begin == length:
            break
        else:
            kind = "invalid"
            tokens.problems[len(kinds)] = "character"
            position += 1
        kinds.append(kind)
        starts.append(begin)
        ends.append(position)
        if kind == "{":
            depth += 1
        elif kind == "}":
            depth -= 1
            if depth <= 0 and not whole:
                break
        elif kind == ";" and depth <= 0:
            break
    # Some more than one, so that looking a few tokens ahead needs no check.
    kinds += ("end",) * 4
    starts += (position,) * 4
    ends += (position,) * 4
    return tokens
