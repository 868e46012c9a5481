"""The formatter: comments and meaning stay, and formatting again changes nothing."""

import random
import re
from pathlib import Path

import pytest

from kernscope.diagnostics import CompileError, Source
from kernscope.syntax import parse
from kernscope.syntax.ast import same
from kernscope.syntax.format import format_source
from kernscope.syntax.format.layout import WIDTH

ROOT = Path(__file__).parents[3]


def formatted(text: str) -> str:
    return format_source(Source("p.bt", text))


def test_one_statement_on_a_line() -> None:
    assert formatted("begin{$x=1;if($x>1){print(1)}else if($x==2){exit()}else{@=count()}}") == (
        "begin\n"
        "{\n"
        "  $x = 1;\n"
        "  if ($x > 1) {\n"
        "    print(1);\n"
        "  } else if ($x == 2) {\n"
        "    exit();\n"
        "  } else {\n"
        "    @ = count();\n"
        "  }\n"
        "}\n"
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$x=-1+-$y*!$z;", "$x = -1 + -$y * !$z;"),
        ("$x=- -$y;", "$x = - -$y;"),
        ("$x=(uint64)-1;", "$x = (uint64)-1;"),
        ("$x=(struct task_struct*)$y;", "$x = (struct task_struct *)$y;"),
        ("$x=$p*2;", "$x = $p * 2;"),
        ("$x=*$p;", "$x = *$p;"),
        ("$x++;--@y[1,2];", "$x++;\n  --@y[1, 2];"),
        ("let $y:uint64=5;", "let $y : uint64 = 5;"),
        ("$z=$x?1:2;", "$z = $x ? 1 : 2;"),
        ("$z=$x ? : 2;", "$z = $x ?: 2;"),
        ("for($i:0..10){}", "for ($i : 0..10) {}"),
        ("for $kv:@a{print($kv.0)}", "for $kv : @a {\n    print($kv.0);\n  }"),
        ("print((a=1,b=2));", "print((a = 1, b = 2));"),
        ("print((1,));", "print((1,));"),
        ("$u=if(1){2}else{3};", "$u = if (1) { 2 } else { 3 };"),
        ("$v={let $q=3;$q+1};", "$v = {\n    let $q = 3;\n    $q + 1\n  };"),
        ("$t=0x1F+1e6+5us;", "$t = 0x1F + 1e6 + 5us;"),
        (";;$x=1;;", "$x = 1;"),
        ("print(args->x[1].y.z);", "print(args->x[1].y.z);"),
    ],
)
def test_expressions(text: str, wanted: str) -> None:
    assert formatted(f"begin {{ {text} }}") == f"begin\n{{\n  {wanted}\n}}\n"


def test_comments_keep_their_place() -> None:
    text = (
        "#!/usr/bin/env bpftrace\n"
        "// head\n"
        "\n"
        "/* two\n"
        "   lines */\n"
        "begin // here\n"
        "{ /* opens */\n"
        "  // above\n"
        "  $x = 1; // behind\n"
        "\n"
        "  $y = /* within */ 2;\n"
        "  // last\n"
        "} // after\n"
    )
    got = formatted(text)
    assert re.findall(r"//.*|/\*[^*]*\*/", got) == re.findall(r"//.*|/\*[^*]*\*/", text)
    assert got.startswith("#!/usr/bin/env bpftrace\n// head\n\n/* two\n   lines */\nbegin // here\n")
    assert "  $x = 1; // behind\n\n  $y = /* within */ 2;\n  // last\n} // after\n" in got


def test_blank_lines_are_kept_but_never_two() -> None:
    assert formatted("begin { $x = 1;\n\n\n\n$y = 2; $z = 3; }") == (
        "begin\n{\n  $x = 1;\n\n  $y = 2;\n  $z = 3;\n}\n"
    )


def test_definitions() -> None:
    text = (
        "#include <linux/sched.h>\n#define A(x) \\\n  x + 1\n"
        "struct s{int a;char *b[4];u8 c:3;struct{int x;}d;};enum e{A,B=2};\n"
        "config={max_map_keys=10;stack_mode=perf}let @a=hash(10);macro add(a,$b,@c){a+$b}"
    )
    assert formatted(text) == (
        "#include <linux/sched.h>\n#define A(x) \\\n  x + 1\n"
        "struct s {\n  int a;\n  char *b[4];\n  u8 c : 3;\n  struct {\n    int x;\n  } d;\n};\n"
        "enum e {\n  A,\n  B = 2,\n};\n"
        "config = {\n  max_map_keys = 10;\n  stack_mode = perf;\n}\n\n"
        "let @a = hash(10);\nmacro add(a, $b, @c)\n{\n  a + $b\n}\n"
    )


def test_heads_of_probes() -> None:
    text = 'tracepoint:a:b,u:/lib/*/x.so:"f(int, char)" /pid==1&&comm!="a/b"/{exit()}'
    assert formatted(text) == (
        'tracepoint:a:b,\nu:/lib/*/x.so:"f(int, char)"\n/pid == 1 && comm != "a/b"/\n{\n  exit();\n}\n'
    )


def test_what_an_if_leaves_out_stays_as_it_is() -> None:
    text = "#ifdef NOPE\nbegin   { exit( ) }\n;#else\n#define X 1\n#endif\nend{exit()}\n"
    got = formatted(text)
    assert "begin   { exit( ) }\n;#else\n" in got and got.endswith("end\n{\n  exit();\n}\n")


def test_long_lines_are_broken_at_the_loosest_place() -> None:
    names = ", ".join(f"argument_{i}" for i in range(12))
    got = formatted(
        f'begin {{ printf("%d", {names}); $x = {" + ".join(f"name_{i} * 2" for i in range(12))}; }}'
    )
    lines = got.splitlines()
    assert max(map(len, lines)) <= WIDTH and len(lines) == 7
    assert lines[3].startswith("      argument_") and lines[5].startswith("      + name_")


def test_errors_are_those_of_the_parser() -> None:
    with pytest.raises(CompileError):
        formatted("begin { print( }")


def _programs() -> list[str]:
    """Every program in the tests and pages of this project that can be parsed."""
    found = set()
    files = [*ROOT.glob("tests/spec/**/*.md"), *ROOT.glob("src/kernscope/diagnostics/codes/*.md")]
    for file in files:
        for text in re.findall(r"```\w*\n(.*?)```", file.read_text(), re.DOTALL):
            try:
                parse(Source("p", text))
            except CompileError:
                continue
            found.add(text)
    for file in [*ROOT.glob("tests/conformance/*.txt"), *ROOT.glob("tests/differential/*.txt")]:
        for text in re.findall(
            r"^\S[^\n]*?: (.*?)(?=^\S|^  [>~…!]|^  \w+:|\Z)", file.read_text(), re.M | re.S
        ):
            try:
                parse(Source("p", text))
            except CompileError:
                continue
            found.add(text)
    found |= {file.read_text() for file in ROOT.glob("src/kernscope/tools/*.bt")}
    return sorted(found)


PROGRAMS = _programs()
_INSERTED = ("/* c */", " // c\n", "\n\n\n", "\n", ";", "\n// own\n", "/* a\n   b */")


def _disturbed(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(0, 4)):
        places = [match.start() for match in re.finditer(r"[ \n;{},()]", text)]
        at = chance.choice(places or [0]) + chance.choice((0, 1))
        text = text[:at] + chance.choice(_INSERTED) + text[at:]
    return text


def _comments(text: str) -> list[str]:
    """Comments, blanks aside; what looks like one in a string does not count."""
    found = re.findall(r'"(?:\\.|[^"\\\n])*"|(/\*.*?\*/|//[^\n]*)', text, re.DOTALL)
    return sorted(re.sub(r"\s+", " ", comment).strip() for comment in found if comment)


def test_all_programs_stay_the_same_and_formatting_is_stable() -> None:
    chance = random.Random(7)
    assert len(PROGRAMS) > 50
    count = 0
    for round in range(3):
        for original in PROGRAMS:
            text = _disturbed(original, chance) if round else original
            try:
                tree = parse(Source("p", text))
            except CompileError:
                continue
            count += 1
            got = formatted(text)
            assert same(tree, parse(Source("p", got))), text
            assert formatted(got) == got, text
            if "/*/" not in text:
                assert _comments(got) == _comments(text), text
    assert count > 2 * len(PROGRAMS)


@pytest.mark.parametrize(
    "attribute", ["((packed))", "((packed) )", "((packed, aligned(8)))", "( (packed)\n)"]
)
def test_attributes_end_where_their_brackets_do(attribute: str) -> None:
    got = formatted(f"struct s {{ int a; }} __attribute__{attribute};\nunion u {{ int b; }};\nbegin {{ }}")
    assert re.sub(r"[\s()]", "", got) == re.sub(
        r"[\s()]", "", f"struct s {{ int a; }} __attribute__{attribute}; union u {{ int b; }}; begin {{ }}"
    )
    assert len(parse(Source("p", got)).c_definitions) == 2
