"""What `watchpoint` targets mean and what is wrong with them, without a kernel."""

import pytest
from fake_kernel import FakeKernel

from kernscope.bundle import Bundle
from kernscope.compiler import compile_source
from kernscope.diagnostics import CompileError, Source
from kernscope.tables.bpf import ProgramType


def compiled(program: str, **options: int) -> Bundle:
    return compile_source(Source("test", program), FakeKernel(), **options)


@pytest.mark.parametrize(
    ("target", "process", "name", "key"),
    [
        ("watchpoint:0x10000000:8:rw", 7, "watchpoint:0x10000000:8:rw", (0x10000000, 8, 3, 7)),
        ("watchpoint:0x10000000:8:wr", 7, "watchpoint:0x10000000:8:wr", (0x10000000, 8, 3, 7)),
        ("w:4098:2:w", 7, "watchpoint:0x1002:2:w", (0x1002, 2, 2, 7)),
        ("w:4099:8:x", 7, "watchpoint:0x1003:8:x", (0x1003, 8, 4, 7)),
        (
            "watchpoint:0xffffffff81000000:1:w",
            0,
            "watchpoint:0xffffffff81000000:1:w",
            (0xFFFFFFFF81000000, 1, 2, 0),
        ),
    ],
)
def test_targets(target: str, process: int, name: str, key: tuple[int, ...]) -> None:
    for options in ({"pid": process}, {"cpid": process}):
        program = compiled(f"{target} {{ @ = count(); }}", **options).programs[0]
        assert program.type == ProgramType.PERF_EVENT
        assert [(a.probe, a.target) for a in program.attach] == [(name, key)]


def test_registers_lead_where_the_process_is() -> None:
    """A number that is made a pointer is one of the process, or of the kernel."""
    user = compiled("w:0x1000:8:w { print(*(uint64 *)0x1000); }", cpid=7).programs[0]
    kernel = compiled("w:0xffffffff81000000:8:w { print(*(uint64 *)0x1000); }").programs[0]
    assert user.attach[0].kind == "process_watchpoint" and kernel.attach[0].kind == "kernel_watchpoint"
    assert user.code != kernel.code


@pytest.mark.parametrize(
    ("target", "code", "telling"),
    [
        ("watchpoint", "bad-target", "does not say what to watch"),
        ("watchpoint:0x1000:8", "bad-target", "does not say what to watch"),
        ("watchpoint:here:8:w", "bad-target", "does not begin with an address"),
        ("watchpoint:0x1000:3:w", "bad-target", "not `3`"),
        ("watchpoint:0x1000:8:q", "bad-target", "`q` is none of the modes"),
        ("watchpoint:0x1000:8:r", "bad-target", "`r` is none of the modes"),
        ("watchpoint:0x1000:8:rwx", "bad-target", "`rwx` is none of the modes"),
        ("watchpoint:0x1000:4:x", "bad-target", "with length 8"),
        ("watchpoint:0x1001:8:w", "bad-target", "0x1001 is no multiple of the length, 8"),
        ("watchpoint:0x1000:8:w", "bad-target", "no process is named"),
        ("watchpoint:increment+arg1:4:w", "not-yet", "function's argument"),
        ("asyncwatchpoint:increment+arg1:4:w", "not-yet", "function's argument"),
        ("asyncwatchpoint:0x1000:4:w", "bad-target", "does not begin"),
    ],
)
def test_wrong_targets(target: str, code: str, telling: str) -> None:
    with pytest.raises(CompileError) as problem:
        compiled(f"{target} {{ }}")
    assert [found.code for found in problem.value.diagnostics] == [code]
    assert telling in problem.value.diagnostics[0].message
