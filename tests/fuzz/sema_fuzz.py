"""Mutated programs through the whole compiler: each compiles or is refused with a place, and nothing else happens.

The seeds are the programs of the Markdown tests, of the pages of the error codes and of the classic tools. Their
trees are mixed: an expression, a statement or a target is replaced by one of another program, so that most results
reach the checks of types. The kernel is the fixed one of the Markdown tests. Long runs:

    PYTHONPATH=tests/spec:tests/support python tests/fuzz/sema_fuzz.py COUNT [SEED]
"""

import random
import re
import sys
import time
from pathlib import Path

from fixed_kernel import FixedKernel

from kernscope.compiler import compile_source
from kernscope.diagnostics import CompileError, Source, codes, render_text, to_json
from kernscope.syntax import ast, parse, print_program

FOLDER = Path(__file__).parent
SLOW_SECONDS = 5.0
EXTRA = r"""
macro swap($a, $b) { let $t = $a; $a = $b; $b = $t; }
macro note(@m, k) { @m[k] = count(); }
begin { $x = 1; $y = pid; swap($x, $y); note(@n, comm); print(($x, $y)); }
---
#define LIMIT 10
#define TWICE(x) (x + x)
begin { for ($i : 0..LIMIT) { @[TWICE($i)] = hist($i); if ($i > 5) { break; } } }
---
let @l = lruhash(5);
tracepoint:syscalls:sys_enter_openat /pid > 1/ { @l[str(args.filename, 20)] = (args.flags, comm); }
end { for ($kv : @l) { print($kv.0); print($kv.1.1); } clear(@l); }
---
config = { max_strlen = 60; unstable_tseries = enable }
begin { $s = { let $t = "ab"; $t }; @x[$s, 1] = avg(5); print(@x, 3); printf("%-5s|%llu\n", $s, (uint64)-1); }
---
interval:s:1 { let $a : int32 = 4; $a += 3 * -2; $b = $a ? $a : 7; unroll(3) { @c++; }
  print(if ($b) { 1 } else { 2 }); }
---
begin { $t = (1, "x", (2, 3)); @m[$t] = $t.2; @s = stats(3); @h = lhist(5, 0, 100, 10); if ($1 == 3) { exit(); } }
---
tracepoint:syscalls:sys_exit_read { @r[probe, args.ret > 0] = sum(args.ret); @t[tid] = nsecs; delete(@t, tid); }
---
begin { while (@n++ < 10) { if (@n % 2) { continue; } @e = max(@n); } return; }
---
begin { print(getopt("n", 5)); print(sizeof(uint64)); print(-9223372036854775808 / -1); print(1 << 63 >> 2); }
""".strip().split("\n---\n")


def seeds() -> list[str]:
    """All programs that parse."""
    root = FOLDER.parent.parent
    texts = list(EXTRA)
    pages = [*(FOLDER.parent / "spec").rglob("*.md"), *(Path(codes.__file__).parent / "codes").glob("*.md")]
    for page in sorted(pages):
        texts += re.findall(r"```bpftrace\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    texts += [tool.read_text(encoding="utf-8") for tool in sorted((root / "src").rglob("tools/*.bt"))]
    return [text for text in texts if _parses(text)]


def _parses(text: str) -> bool:
    try:
        parse(Source("seed", text))
    except CompileError:
        return False
    return True


class Mixer:
    """Makes programs from parts of others."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        self.expressions: list[ast.Node] = []
        self.statements: list[ast.Node] = []
        self.targets: list[ast.Node] = []
        self.types: list[ast.Node] = []
        pools: tuple[tuple[type, list[ast.Node]], ...] = (
            (ast.Expr, self.expressions),
            (ast.Statement, self.statements),
            (ast.AttachPoint, self.targets),
            (ast.TypeExpr, self.types),
        )
        for text in texts:
            for node in ast.walk(parse(Source("seed", text))):
                for kind, pool in pools:
                    if isinstance(node, kind):
                        pool.append(node)

    def program(self, generator: random.Random) -> str:
        """One to five replacements in a program."""
        tree = parse(Source("seed", generator.choice(self.texts)))
        for _ in range(generator.randint(1, 5)):
            self._change(tree, generator)
        return print_program(tree)

    def _change(self, tree: ast.Program, generator: random.Random) -> None:
        places = [
            (node, name)
            for node in ast.walk(tree)
            for name in node.__match_args__
            if isinstance(getattr(node, name), ast.Node | list)
        ]
        for _ in range(20):
            node, name = generator.choice(places)
            value = getattr(node, name)
            if isinstance(value, list):
                self._change_list(value, generator)
                return
            other = self._like(value, generator)
            if other is not None:
                setattr(node, name, other)
                return

    def _change_list(self, items: list[object], generator: random.Random) -> None:
        if not items:
            return
        at = generator.randrange(len(items))
        kind = generator.randrange(4)
        other = self._like(items[at], generator)
        if kind == 0:
            del items[at]
        elif kind == 1:
            items.insert(at, items[generator.randrange(len(items))])
        elif other is not None:
            items[at : at + (kind == 2)] = [other]

    def _like(self, value: object, generator: random.Random) -> object:
        pools: list[tuple[type, list[ast.Node]]] = [
            (ast.Import, []),
            (ast.Expr, self.expressions),
            (ast.Statement, self.statements),
            (ast.AttachPoint, self.targets),
            (ast.TypeExpr, self.types),
        ]
        for kind, pool in pools:
            if isinstance(value, kind):
                return _copy(generator.choice(pool)) if pool else None
        return None


def _copy(node: ast.Node) -> ast.Node:
    """A tree of its own, which later changes may reach into."""
    copy = object.__new__(type(node))
    copy.span = node.span
    for name in node.__match_args__:
        value = getattr(node, name)
        if isinstance(value, ast.Node):
            value = _copy(value)
        elif isinstance(value, list):
            value = [_copy(v) if isinstance(v, ast.Node) else v for v in value]
        setattr(copy, name, value)
    return copy


def check(text: str, *, verify: bool = False) -> bool:
    """Whether the text compiles. Raises where the compiler breaks one of its promises."""
    started = time.process_time()
    try:
        compile_source(Source("fuzz", text), FixedKernel(), parameters=["7", "abc"], verify=verify)
    except CompileError as problem:
        assert problem.diagnostics
        for finding in problem.diagnostics:
            assert finding.span is not None, finding
        render_text(problem.diagnostics, width=80)
        to_json(problem.diagnostics)
        return False
    finally:
        took = time.process_time() - started
        assert took < SLOW_SECONDS, f"{took:.1f} s"
    return True


def run(count: int, seed: int, *, keep_going: bool = False) -> tuple[int, int]:
    """Check that many mixed programs; returns how many parsed and how many compiled."""
    generator = random.Random(seed)
    mixer = Mixer(seeds())
    parsed = compiled = 0
    failures: dict[str, str] = {}
    for _ in range(count):
        text = mixer.program(generator)
        if not _parses(text):
            continue
        parsed += 1
        try:
            compiled += check(text, verify=generator.random() < 0.2)
        except BaseException as problem:
            if not keep_going or isinstance(problem, KeyboardInterrupt):
                sys.stderr.write(f"failing program: {text!r}\n")
                raise
            _remember(failures, problem, text)
    for place, text in failures.items():
        sys.stdout.write(f"--- {place}\n{text}\n")
    return parsed, compiled


def _remember(failures: dict[str, str], problem: BaseException, text: str) -> None:
    """Keep the shortest program for each place that fails."""
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else ""
    place = f"{type(problem).__name__} {where} {str(problem)[:200]}"
    key = f"{type(problem).__name__} {where}"
    old = next((k for k in failures if k.startswith(key)), None)
    if old is None or len(text) < len(failures[old]):
        if old is not None:
            del failures[old]
        failures[place] = text


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    first_seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    start = time.perf_counter()
    good, whole = run(number, first_seed, keep_going=True)
    took = time.perf_counter() - start
    sys.stdout.write(f"seed {first_seed}: {number} texts, {good} parsed, {whole} compiled, {took:.1f} s\n")
