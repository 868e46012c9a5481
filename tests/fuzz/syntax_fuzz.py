"""Mutated programs through the parser: whatever the text, it gives a tree or a CompileError, nothing else.

What parses must print to a text that parses to the same tree; what does not must render. Long runs:

    python tests/fuzz/syntax_fuzz.py COUNT [SEED]
"""

import random
import sys
import time

from kernscope.diagnostics import CompileError, Source, render_text, to_json
from kernscope.syntax import ast, dump, parse, print_program

SEEDS = r"""
tracepoint:syscalls:sys_enter_read /comm == "curl"/
{ printf("fd %d\n", args->fd); @[comm] = count(); }
---
begin { for ($i : 0..10) { if ($i == 5) { break } else if (!$i) { continue; } @x[$i, 1]++ } exit() }
---
config = { stack_mode = perf }
let @a = lruhash(10);
macro f($a, @b, c) { $a += c; c }
end { f($x, @y, "s") }
---
struct s { int a : 3; char *b[4]; struct { u8 c; }; };
kprobe:f { $p = (struct s *)arg0; print($p->b[1].c) }
---
#define N 4 // n
#ifdef N
#include <a.h>
#endif
uprobe:/lib/*/x:"f(int)", u:x:y+4 { unroll(N) { $t = (1, (2,)).1 } }
---
fn g($a : uint64) : int32 { return $a ? -1 : 0x1f; }
interval:1s { _ = { let $b : int8 = 5ms; $b << 2 } }
---
begin { $x = if (pid == 1) { 1 } else { 2 }; while ($x) { --$x }
  print((a = 1, b = "\x41\n")); /* c */ }
---
profile:hz:99 /@s[tid] / 2 > sizeof(struct a) && *(uint8 *)$p % 3/
{ $y = $# + $1 ?: ~offsetof(struct a, b.c); }
""".strip().split("\n---\n")
PIECES = [
    *"{}()[];,:.$@#?'\"\\/*-+=<>!&|^%~ \n\t\0",
    *[
        "==",
        "++",
        "->",
        "..",
        "/*",
        "*/",
        "//",
        "&&",
        "<<=",
        "?:",
        "1e",
        "0x",
        "$1",
        "$#",
        "@a[",
        "(uint8)",
        "\udcff",
    ],
    *[
        "if",
        "else",
        "for",
        "let",
        "macro",
        "struct",
        "typeof",
        "comptime",
        "return",
        "import",
        "한",
        "\x1b[31m",
    ],
    *[
        "#if 1\n",
        "#endif\n",
        "\n}\n",
        "begin {",
        "kprobe:f /1/ {",
        '"a"',
        "99999999999999999999",
        "if (1) { 2 } else ",
    ],
]


def mutate(generator: random.Random) -> str:
    """One to eight cuts, copies, insertions and joins on a program."""
    text = generator.choice(SEEDS)
    for _ in range(generator.randint(1, 8)):
        at = generator.randint(0, len(text))
        end = min(len(text), at + generator.randint(0, 12))
        kind = generator.randrange(5)
        if kind == 0:
            text = text[:at] + text[end:]
        elif kind == 1:
            text = text[:at] + generator.choice(PIECES) + text[at:]
        elif kind == 2:
            text = text[:at] + text[at:end] * generator.randint(2, 4) + text[end:]
        elif kind == 3:
            text = text[:at] + generator.choice(PIECES) + text[end:]
        else:
            other = generator.choice(SEEDS)
            start = generator.randint(0, len(other))
            text = text[:at] + other[start : start + generator.randint(0, 40)] + text[at:]
    return text


def check(text: str) -> bool:
    """Whether the text is a program. Raises where the parser breaks one of its promises."""
    try:
        tree = parse(Source("fuzz", text))
    except CompileError as problem:
        assert 0 < len(problem.diagnostics) <= 20
        rendered = render_text(problem.diagnostics, width=80)
        assert rendered.isprintable() or set(filter(lambda c: not c.isprintable(), rendered)) <= {"\n"}
        to_json(problem.diagnostics)
        return False
    printed = print_program(tree)
    again = parse(Source("printed", printed))
    assert ast.same(tree, again), printed
    assert dump(tree) == dump(again)
    return True


def run(count: int, seed: int) -> int:
    """Check that many mutated programs; returns how many of them were programs."""
    generator = random.Random(seed)
    accepted = 0
    for _ in range(count):
        text = mutate(generator)
        try:
            accepted += check(text)
        except BaseException:
            sys.stderr.write(f"failing program: {text!r}\n")
            raise
    return accepted


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    first_seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    start = time.perf_counter()
    good = run(number, first_seed)
    took = time.perf_counter() - start
    sys.stdout.write(f"seed {first_seed}: {number} texts, {good} programs, {took:.1f} s\n")
