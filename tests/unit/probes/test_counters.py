"""What targets of `software` and `hardware` mean, without a kernel."""

import pytest
from checking import bundle_of, findings
from fake_kernel import FakeKernel

from kernscope.compiler import compile_source
from kernscope.diagnostics import Source
from kernscope.tables.bpf import ProgramType


@pytest.mark.parametrize(
    ("target", "name", "config", "count"),
    [
        ("software:faults:1", "software:faults:1", 2, 1),
        ("software:faults", "software:faults", 2, 100),
        ("software:page-faults:", "software:page-faults", 2, 100),
        ("s:cpu:1e6", "software:cpu:1000000", 0, 1_000_000),
        ("s:cpu:1ms", "software:cpu:1000000", 0, 1_000_000),
        ("software:cs:10_000", "software:cs:10000", 3, 10_000),
        ("software:task-clock", "software:task-clock", 1, 1),
        ("hardware:branches", "hardware:branches", 4, 100_000),
        ("h:ref-cycles:5", "hardware:ref-cycles:5", 9, 5),
    ],
)
def test_names_and_counts(target: str, name: str, config: int, count: int) -> None:
    program = bundle_of(f"{target} {{ print(probe); }}").programs[0]
    assert program.type == ProgramType.PERF_EVENT
    assert [(a.probe, a.target) for a in program.attach] == [(name, (config, count, 0))]


def test_the_process_of_a_run() -> None:
    """With `-p` or `-c` the event is that process's own."""
    for options in ({"pid": 42}, {"cpid": 42}):
        bundle = compile_source(Source("test", "software:cs:5 { @ = count(); }"), FakeKernel(), **options)
        assert bundle.programs[0].attach[0].target == (3, 5, 42)


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("software { }", "bad-target"),
        ("software: { }", "bad-target"),
        ("software:cs:1:2 { }", "bad-target"),
        ("software:cs:0 { }", "bad-target"),
        ("software:cs:-1 { }", "bad-target"),
        ("software:cs:x { }", "bad-target"),
        ("software:cs:9223372036854775808 { }", "bad-target"),
        ("software:* { }", "unknown-probe"),
        ("software:cycles { }", "unknown-probe"),
        ("hardware:r1a8:10 { }", "unknown-probe"),
        ("hardware:faults { }", "unknown-probe"),
    ],
)
def test_wrong_targets(program: str, code: str) -> None:
    assert [found for found, _ in findings(program)] == [code]


def test_registers_can_be_read() -> None:
    assert bundle_of('software:faults:1 { print((reg("ip"), reg("sp"))); @[ustack, kstack] = count(); }')


def test_arguments_are_not_there() -> None:
    assert [code for code, _ in findings("software:faults:1 { print(args.x); }")] == ["not-available-here"]
    assert [code for code, _ in findings("software:faults:1 { print(arg0); }")] == ["not-available-here"]
