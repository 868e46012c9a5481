"""Built-ins on the user-space machine: what each reads of the task, the processor and the clocks."""

import struct

import pytest
from checking import findings
from fake_kernel import TASK_OFFSETS
from vm_kernel import VmKernel
from vm_session import run

from kernscope.asm.vm import Environment
from kernscope.catalog.builtins import BUILTINS

TASK, PARENT = 0xFFFF888000200000, 0xFFFF888000300000


def machine() -> VmKernel:
    environment = Environment(
        pid=1235, tgid=1234, uid=1000, gid=100, comm=b"worker/3", cpu=1, cpus=2, numa_node=3, task=TASK,
        boot_ns=5_000_000_000, jiffies=4_294_937_296, cgroup_id=77, random=[0xFFFFFFFF, 7],
    )  # fmt: skip
    task, parent = bytearray(4096), bytearray(4096)
    struct.pack_into("<Q", task, TASK_OFFSETS["real_parent"], PARENT)
    struct.pack_into("<I", parent, TASK_OFFSETS["tgid"], 1)
    parent[TASK_OFFSETS["comm"] : TASK_OFFSETS["comm"] + 5] = b"init\0"
    environment.add_memory(TASK, bytes(task), user=False)
    environment.add_memory(PARENT, bytes(parent), user=False)
    return VmKernel(environment)


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("pid", "1234"),
        ("tid", "1235"),
        ("uid", "1000"),
        ("gid", "100"),
        ("username", "ada"),
        ("comm", "worker/3"),
        ("cpu", "1"),
        ("ncpus", "2"),
        ("numaid", "3"),
        ("nsecs", "5000000000"),
        ("jiffies", "4294937296"),
        ("cgroup", "77"),
        ("ppid", "1"),
        ("pcomm", "init"),
        ("probe", "begin"),
        ("cpid", "0"),
        ("curtask", hex(TASK)),
        ("(rand, rand)", "(4294967295, 7)"),
        ("__builtin_pid", "1234"),
        ("pid()", "1234"),
    ],
)
def test_value(expression: str, wanted: str) -> None:
    assert run(f"begin {{ print({expression}); }}", machine()).text == f"{wanted}\n"


def test_elapsed_counts_from_the_start() -> None:
    import time

    environment = Environment(cpus=2, cpu=1, ktime_ns=time.monotonic_ns() + 3_000_000_000)
    seconds = int(run("begin { print(elapsed / 1000000000); }", VmKernel(environment)).text)
    assert seconds in (2, 3)


def test_what_belongs_to_function_probes_says_so() -> None:
    assert findings("begin { print(retval); }") == [("not-available-here", "retval")]
    assert findings("begin { print(func); }") == [("not-available-here", "func")]


@pytest.mark.parametrize("name", BUILTINS)
def test_every_built_in_is_described(name: str) -> None:
    assert BUILTINS[name].doc
