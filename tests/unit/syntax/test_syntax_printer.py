"""Printer and parser are each other's inverse."""

import pytest
from hypothesis import HealthCheck, given, settings
from syntax_trees import EXPRESSIONS, PROGRAMS

from kernscope.diagnostics import Source
from kernscope.syntax import ast, parse, parse_expression, print_program
from kernscope.syntax.printer import print_expression

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@QUICK
@given(EXPRESSIONS)
def test_expression_round_trip(expr: ast.Expr) -> None:
    text = print_expression(expr)
    again = parse_expression(Source("test", text))
    assert ast.same(again, expr), text
    assert print_expression(again) == text


@QUICK
@given(PROGRAMS)
def test_program_round_trip(program: ast.Program) -> None:
    text = print_program(program)
    again = parse(Source("test", text))
    assert ast.same(again, program), text
    assert print_program(again) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(1 + 2) * 3", "(1 + 2) * 3"),
        ("((1 * 2)) + 3", "1 * 2 + 3"),
        ("1 - (2 - 3)", "1 - (2 - 3)"),
        ("- - 1", "- -1"),
        ("-(-1)", "- -1"),
        ("& &$x", "& &$x"),
        ("* *$x", "**$x"),
        ("(thing)(-1)", "(thing)(-1)"),
        ("(uint8)(-1)", "(uint8)-1"),
        ("(1).0", "(1).0"),
        ("(@x)[1]", "(@x)[1]"),
        ("(a ? b : c) ? d : e", "(a ? b : c) ? d : e"),
        ("a ? b : (c ? d : e)", "a ? b : c ? d : e"),
        ("(if (a) { 1 } else { 2 }) + 1", "(if (a) {\n  1\n} else {\n  2\n}) + 1"),
    ],
)
def test_parentheses_only_where_needed(text: str, expected: str) -> None:
    assert print_expression(parse_expression(Source("test", text))) == expected


def test_target_without_text_is_quoted_where_needed() -> None:
    target = ast.AttachPoint("uprobe", ["/bin/sh", "f(int, char)"], "")
    program = ast.Program([], [], [], [], [], [], [ast.Probe([target], None, ast.Block([], None))])
    assert print_program(program) == 'uprobe:/bin/sh:"f(int, char)" { }\n'


def test_backslash_before_a_comment_continues_nothing() -> None:
    tree = parse(Source("test", "#define N 4\\ // four\n#define M 5\nbegin { print(N + M) }"))
    printed = print_program(tree)
    assert printed.startswith("#define N 4\n\n#define M 5\n")
    assert ast.same(tree, parse(Source("printed", printed)))
