"""What attach points name, how their programs are loaded, and what the programs read: without a kernel."""

import signal
import struct

import pytest
from checking import bundle_of, findings
from fake_kernel import FakeKernel
from vm_kernel import VmKernel
from vm_session import run

from kernscope.probes import KINDS
from kernscope.tables.bpf import ProgramType


def probes_of(target: str) -> list[str]:
    """The names of the events that a target means, as `probe` says them."""
    return [name for name in bundle_of(f"{target} {{ print(probe); }}").probes if name]


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("begin", ["begin"]),
        ("BEGIN", ["begin"]),
        ("end", ["end"]),
        ("begin, end", ["begin", "end"]),
        ("interval:s:1", ["interval:s:1"]),
        ("i:ms:10", ["interval:ms:10"]),
        ("profile:hz:99", ["profile:hz:99"]),
        ("rawtracepoint:sched_switch", ["rawtracepoint:vmlinux:sched_switch"]),
        ("rt:vmlinux:sched_switch", ["rawtracepoint:vmlinux:sched_switch"]),
        ("rt:sys_*", ["rawtracepoint:vmlinux:sys_enter", "rawtracepoint:vmlinux:sys_exit"]),
        ("rt:nf_event", ["rawtracepoint:nf_tables:nf_event"]),
        ("rt:nf_tables:*", ["rawtracepoint:nf_tables:nf_event"]),
        ("t:sched:sched_switch", ["tracepoint:sched:sched_switch"]),
        (
            "tracepoint:sched:*",
            ["tracepoint:sched:sched_process_exec", "tracepoint:sched:sched_switch"],
        ),
        ("tracepoint:*:sys_enter", ["tracepoint:raw_syscalls:sys_enter"]),
        ("self:signal:SIGUSR1", ["self:signal:SIGUSR1"]),
    ],
)
def test_names(target: str, wanted: list[str]) -> None:
    assert sorted(probes_of(target)) == sorted(wanted)


def test_each_call_of_a_wildcard_has_its_name() -> None:
    wanted = [f"tracepoint:syscalls:sys_enter_{name}" for name in ("close", "openat", "read")]
    assert sorted(probes_of("tracepoint:syscalls:sys_enter_*")) == wanted


@pytest.mark.parametrize(
    ("target", "period"),
    [
        ("interval:s:2", (2_000_000_000, 0)),
        ("interval:ms:5", (5_000_000, 0)),
        ("interval:us:7", (7_000, 0)),
        ("interval:1m", (60_000_000_000, 0)),
        ("interval:hz:10", (0, 10)),
    ],
)
def test_periods(target: str, period: tuple[int, int]) -> None:
    program = bundle_of(f"{target} {{ print(1); }}").programs[0]
    assert program.type == ProgramType.PERF_EVENT
    assert program.attach[0].target == period


@pytest.mark.parametrize("period", ["s:-1", "s:x", "s", "s:1:2", "0s", "hz:0", "d:99999999999999999999"])
def test_periods_that_are_none(period: str) -> None:
    assert [code for code, _ in findings(f"interval:{period} {{ print(1); }}")] in (
        ["bad-target"],
        ["expected-action"],
    )


def test_programs_that_the_session_runs_can_be_test_run() -> None:
    bundle = bundle_of("begin { print(1); } end { print(2); } self:signal:SIGUSR1 { print(3); }")
    assert {program.type for program in bundle.programs} == {ProgramType.RAW_TRACEPOINT}
    assert [program.attach[0].kind for program in bundle.programs] == ["begin", "end", "self"]
    assert bundle.programs[2].attach[0].target == (int(signal.SIGUSR1),)


def test_a_misspelt_probe_suggests() -> None:
    from kernscope.compiler import compile_source
    from kernscope.diagnostics import CompileError, Source

    with pytest.raises(CompileError) as caught:
        compile_source(Source("test", "tracepoint:sched:sched_swich { print(1); }"), FakeKernel())
    assert "tracepoint:sched:sched_switch" in str(caught.value.diagnostics[0].help)


def test_one_clause_whose_events_differ_in_a_member_has_a_type_for_each() -> None:
    text = 'tracepoint:syscalls:sys_enter_openat, tracepoint:sched:sched_switch { printf("%s\\n", probe); }'
    assert bundle_of(text).probe_count == 2
    both = "tracepoint:syscalls:sys_exit_read, tracepoint:raw_syscalls:sys_exit { print(args.ret); }"
    assert findings(both) == []


def record(**parts: bytes) -> bytes:
    """A tracepoint's record: eight bytes of the kernel's own, then its fields at their offsets."""
    data = bytearray(64)
    for place, content in parts.items():
        at = int(place.removeprefix("at"))
        data[at : at + len(content)] = content
    return bytes(data)


def test_members_of_an_ordinary_tracepoint() -> None:
    text = "tracepoint:sched:sched_switch { print((args.prev_comm, args.prev_pid, args.prev_state, args.next_comm)); }"
    event = record(
        at8=b"idle\0garbage",
        at24=struct.pack("<i", -3),
        at32=struct.pack("<q", -(1 << 40)),
        at40=b"sixteen bytes 16",
    )
    result = run(text, events=[("perf_tracepoint", event)])
    assert result.text.split("(")[1].split(", ")[:3] == ["idle", "-3", str(-(1 << 40))]
    assert "sixteen bytes 1" in result.text


def test_a_dynamic_member() -> None:
    text = "tracepoint:sched:sched_process_exec { print((str(args.filename), args.pid, args.old_pid)); }"
    event = record(at8=struct.pack("<HH", 24, 9), at12=struct.pack("<ii", 7, 8), at24=b"/bin/true\0")
    assert run(text, events=[("perf_tracepoint", event)]).text == "(/bin/true, 7, 8)\n"


def test_a_tracepoint_that_reads_no_member_is_attached_as_a_raw_one() -> None:
    # Detaching those does not wait for grace periods.
    bundle = bundle_of("tracepoint:sched:sched_switch { @[comm] = count(); }")
    assert bundle.programs[0].type == ProgramType.RAW_TRACEPOINT
    assert bundle_of("tracepoint:sched:sched_switch { print(args.prev_pid); }").programs[0].type == (
        ProgramType.TRACEPOINT
    )


def test_words_of_a_raw_tracepoint() -> None:
    text = "rawtracepoint:sched_switch { print((arg0, arg3, args.prev_state)); }"
    event = struct.pack("<4Q", 1, 2, 3, (1 << 63) + 5)
    # The argument's type is `unsigned int`; what stands above it in its word is not part of it.
    assert run(text, events=[("rawtracepoint", event)]).text == f"(1, {(1 << 63) + 5}, 5)\n"


def test_a_signal_runs_its_program_alone() -> None:
    kernel = VmKernel()
    text = "self:signal:SIGUSR1 { print(1); } self:signal:SIGUSR2 { print(2); }"
    assert bundle_of(text).probe_count == 2
    assert run(text, kernel).text == ""


def test_begin_and_end_clauses_run_in_the_order_of_the_text() -> None:
    text = "end { print(3); } begin { print(1); } end { print(4); } begin { print(2); }"
    assert run(text).text == "1\n2\n3\n4\n"


def test_after_exit_only_end_runs() -> None:
    text = (
        "begin { print(1); if (pid) { exit(7); } print(2); } begin { print(3); }"
        "rawtracepoint:sys_enter { print(4); } end { print(5); }"
    )
    result = run(text, events=[("rawtracepoint", b"")])
    assert (result.text, result.exit_code) == ("1\n5\n", 7)


def test_a_predicate_decides() -> None:
    text = "rawtracepoint:sys_enter /arg1 > 5 && arg1 != 7/ { print(arg1); }"
    events = [("rawtracepoint", struct.pack("<2Q", 0, n)) for n in (5, 6, 7, 8)]
    assert run(text, events=events).text == "6\n8\n"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.providers[0])
def test_every_kind_says_what_it_is(kind: object) -> None:
    assert kind.doc and kind.doc.endswith(".") and kind.syntax  # type: ignore[attr-defined]
