"""What sema refuses: each code, and the part of the text that it points to."""

import pytest
from checking import findings
from fake_kernel import FakeKernel

FINDINGS: list[tuple[str, list[tuple[str, str]]]] = [
    # names
    ("begin { print($x); }", [("undefined-variable", "$x")]),
    ("begin { if (pid) { $y = 5; } print($y); }", [("undefined-variable", "$y")]),
    ("begin { print(args); }", [("not-available-here", "args")]),
    ("begin { print(pdi); }", [("unknown-name", "pdi")]),
    ('begin { prinft("x"); }', [("unknown-function", "prinft")]),
    ("begin { clear(@nope); }", [("undefined-map", "@nope")]),
    ("begin { print(@nope); }", [("undefined-map", "@nope")]),
    ("begin { print(len(@nope)); }", [("undefined-map", "@nope")]),
    ("begin { delete(@nope, 1); }", [("undefined-map", "@nope")]),
    ("begin { print(has_key(@nope, 1)); }", [("undefined-map", "@nope")]),
    ("begin { for ($kv : @nope) { } }", [("undefined-map", "@nope")]),
    ("begin { clear(@m); print(len(@m)); } end { @m[1] = 1; }", []),
    ("begin { let $x = 5; let $x = 6; }", [("variable-declared-twice", "let $x = 6")]),
    ("begin { let $x; print($x); }", [("undefined-variable", "$x")]),
    ("begin { let $x; $p = &$x; $x = 5; print(*$p); }", []),
    # functions that nothing calls
    ("fn f($a : int64) : int64 { return $b; } begin { }", [("undefined-variable", "$b")]),
    ("fn f($a : int64) : int64 { return $a; } fn g() : void { print(arg0); print(f(1)); } begin { }", []),
    # probes
    ("bgin { print(1); }", [("unknown-probe", "bgin")]),
    ("tracepoint:sched:sched_swich { print(1); }", [("unknown-probe", "tracepoint:sched:sched_swich")]),
    ("tracepoint:nope:x { print(1); }", [("unknown-probe", "tracepoint:nope:x")]),
    ("rawtracepoint:nope { print(1); }", [("unknown-probe", "rawtracepoint:nope")]),
    ("tracepoint:sched:nope*, begin { print(1); }", []),
    ("tracepoint:sched:nope* { print(1); } begin { }", [("unknown-probe", "tracepoint:sched:nope*")]),
    ("tracepoint:sched:nope, begin { print(1); }", [("unknown-probe", "tracepoint:sched:nope")]),
    ("begin:x { print(1); }", [("bad-target", "begin:x")]),
    ("tracepoint:sched { print(1); }", [("bad-target", "tracepoint:sched")]),
    ("interval:s:0 { print(1); }", [("bad-target", "interval:s:0")]),
    ("interval:parsec:1 { print(1); }", [("bad-target", "interval:parsec:1")]),
    ("self:signal:SIGNOPE { print(1); }", [("bad-target", "self:signal:SIGNOPE")]),
    # members
    (
        "tracepoint:syscalls:sys_exit_openat { print(args.fd); print(retval); }",
        [("unknown-field", "fd"), ("not-available-here", "retval")],
    ),
    ("begin { print(args.x); }", [("not-available-here", "args")]),
    ("begin { print(arg0); }", [("not-available-here", "arg0")]),
    # types
    ('begin { print(1 + "a"); }', [("type-mismatch", '"a"')]),
    ('begin { if (pid == "a") { } }', [("type-mismatch", 'pid == "a"')]),
    ('begin { print("a" < "b"); }', [("type-mismatch", '"a" < "b"')]),
    ('begin { print(pid ? 1 : "a"); }', [("type-mismatch", 'pid ? 1 : "a"')]),
    ('begin { $x = 1; $x = "a"; }', [("type-mismatch", '"a"')]),
    ("begin { let $x: int8 = 1; $x = 300; }", [("type-mismatch", "300")]),
    ("begin { let $x: uint16 = 70000; }", [("type-mismatch", "70000")]),
    ('begin { print((int32)"12"); }', [("type-mismatch", '(int32)"12"')]),
    ("begin { $t = (1, 2); $t = (1, 2, 3); }", [("type-mismatch", "(1, 2, 3)")]),
    ('begin { @x = 1; @x = "a"; }', [("type-mismatch", '"a"')]),
    ("begin { @a = count(); @a = sum(5); }", [("type-mismatch", "sum(5)")]),
    ("begin { @a = count(); @a = 5; }", [("type-mismatch", "5")]),
    ("begin { @a = count(); @a++; }", [("type-mismatch", "@a")]),
    ("begin { @a = count(); @b = @a; }", [("type-mismatch", "@a")]),
    ("begin { @h = hist(5); print((int64)@h); }", [("type-mismatch", "(int64)@h")]),
    ("begin { $x = print(1); }", [("type-mismatch", "print(1)")]),
    ('begin { @s = sum("a"); }', [("type-mismatch", '"a"')]),
    ("begin { print((1, 2).2); }", [("no-such-element", "(1, 2).2")]),
    # keys
    ("begin { @a = 1; @a[1] = 1; }", [("map-key-mismatch", "@a[1]")]),
    ("begin { @a[1] = 1; @a = 1; }", [("map-key-mismatch", "@a")]),
    ('begin { @a[1] = 1; @a["x"] = 1; }', [("map-key-mismatch", '@a["x"]')]),
    ("begin { @a[1] = 1; @a[1, 2] = 1; }", [("map-key-mismatch", "@a[1, 2]")]),
    ("begin { @a[print(1)] = 1; }", [("map-key-mismatch", "@a[print(1)]")]),
    # calls
    ("begin { count(); }", [("aggregation-needs-map", "count()")]),
    ("begin { $x = count(); }", [("aggregation-needs-map", "count()")]),
    ("begin { print(count()); }", [("aggregation-needs-map", "count()")]),
    ("begin { @a = sum(); }", [("wrong-arguments", "sum()")]),
    ("begin { @a = count(1); }", [("wrong-arguments", "count(1)")]),
    ("begin { @a = lhist(1, 0, 10, 0); }", [("wrong-arguments", "lhist(1, 0, 10, 0)")]),
    ("begin { @a = hist(1, 9); }", [("wrong-arguments", "hist(1, 9)")]),
    ("begin { @a = hist(1, pid); }", [("constant-needed", "pid")]),
    ("begin { exit(1, 2); }", [("wrong-arguments", "exit(1, 2)")]),
    ("begin { clear(1); }", [("wrong-arguments", "1")]),
    ("begin { @x[1] = 1; clear(@x[1]); }", [("wrong-arguments", "@x[1]")]),
    ('begin { printf("%d"); }', [("format-arguments", 'printf("%d")')]),
    ('begin { printf("%d", "a"); }', [("format-arguments", '"a"')]),
    ("begin { printf(comm); }", [("constant-needed", "comm")]),
    ("begin { print(5 / 0); }", [("division-by-zero", "0")]),
    # flow
    ("begin { break; }", [("outside-loop", "break")]),
    ("begin { continue; }", [("outside-loop", "continue")]),
    ("begin { unroll ($1) { } }", [("constant-needed", "$1")]),
    ("begin { unroll (101) { } }", [("constant-needed", "101")]),
    ("begin { @m = 1; for ($kv : @m) { } }", [("wrong-arguments", "@m")]),
    # settings
    ("config = { no_such = 1 } begin { print(1); }", [("bad-config", "no_such = 1")]),
    ("config = { max_probes = 0 } begin { print(1); }", [("bad-config", "0")]),
]


@pytest.mark.parametrize(("program", "wanted"), FINDINGS, ids=[program for program, _ in FINDINGS])
def test_finding(program: str, wanted: list[tuple[str, str]]) -> None:
    assert findings(program) == wanted


def test_all_independent_errors_are_found_at_once() -> None:
    program = 'begin { print(pdi); @a = count(); @a++; $x = 1; $x = "a"; prinft(1); }'
    assert [code for code, _ in findings(program)] == [
        "unknown-name",
        "type-mismatch",
        "type-mismatch",
        "unknown-function",
    ]


def test_the_same_error_about_many_targets_is_reported_once() -> None:
    assert findings("tracepoint:syscalls:sys_exit_* { print(args.nope); }") == [("unknown-field", "nope")]


def test_no_probe() -> None:
    assert [code for code, _ in findings("")] == ["no-probes"]


def test_a_kernel_without_types_is_not_asked_for_them() -> None:
    kernel = FakeKernel(without=["btf", "tp_btf", "compat"])
    assert findings("begin { print((pid, comm)); @[probe] = count(); }", kernel) == []
    assert "btf" not in kernel.asked


def test_formats_are_read_only_of_tracepoints_whose_members_are_used() -> None:
    kernel = FakeKernel()
    assert findings("tracepoint:syscalls:sys_enter_* { @[probe] = count(); }", kernel) == []
    assert [question for question in kernel.asked if question.startswith("format")] == []
