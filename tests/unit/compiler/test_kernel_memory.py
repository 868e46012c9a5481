"""Reading the kernel's memory: by plain loads where the kernel has bpf_rdonly_cast(), else with a helper."""

import struct

import pytest
from checking import assembly, bundle_of
from vm_kernel import VmKernel
from vm_session import run

from kernscope.asm.vm import Environment
from kernscope.compiler import compile_source
from kernscope.diagnostics import Source

TASK_AT = 0xFFFF888000200000
NOWHERE = 0xFFFF888000900000
USER_AT = 0x7F0000001000
WORD = 0x1122334455667788

# The offset of task_struct.state in tests/support/made_btf.py.
STATE = 24

WAYS = {"cast": (), "helper": ("rdonly_cast",)}


def printed(action: str, without: tuple[str, ...]) -> str:
    """What a program prints whose task is at TASK_AT, in a kernel without these features."""
    environment = Environment(task=TASK_AT)
    task = bytearray(2048)
    struct.pack_into("<q", task, STATE, -2)
    struct.pack_into("<Q", task, 0x100, WORD)
    environment.add_memory(TASK_AT, bytes(task), user=False)
    environment.add_memory(USER_AT, bytes(range(1, 9)), user=True)
    kernel = VmKernel(environment, without=(*without, "tp_btf", "task_btf"))
    return run(f"begin {{ {action} }}", kernel).text


@pytest.fixture(params=WAYS.values(), ids=list(WAYS))
def without(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return tuple(request.param)


def test_the_way_is_the_cheapest_that_the_kernel_has() -> None:
    text = "begin { $task = (struct task_struct *)curtask; print($task->state); }"
    cast = assembly(bundle_of(text, VmKernel(without=("task_btf",))).programs[0])
    assert "bpf_rdonly_cast" in cast and "probe_read_kernel" not in cast
    older = assembly(bundle_of(text, VmKernel(without=("task_btf", "rdonly_cast"))).programs[0])
    assert "probe_read_kernel" in older and "bpf_rdonly_cast" not in older


def test_reads_that_shall_be_reported_keep_the_helper() -> None:
    text = "begin { $task = (struct task_struct *)curtask; print($task->state); }"
    bundle = compile_source(Source("test", text), VmKernel(), settings={"warn_reads": True}, verify=True)
    assert "probe_read_kernel" in assembly(bundle.programs[0])


def test_a_member(without: tuple[str, ...]) -> None:
    assert printed("$task = (struct task_struct *)curtask; print($task->state);", without) == "-2\n"


@pytest.mark.parametrize(
    ("type", "expected"),
    [
        ("uint64", WORD),
        ("uint32", WORD & 0xFFFFFFFF),
        ("uint16", 0x7788),
        ("uint8", 0x88),
        ("int8", 0x88 - 256),
        ("int32", WORD & 0x7FFFFFFF),
    ],
)
def test_every_width(without: tuple[str, ...], type: str, expected: int) -> None:
    assert printed(f"print(*({type}*)kptr({TASK_AT + 0x100}));", without) == f"{expected}\n"
    assert printed(f"print(*({type}*)kptr({NOWHERE}));", without) == "0\n"


def test_what_ends_within_a_number_is_not_read(without: tuple[str, ...]) -> None:
    assert printed(f"print(*(uint64*)kptr({TASK_AT + 2044}));", without) == "0\n"
    assert printed(f"print(*(uint32*)kptr({TASK_AT + 2044}));", without) == "0\n"


def test_users_memory_is_none_of_the_kernels(without: tuple[str, ...]) -> None:
    assert printed(f"print(*(uint64*)kptr({USER_AT}));", without) == "0\n"
