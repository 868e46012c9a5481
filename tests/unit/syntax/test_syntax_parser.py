import sys

import pytest

from kernscope.diagnostics import CompileError, Source
from kernscope.syntax import ast, parse, parse_expression, print_program


def expression(text: str) -> ast.Expr:
    return parse_expression(Source("test", text))


def program(text: str) -> ast.Program:
    return parse(Source("test", text))


def body(text: str) -> list[ast.Statement]:
    return program(f"begin {{ {text} }}").probes[0].body.statements


def codes(text: str) -> list[str]:
    with pytest.raises(CompileError) as caught:
        program(text)
    return [diagnostic.code for diagnostic in caught.value.diagnostics]


# The levels of bpftrace's docs/language_parsing.md, lowest first.
LEVELS = [["||"], ["&&"], ["|"], ["^"], ["&"], ["==", "!="], ["<", ">", "<=", ">="], ["<<", ">>"], ["+", "-"]]
LEVELS += [["*", "/", "%"]]
OPERATORS = [(op, level) for level, ops in enumerate(LEVELS) for op in ops]


@pytest.mark.parametrize(("first", "first_level"), OPERATORS)
def test_precedence_of_every_pair(first: str, first_level: int) -> None:
    for second, second_level in OPERATORS:
        if first_level >= second_level:
            grouped = f"(a {first} b) {second} c"
        else:
            grouped = f"a {first} (b {second} c)"
        assert ast.same(expression(f"a {first} b {second} c"), expression(grouped)), (first, second)


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        ("-a * b", "(-a) * b"),
        ("!a == b", "(!a) == b"),
        ("*a.b", "*(a.b)"),
        ("-a[1]", "-(a[1])"),
        ("&a->b", "&(a->b)"),
        ("(uint8)a + b", "((uint8)a) + b"),
        ("(uint8)a.b", "(uint8)(a.b)"),
        ("(uint8)-a", "(uint8)(-a)"),
        ("-(uint8)a", "-((uint8)a)"),
        ("a ? b : c ? d : e", "a ? b : (c ? d : e)"),
        ("a || b ? c : d", "(a || b) ? c : d"),
        ("a ?: b ?: c", "a ?: (b ?: c)"),
        ("-$a++", "-($a++)"),
        ("sizeof(a) * 2", "(sizeof(a)) * 2"),
        ("comptime a + b", "(comptime a) + b"),
    ],
)
def test_grouping(text: str, grouped: str) -> None:
    assert ast.same(expression(text), expression(grouped))


@pytest.mark.parametrize(
    "text",
    [
        "(uint8)x",
        "(uint64_t)1",
        "(int64)-1",
        "(foo_t)-1",
        "(thing)$x",
        "(thing)x",
        "(thing)(x)",
        "(thing)!x",
        "(thing *)-1",
        "(struct a *)x",
        "(struct a)x",
        "(enum a)-1",
        "(uint8[8])1",
        "(int8[])x",
        "(thing[4])x",
        "(unsigned long)x",
        "(const char *)x",
        "(typeof($a))x",
        "(struct a **)x",
        "(string[16])x",
    ],
)
def test_casts(text: str) -> None:
    assert isinstance(expression(text), ast.Cast)


@pytest.mark.parametrize(
    "text", ["(pid) - 1", "(pid) + 1", "(pid) * 2", "(pid) & 1", "(a * b) - 1", "(a[1]) - 1"]
)
def test_arithmetic_that_looks_like_a_cast(text: str) -> None:
    assert isinstance(expression(text), ast.Binary)


@pytest.mark.parametrize("text", ["(pid)", "(pid)", "(pid) ? 1 : 2", "(pid, 1)", "(pid)[0]", "(pid).x"])
def test_no_cast_without_an_operand(text: str) -> None:
    assert not any(isinstance(node, ast.Cast) for node in ast.walk(expression(text)))


def test_a_condition_in_parentheses_is_no_cast() -> None:
    assert codes("begin { if (pid) print(1); }") == ["missing-block"]
    statement = body("if ((thing)x) { }")[0]
    assert isinstance(statement, ast.If) and isinstance(statement.cond, ast.Cast)


def test_numbers_end_before_ranges_and_tuple_accesses() -> None:
    loop = body("for ($i : 0..10) { }")[0]
    assert isinstance(loop, ast.ForRange)
    assert ast.same(loop.start, ast.IntLiteral(0)) and ast.same(loop.end, ast.IntLiteral(10))
    access = expression("$a.0.1")
    assert ast.same(access, ast.TupleAccess(ast.TupleAccess(ast.Variable("a"), 0), 1))


def test_spans_are_the_text_of_each_node() -> None:
    text = "kprobe:f /pid == 1/ { @x[tid, (1 + 2) * 3] = str(args.name, 10); if ($a) { $b++ } }"
    tree = program(text)
    texts = {node.span.text: type(node).__name__ for node in ast.walk(tree)}
    assert texts["kprobe:f"] == "AttachPoint"
    assert texts["pid == 1"] == "Binary"
    assert texts["@x[tid, (1 + 2) * 3]"] == "MapRef"
    assert texts["(1 + 2) * 3"] == "Binary"
    assert texts["1 + 2"] == "Binary"
    assert texts["str(args.name, 10)"] == "Call"
    assert texts["args.name"] == "FieldAccess"
    assert texts["@x[tid, (1 + 2) * 3] = str(args.name, 10)"] == "Assign"
    assert texts["if ($a) { $b++ }"] == "If"
    call = next(node for node in ast.walk(tree) if isinstance(node, ast.Call))
    assert call.name_span.text == "str"
    access = next(node for node in ast.walk(tree) if isinstance(node, ast.FieldAccess))
    assert access.name_span.text == "name"


def test_children_lie_within_their_parents() -> None:
    tree = program("macro f(a) { a + 1 } begin { $x = f({ 1 }) ? (1, -$y.0) : sizeof(struct a); }")
    for node in ast.walk(tree):
        for child in ast.children(node):
            assert node.span.start <= child.span.start <= child.span.end <= node.span.end


def test_targets() -> None:
    text = 'uprobe:/lib/*/x.so:"f(int, char): x", n=usdt:/a:b:c,\n k:vfs_* , BEGIN { }'
    targets = program(text).probes[0].attach_points
    assert [(target.provider, target.args, target.label) for target in targets] == [
        ("uprobe", ["/lib/*/x.so", "f(int, char): x"], None),
        ("usdt", ["/a", "b", "c"], "n"),
        ("k", ["vfs_*"], None),
        ("BEGIN", [], None),
    ]


def test_words_that_start_definitions_can_be_targets() -> None:
    tree = program("fn:x { } macro=kprobe:f { } let:y, struct:z { }")
    assert [target.provider for probe in tree.probes for target in probe.attach_points] == [
        "fn",
        "kprobe",
        "let",
        "struct",
    ]


def test_a_comma_may_end_a_list_of_targets() -> None:
    assert len(program("kprobe:f, kprobe:g, { }").probes[0].attach_points) == 2


def test_comments_are_blank() -> None:
    text = "begin { $x = 1; // }\n /* } */ print($x) /**/ }"
    assert ast.same(program(text), program("begin { $x = 1; print($x) }"))


def test_conditional_lines_choose_definitions() -> None:
    tree = program(
        "#define A 2\n#if A == 1\n#define X 1\n#elif defined(A) && A == 2\n#define X 2\n#else\n#define X 3\n"
        "#endif\n#undef A\n#ifdef A\n{{ not a program\n#endif\nbegin { }"
    )
    bodies = [node.body for node in tree.c_definitions if isinstance(node, ast.Define) and node.name == "X"]
    assert bodies == ["2"]
    assert len(tree.probes) == 1


def test_sizes_are_computed() -> None:
    tree = program("#define N (1 << 2)\n#define M N + 1\nstruct S { int a[N * 2][M]; u8 b : M - 2; };")
    struct = tree.c_definitions[2]
    assert isinstance(struct, ast.CStruct) and struct.fields is not None
    assert struct.fields[0].type.dims == [8, 5]
    assert struct.fields[1].bits == 3


def test_a_define_of_itself_ends() -> None:
    assert codes("#define N M\n#define M N\nstruct S { int a[N]; };") == ["not-constant"]


def test_statements_after_an_error_are_checked() -> None:
    assert codes("begin { $x = ; f(; { $y = ; } $z = 1 } kprobe:f { $x = ; } end { }") == [
        "unexpected-token",
        "unexpected-token",
        "unexpected-token",
        "unexpected-token",
    ]


def test_errors_are_not_endless() -> None:
    assert len(codes("begin { " + "x = 1; " * 1000 + "}")) == 20
    assert len(codes("} " * 1000)) == 20
    assert len(codes("#foo\n" * 1000)) == 20


def test_positions_of_errors() -> None:
    with pytest.raises(CompileError) as caught:
        program("begin {\n  $x = ;\n}\n")
    span = caught.value.diagnostics[0].span
    assert span is not None and span.source.position(span.start) == (2, 8)


DEEP = [
    "begin { print(" + "(" * 100000 + "1" + ")" * 100000 + ") }",
    "begin { " + "{" * 100000 + "}" * 100000 + " }",
    "begin { $x = " + "-" * 2 + " -" * 100000 + "1 }",
    "begin { $x = " + "!" * 100000 + "1 }",
    "begin { $x = " + "1 + " * 100000 + "1 }",
    "begin { $x = a" + ".b" * 100000 + " }",
    "begin { $x = " + "(uint8)" * 100000 + "1 }",
    "begin { $x = " + "1 ? 1 : " * 100000 + "1 }",
    "begin { " + "if (1) { " * 100000 + "}" * 100000 + " }",
    "begin { if (1) { } " + "else if (1) { } " * 100000 + "}",
    "begin { $x = " + "comptime " * 100000 + "1 }",
    "begin { $x = " + "f(" * 100000 + ")" * 100000 + " }",
    "begin { $x = " + "@x[" * 100000 + "1" + "]" * 100000 + " }",
    "begin { let $x : " + "typeof(" * 100000 + "1" + ")" * 100000 + "; }",
    "struct x { " + "struct { " * 100000 + "int a; " + "}; " * 100000 + "};",
    "#define A " + "(" * 100000 + "\nstruct x { int a[A]; };",
]


@pytest.mark.parametrize("text", DEEP, ids=[text[:30] for text in DEEP])
def test_deep_nesting_is_an_error_of_the_program(text: str) -> None:
    assert codes(text)[0] in ("nesting-too-deep", "not-constant")


def test_a_nearly_full_stack_is_no_crash() -> None:
    def descend(left: int) -> None:
        if left:
            descend(left - 1)
        else:
            program("begin { print(" + "(" * 60 + "1" + ")" * 60 + ") }")

    frames = 0
    frame = sys._getframe()
    while frame is not None:  # type: ignore[comparison-overlap]
        frames += 1
        frame = frame.f_back  # type: ignore[assignment]
    with pytest.raises(CompileError, match="nesting-too-deep"):
        descend(sys.getrecursionlimit() - frames - 120)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("\0", "invalid-character"),
        ("begin { \0 }", "invalid-character"),
        ("begin { $x = 1\0 }", "invalid-character"),
        ("begin { \udcff }", "invalid-character"),
        ('begin { print("\ud800") }', "invalid-character"),
        ("\ufeffbegin { }", "invalid-character"),
        ("begin { $x = " + "9" * 100000 + " }", "number-too-large"),
        ("begin { $" + "9" * 100000 + " }", "invalid-parameter"),
        ("begin { $a." + "9" * 100000 + " }", "unexpected-token"),
        ("struct x { int a[" + "9" * 100000 + "]; };", "number-too-large"),
        ("struct x { int a[99999999999]; };", "not-constant"),
        ("#if " + "1 << 63 << 63" + "\n#endif\n#if 1/0\n#endif", "invalid-directive"),
    ],
)
def test_strange_texts(text: str, code: str) -> None:
    assert code in codes(text)


def test_broken_bytes_in_strings_are_kept() -> None:
    statement = body('print("a\udcff\0b")')[0]
    assert isinstance(statement, ast.ExprStatement) and isinstance(statement.expr, ast.Call)
    assert ast.same(statement.expr.args[0], ast.StringLiteral("a\udcff\0b"))


def test_an_empty_program_has_no_probes() -> None:
    assert ast.same(program(""), ast.Program([], [], [], [], [], [], []))
    assert ast.same(program(" // nothing"), program(""))


def test_windows_line_ends() -> None:
    assert ast.same(program("begin {\r\n  $x = 1;\r\n}\r\n"), program("begin { $x = 1; }"))


def test_many_declarations_take_linear_time() -> None:
    text = "".join(f"let @m{i} = hash({i});\n" for i in range(2000)) + "begin { }"
    assert len(program(text).map_decls) == 2000
    text = "struct a { int x; };\n" * 2000
    assert len(program(text).c_definitions) == 2000


def test_printing_keeps_a_whole_tool() -> None:
    text = r"""
#!/usr/bin/env bpftrace
#ifndef BPFTRACE_HAVE_BTF
#include <linux/sched.h>
#endif
#include <net/sock.h>

BEGIN { printf("Tracing... Hit Ctrl-C to end.\n"); @names[1] = "ESTABLISHED"; }

kprobe:tcp_connect,
kprobe:tcp_close /pid != 0/
{
  $sk = (struct sock *)arg0;
  $inet_family = $sk->__sk_common.skc_family;
  if ($inet_family == AF_INET || $inet_family == AF_INET6) {
    $daddr = ntop($sk->__sk_common.skc_daddr);
    $port = (uint16)$sk->__sk_common.skc_dport;
    // little end first
    $port = ($port >> 8) | (($port << 8) & 0xff00);
    @start[tid, $daddr] = nsecs;
    time("%H:%M:%S ");
    printf("%-8d %-16s %-39s %-6d\n", pid, comm, $daddr, $port)
  }
}

interval:s:1 { @us[comm] = hist((nsecs - @start[tid, "x"]) / 1000); clear(@start) }
END { clear(@names); }
"""
    tree = program(text.lstrip())
    assert len(tree.probes) == 4
    again = program(print_program(tree))
    assert ast.same(again, tree)


def test_a_target_in_the_else_of_a_predicate_is_an_error() -> None:
    with pytest.raises(CompileError):
        parse(Source("x", "uprobe:a:b /if (1) { 2 } else end:c { } }"))


def test_slash_in_quotes_of_a_target_begins_no_predicate() -> None:
    with pytest.raises(CompileError):
        parse(Source("test", 'tracepoint:a_%d\\n", x); read /comm == "b; 2 } }"/\n{ print(1) }'))


@pytest.mark.parametrize("text", [r'import "a\qb";', r'begin { import "a\qb"; }', r'begin { import "a\\"; }'])
def test_names_of_imports_are_strings(text: str) -> None:
    try:
        parse(Source("test", text))
    except CompileError as refused:
        assert [found.code for found in refused.diagnostics] == ["invalid-escape"]
