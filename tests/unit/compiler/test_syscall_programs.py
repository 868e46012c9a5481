"""System-call tracepoints: one program for all of them, with the meaning of the kernel's own tracepoints.

The programs run on the user-space machine, with registers and a task in its memory.
"""

import struct

import pytest
from checking import assembly, bundle_of
from fake_kernel import FORMATS, TASK_OFFSETS
from vm_kernel import VmKernel
from vm_session import run

from kernscope.asm.vm import Environment
from kernscope.tables.bpf import AttachType, ProgramType

# Numbers of x86_64, from its syscall_64.tbl.
READ, CLOSE, OPENAT = 0, 3, 257
NO_SUCH_CALL = 9999

REGISTERS_AT = 0xFFFF888000100000
TASK_AT = 0xFFFF888000200000
PATH_AT = 0x7F0000001000
TS_COMPAT = 2

# Offsets in struct pt_regs (arch/x86/include/asm/ptrace.h), in words.
ORIG_AX, DI, SI, DX, R10, R8, R9 = 15, 14, 13, 12, 7, 9, 8

# Without typed tracepoints registers and task are read by loads through bpf_rdonly_cast(), or with
# bpf_probe_read_kernel().
WAYS = {
    "typed": (),
    "untyped": ("tp_btf", "task_btf"),
    "helper": ("tp_btf", "task_btf", "rdonly_cast"),
}


def machine(
    number: int, arguments: tuple[int, ...] = (), *, without: tuple[str, ...] = (), status: int = 0
) -> VmKernel:
    """A machine whose task makes the call `number`."""
    words = [0] * 21
    words[ORIG_AX] = number
    for register, value in zip((DI, SI, DX, R10, R8, R9), arguments):
        words[register] = value & (1 << 64) - 1
    environment = Environment(cpus=2, cpu=1, task=TASK_AT)
    environment.add_memory(REGISTERS_AT, struct.pack("<21Q", *words), user=False)
    task = bytearray(2048)
    struct.pack_into("<I", task, TASK_OFFSETS["thread_info.status"], status)
    environment.add_memory(TASK_AT, bytes(task), user=False)
    environment.add_memory(PATH_AT, b"/etc/hostname\0", user=True)
    return VmKernel(environment, without=without)


def enter(number: int) -> tuple[str, bytes]:
    """The event of a call's entry: sys_enter(struct pt_regs *regs, long id)."""
    return "syscall_enter", struct.pack("<Qq", REGISTERS_AT, number)


def leave(result: int) -> tuple[str, bytes]:
    """The event of a call's exit: sys_exit(struct pt_regs *regs, long ret)."""
    return "syscall_exit", struct.pack("<Qq", REGISTERS_AT, result)


@pytest.fixture(params=WAYS.values(), ids=list(WAYS))
def without(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return tuple(request.param)


def test_one_program_for_all_entries() -> None:
    names = ("openat", "read", "close", "write", "mmap", "futex", "poll", "brk", "kill", "dup")
    formats = {("syscalls", f"sys_enter_{name}"): FORMATS["syscalls", "sys_enter_close"] for name in names}
    bundle = bundle_of("tracepoint:syscalls:sys_enter_* { @[probe] = count(); }", VmKernel(formats=formats))
    assert len(bundle.programs) == 1
    assert bundle.probe_count == len(names)
    program = bundle.programs[0]
    assert (program.type, program.expected_attach_type) == (ProgramType.TRACING, AttachType.TRACE_RAW_TP)
    assert program.attach_btf == "btf_trace_sys_enter"
    assert [where.kind for where in program.attach] == ["syscall_enter"]


def test_entries_and_exits_are_two_programs() -> None:
    bundle = bundle_of("tracepoint:syscalls:sys_* { @[probe] = count(); }")
    assert sorted(program.name for program in bundle.programs) == ["sys_enter", "sys_exit"]


def test_counting_by_probe_is_an_array_of_cells() -> None:
    bundle = bundle_of("tracepoint:syscalls:sys_enter_* { @[probe] = count(); }")
    assert [m.storage for m in bundle.user_maps] == ["cells"]
    assert "map_lookup_elem" not in assembly(bundle.programs[0])


def test_each_call_is_counted_by_its_name(without: tuple[str, ...]) -> None:
    text = "tracepoint:syscalls:sys_enter_* { @[probe] = count(); }"
    events = [enter(OPENAT), enter(READ), enter(OPENAT), enter(NO_SUCH_CALL), enter(-1), enter(CLOSE)]
    counted = run(text, machine(OPENAT, without=without), events=events).maps["@"]
    assert counted == {
        "tracepoint:syscalls:sys_enter_openat": 2,
        "tracepoint:syscalls:sys_enter_read": 1,
        "tracepoint:syscalls:sys_enter_close": 1,
    }


def test_members_of_args(without: tuple[str, ...]) -> None:
    text = (
        "tracepoint:syscalls:sys_enter_openat"
        '{ printf("%d %s %x %o %d\\n", args.dfd, str(args.filename), args.flags, args.mode, args.__syscall_nr); }'
    )
    kernel = machine(OPENAT, (-100, PATH_AT, 0x80000, 0o644), without=without)
    result = run(text, kernel, events=[enter(OPENAT), enter(READ)])
    assert result.text == "-100 /etc/hostname 80000 644 257\n"


def test_the_result_of_a_call(without: tuple[str, ...]) -> None:
    text = (
        "tracepoint:syscalls:sys_exit_openat { print((probe, args.ret)); }"
        "tracepoint:syscalls:sys_exit_read /args.ret < 0/ { print(-args.ret); }"
    )
    kernel = machine(OPENAT, without=without)
    assert run(text, kernel, events=[leave(-2), leave(7)]).text == (
        "(tracepoint:syscalls:sys_exit_openat, -2)\n(tracepoint:syscalls:sys_exit_openat, 7)\n"
    )
    assert run(text, machine(READ, without=without), events=[leave(-9), leave(3)]).text == "9\n"


def test_raw_system_calls_fire_beside_the_call_itself(without: tuple[str, ...]) -> None:
    text = (
        "tracepoint:raw_syscalls:sys_enter, tracepoint:syscalls:sys_enter_read { @[probe] = count(); }"
        "tracepoint:raw_syscalls:sys_enter { @id[args.id] = count(); @first = args.args[0]; }"
    )
    kernel = machine(READ, (5, 6), without=without)
    maps = run(text, kernel, events=[enter(READ), enter(CLOSE), enter(NO_SUCH_CALL)]).maps
    assert maps["@"] == {
        "tracepoint:raw_syscalls:sys_enter": 3,
        "tracepoint:syscalls:sys_enter_read": 1,
    }
    assert maps["@id"] == {READ: 1, CLOSE: 1, NO_SUCH_CALL: 1}
    assert maps["@first"] == {None: 5}


def test_raw_system_calls_beside_several_calls() -> None:
    text = "tracepoint:raw_syscalls:sys_enter, tracepoint:syscalls:sys_enter_* { @[probe] = count(); }"
    events = [enter(READ), enter(CLOSE), enter(CLOSE), enter(NO_SUCH_CALL)]
    assert run(text, machine(READ), events=events).maps["@"] == {
        "tracepoint:raw_syscalls:sys_enter": 4,
        "tracepoint:syscalls:sys_enter_read": 1,
        "tracepoint:syscalls:sys_enter_close": 2,
    }


def test_clauses_that_name_the_same_call_run_in_their_order() -> None:
    text = (
        "tracepoint:syscalls:sys_enter_read { print(1); }"
        "tracepoint:syscalls:sys_enter_close { print(2); }"
        "tracepoint:syscalls:sys_enter_* { print(3); }"
    )
    assert run(text, machine(READ), events=[enter(READ)]).text == "1\n3\n"


def test_compat_calls_are_left_out_where_there_are_any(without: tuple[str, ...]) -> None:
    text = "tracepoint:syscalls:sys_enter_read { @ = count(); } tracepoint:syscalls:sys_exit_read { @e = count(); }"
    events = [enter(READ), leave(0)]
    assert run(text, machine(READ, without=without, status=TS_COMPAT), events=events).maps == {
        "@": {},
        "@e": {},
    }
    assert run(text, machine(READ, without=without, status=1), events=events).maps == {
        "@": {None: 1},
        "@e": {None: 1},
    }
    none = machine(READ, without=(*without, "compat"), status=TS_COMPAT)
    assert run(text, none, events=events).maps == {"@": {None: 1}, "@e": {None: 1}}


def test_a_kernel_without_compat_calls_is_not_asked_for_the_task() -> None:
    text = "tracepoint:syscalls:sys_enter_read { @ = count(); }"
    with_check = assembly(bundle_of(text, VmKernel()).programs[0])
    without_check = assembly(bundle_of(text, VmKernel(without=["compat"])).programs[0])
    assert "get_current_task" in with_check and "get_current_task" not in without_check


def test_a_kernel_without_types_gets_a_plain_raw_tracepoint() -> None:
    kernel = VmKernel(without=["btf", "tp_btf", "task_btf", "compat"])
    program = bundle_of("tracepoint:syscalls:sys_enter_openat { print(args.flags); }", kernel).programs[0]
    assert (program.type, program.attach_btf) == (ProgramType.RAW_TRACEPOINT, None)
    assert program.attach[0].target == ("sys_enter",)
    assert "probe_read_kernel" in assembly(program)
    assert "btf" not in kernel.asked


def test_a_call_without_a_known_number_is_an_ordinary_tracepoint() -> None:
    formats = {("syscalls", "sys_enter_no_such_call"): FORMATS["syscalls", "sys_enter_close"]}
    bundle = bundle_of(
        "tracepoint:syscalls:sys_enter_no_such_call { print(args.fd); }", VmKernel(formats=formats)
    )
    assert bundle.programs[0].type == ProgramType.TRACEPOINT


def test_events_where_the_kernel_preempts_programs() -> None:
    """The records of raw_syscalls: 8 common bytes, the number, and six arguments or the result."""
    text = (
        "tracepoint:syscalls:sys_enter_openat { @[probe, args.dfd, str(args.filename), args.flags] = count(); }"
        "tracepoint:syscalls:sys_exit_openat { @left[probe, args.ret] = count(); }"
    )
    entry = struct.pack("<8xq6Q", OPENAT, (1 << 64) - 100, PATH_AT, 0x80000, 0o644, 0, 0)
    other = struct.pack("<8xq6Q", READ, 3, PATH_AT, 64, 0, 0, 0)
    kernel = machine(OPENAT, without=("steady_syscalls",))
    events = [
        ("syscall_enter_event", entry),
        ("syscall_enter_event", other),
        ("syscall_exit_event", struct.pack("<8xqq", OPENAT, -2)),
        ("syscall_exit_event", struct.pack("<8xqq", READ, 7)),
    ]
    assert run(text, kernel, events=events).maps == {
        "@": {("tracepoint:syscalls:sys_enter_openat", -100, "/etc/hostname", 0x80000): 1},
        "@left": {("tracepoint:syscalls:sys_exit_openat", -2): 1},
    }
    bundle = bundle_of(text, VmKernel(without=["steady_syscalls"]))
    assert {program.type for program in bundle.programs} == {ProgramType.TRACEPOINT}
    assert {program.attach[0].target for program in bundle.programs} == {
        ("raw_syscalls", "sys_enter"),
        ("raw_syscalls", "sys_exit"),
    }
