"""Loops, run on the user-space machine: over ranges, conditions and maps, with and without may_goto."""

import pytest
from checking import bundle_of
from vm_kernel import VmKernel
from vm_session import run

BEFORE_6_9 = ("may_goto",)


@pytest.fixture(params=[(), BEFORE_6_9], ids=["may_goto", "before 6.9"])
def kernel(request: pytest.FixtureRequest) -> VmKernel:
    return VmKernel(without=request.param)


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("for ($i : 0..3) { print($i); }", "0 1 2"),
        ("for ($i : 5..2) { print($i); }", ""),
        ("$n = pid - pid + 4; for ($i : 2..$n) { print($i); }", "2 3"),
        ("for ($i : (-2)..1) { print($i); }", "-2 -1 0"),
        ("for ($i : 0..3) { $i = 9; print($i); }", "9 9 9"),
        ("for ($i : 0..10) { if ($i == 2) { continue; } if ($i == 4) { break; } print($i); }", "0 1 3"),
        ("for ($i : 0..2) { for ($j : 0..2) { print(($i, $j)); } }", "(0, 0) (0, 1) (1, 0) (1, 1)"),
        ("for ($i : 0..3) { if ($i == 1) { return; } print($i); } print(99);", "0"),
        ("$n = 3; for ($i : 0..$n) { $n = 10; print($i); }", "0 1 2"),
        ("$i = 0; while ($i < 3) { print($i); $i++; }", "0 1 2"),
        ("$i = 0; while (1) { $i++; if ($i > 4) { break; } if ($i == 2) { continue; } print($i); }", "1 3 4"),
        ("$s = 0; for ($i : 0..900) { $s += $i; } print($s);", "404550"),
        ("unroll (3) { print(7); }", "7 7 7"),
        ("$i = 0; unroll (5) { $i++; if ($i == 2) { continue; } if ($i == 4) { break; } print($i); }", "1 3"),
        ('for ($i : 0..3) { $s = $i ? "odd" : "none"; print($s); }', "none odd odd"),
    ],
)
def test_what_a_loop_prints(kernel: VmKernel, body: str, wanted: str) -> None:
    assert run(f"begin {{ {body} }}", kernel).text.splitlines() == _lines(wanted)


def _lines(wanted: str) -> list[str]:
    if "(" in wanted:
        return [f"({part.strip('()')})" for part in wanted.split(") (")]
    return wanted.split(" ") if wanted else []


def test_an_endless_loop_ends_with_a_message() -> None:
    kernel = VmKernel(without=BEFORE_6_9)  # with may_goto it would be eight million rounds
    result = run("begin { $i = 0; while (true) { $i++; } print($i); }", kernel)
    assert result.text == "1000\n"
    assert "ended by the kernel's limit" in result.messages


def test_the_bound_of_a_loop_is_the_kernels_where_it_can_be() -> None:
    text = "begin { while (@x < 5) { @x++; } }"
    may_goto = 0xE5  # BPF_JCOND | BPF_JMP of include/uapi/linux/bpf.h
    with_it = bundle_of(text, VmKernel()).programs[0].code[::8]
    without = bundle_of(text, VmKernel(without=BEFORE_6_9)).programs[0].code[::8]
    assert may_goto in with_it and may_goto not in without


SINGLE = "begin { @m[7] = 70; "
THREE = "begin { @m[1] = 10; @m[2] = 20; @m[3] = 30; "


@pytest.mark.parametrize(
    ("program", "wanted"),
    [
        (SINGLE + "for ($kv : @m) { print($kv); print($kv.0); print($kv.1); } }", "(7, 70)\n7\n70\n"),
        ('begin { @m["a", 1] = 10; for ($kv : @m) { print($kv); print($kv.0.1); } }', "((a, 1), 10)\n1\n"),
        (
            THREE + "$s = 0; for ($kv : @m) { if ($kv.0 == 2) { continue; } $s += $kv.1; } print($s); }",
            "40\n",
        ),
        (THREE + "$n = 0; for ($kv : @m) { $n++; break; } print($n); }", "1\n"),
        (THREE + "for ($kv : @m) { return; } print(1); } begin { print(2); }", "2\n"),
        (THREE + "for ($kv : @m) { exit(4); } print(1); } begin { print(2); }", ""),
        (THREE + "for ($kv : @m) { delete(@m, $kv.0); } print(len(@m)); }", "0\n"),
        (THREE + "$n = 0; for ($a : @m) { for ($b : @m) { $n += $a.0 * $b.0; } } print($n); }", "36\n"),
        (
            SINGLE + 'for ($kv : @m) { $s = "in"; print($s); } for ($kv : @m) { $s = 5; print($s); } }',
            "in\n5\n",
        ),
        (SINGLE + '$s = "out"; for ($kv : @m) { $s = "in"; } print($s); }', "in\n"),
        (SINGLE + "for ($i : 0..2) { for ($kv : @m) { print($kv.1 + $i); } } }", "70\n71\n"),
        (SINGLE + "for ($kv : @m) { for ($i : 0..2) { print($i); } } }", "0\n1\n"),
        ("begin { @c[1] = count(); @c[1] = count(); for ($kv : @c) { print($kv); } }", "(1, 2)\n"),
        ('begin { @s["x"] = sum(-5); for ($kv : @s) { print($kv); } }', "(x, -5)\n"),
        ("begin { for ($kv : @m) { print(1); } print(2); } end { @m[1] = 1; }", "2\n"),
    ],
)
def test_loops_over_maps(kernel: VmKernel, program: str, wanted: str) -> None:
    assert run(program, kernel).text == wanted


def test_the_cells_of_all_cpus_count_in_a_loop_over_a_map() -> None:
    kernel = VmKernel(possible_cpus=3)
    text = "rawtracepoint:sys_enter { @c[1] = count(); } end { for ($kv : @c) { print($kv.1); } }"
    program = run(text, kernel, events=[("rawtracepoint", b"")] * 4)
    assert program.text == "4\n"
