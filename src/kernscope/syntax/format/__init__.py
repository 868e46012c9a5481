"""Programs laid out anew: every token and comment stays, only the blanks between them change.

The tree says what each part is (which `{` opens a block, where statements end, which `*` belongs to a type); the
tokens between are set one after the other, broken where a line would become too long. What is done depends on
tokens and comments alone, not on the layout found (but for blank lines and for whether a comment has a line of
its own, which are kept), so formatting the result changes nothing.
"""

from kernscope.diagnostics.source import Source

__all__ = ["format_source"]


def format_source(source: Source) -> str:
    """The text of a program, formatted. Raises CompileError where it cannot be parsed."""
    from kernscope.syntax.node import same
    from kernscope.syntax.parser import parse

    from .program import format_program

    program = parse(source)
    text = format_program(source, program)
    again = parse(Source(source.name, text))
    if not same(program, again):
        raise RuntimeError("formatting would have changed the meaning of the program")
    return text
