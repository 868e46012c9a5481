"""Helpers that report the environment and read memory; behaviour as in include/uapi/linux/bpf.h."""

import errno

import pytest

from kernscope.asm import instruction as asm
from kernscope.asm.encode import Item, assemble
from kernscope.asm.vm import Environment, Machine, Region, VmFault
from kernscope.asm.vm.helper import HELPERS
from kernscope.tables import opcodes as o
from kernscope.tables.helpers import HELPER_IDS

KERNEL, USER = 0xFFFF888000010000, 0x7F0000002000


def run(environment: Environment, *items: Item, ctx: bytes | Region = b"") -> int:
    return Machine(environment=environment).run(assemble([("main", [*items, asm.exit_()])]), ctx)


@pytest.mark.parametrize(
    ("name", "environment", "expected"),
    [
        ("get_current_pid_tgid", Environment(pid=7, tgid=9), 9 << 32 | 7),
        ("get_current_uid_gid", Environment(uid=1000, gid=0xFFFFFFFF), 0xFFFFFFFF << 32 | 1000),
        ("ktime_get_ns", Environment(ktime_ns=123), 123),
        ("ktime_get_boot_ns", Environment(boot_ns=124), 124),
        ("ktime_get_coarse_ns", Environment(coarse_ns=125), 125),
        ("ktime_get_tai_ns", Environment(tai_ns=126), 126),
        ("jiffies64", Environment(jiffies=127), 127),
        ("get_smp_processor_id", Environment(cpu=3, cpus=4), 3),
        ("get_numa_node_id", Environment(numa_node=1), 1),
        ("get_prandom_u32", Environment(random=[2**32 + 5]), 5),
        ("get_current_cgroup_id", Environment(cgroup_id=99), 99),
        ("get_current_task", Environment(task=KERNEL), KERNEL),
        ("get_current_task_btf", Environment(task=KERNEL), KERNEL),
        ("get_attach_cookie", Environment(attach_cookie=2**64 - 1), 2**64 - 1),
    ],
)
def test_what_the_environment_says(name: str, environment: Environment, expected: int) -> None:
    # get_attach_cookie is the only one of them with a parameter, the context, which r1 already is.
    assert run(environment, asm.call(name)) == expected


def test_clocks_go_on_and_random_numbers_follow_their_sequence() -> None:
    items: list[Item] = [
        asm.call("ktime_get_ns"),
        asm.mov(6, 0),
        asm.call("ktime_get_ns"),
        asm.alu64(o.SUB, 0, 6),
    ]
    assert run(Environment(clock_step_ns=5), *items) == 5
    items = [asm.call("get_prandom_u32"), asm.mov(6, 0), asm.call("get_prandom_u32"), asm.alu64(o.SUB, 0, 6)]
    assert run(Environment(random=[10, 25]), *items) == 15


@pytest.mark.parametrize(
    ("comm", "size", "expected"),
    [
        (b"curl", 16, b"curl" + bytes(12)),
        (b"curl", 3, b"cu\0"),
        (b"a-very-long-name-indeed", 16, b"a-very-long-nam\0"),
        (b"curl", 20, b"curl" + bytes(16)),
    ],
)
def test_comm_is_cut_and_padded(comm: bytes, size: int, expected: bytes) -> None:
    region = Region("buffer", bytearray(b"\xff" * 24))
    assert run(Environment(comm=comm), asm.mov_imm(2, size), asm.call("get_current_comm"), ctx=region) == 0
    assert bytes(region.data) == expected.ljust(24, b"\xff")


def _read(helper: str, size: int, source: int) -> tuple[int, bytes]:
    """Run a probe_read helper into a buffer of 16 bytes 0xff, with memory of both kinds mapped."""
    environment = Environment()
    environment.add_memory(KERNEL, b"kernel\0rest-of-it", user=False)
    environment.add_memory(USER, b"userland\0", user=True)
    region = Region("buffer", bytearray(b"\xff" * 16))
    result = run(environment, asm.mov_imm(2, size), asm.ld_imm64(3, source), asm.call(helper), ctx=region)
    return result - 2**64 if result >> 63 else result, bytes(region.data)


@pytest.mark.parametrize(
    ("helper", "size", "source", "result", "content"),
    [
        ("probe_read_kernel", 6, KERNEL, 0, b"kernel"),
        ("probe_read", 4, KERNEL + 2, 0, b"rnel"),
        ("probe_read_kernel", 0, KERNEL, 0, b""),
        ("probe_read_kernel", 4, USER, -errno.ERANGE, bytes(4)),
        ("probe_read_kernel_str", 4, 8, -errno.ERANGE, bytes(4)),
        ("probe_read_kernel", 16, KERNEL + 8, -errno.EFAULT, bytes(16)),
        ("probe_read_user", 9, USER, 0, b"userland\0"),
        ("probe_read_user", 4, KERNEL, -errno.EFAULT, bytes(4)),
        ("probe_read_user", 4, 0, -errno.EFAULT, bytes(4)),
        ("probe_read_kernel_str", 16, KERNEL, 7, b"kernel\0"),
        ("probe_read_kernel_str", 4, KERNEL, 4, b"ker\0"),
        ("probe_read_str", 7, KERNEL, 7, b"kernel\0"),
        ("probe_read_kernel_str", 16, KERNEL + 6, 1, b"\0"),
        ("probe_read_kernel_str", 16, KERNEL + 7, -errno.EFAULT, bytes(16)),
        ("probe_read_kernel_str", 10, KERNEL + 7, 10, b"rest-of-i\0"),
        ("probe_read_kernel_str", 0, KERNEL, 0, b""),
        ("probe_read_user_str", 16, USER, 9, b"userland\0"),
        ("probe_read_user_str", 1, USER, 1, b"\0"),
        ("probe_read_user_str", 16, KERNEL, -errno.EFAULT, bytes(16)),
    ],
)
def test_probe_reads(helper: str, size: int, source: int, result: int, content: bytes) -> None:
    assert _read(helper, size, source) == (result, content.ljust(16, b"\xff"))


def test_probe_read_sees_the_machines_own_memory_as_kernel_memory() -> None:
    items: list[Item] = [
        asm.st(o.DW, 10, -16, 77),
        asm.mov(1, 10),
        asm.alu64_imm(o.ADD, 1, -8),
        asm.mov_imm(2, 8),
        asm.mov(3, 10),
        asm.alu64_imm(o.ADD, 3, -16),
        asm.call("probe_read_kernel"),
        asm.ldx(o.DW, 0, 10, -8),
    ]
    assert run(Environment(), *items) == 77


def test_a_helper_does_not_write_past_a_buffer() -> None:
    region = Region("buffer", bytearray(8))
    with pytest.raises(VmFault, match="buffer"):
        run(Environment(), asm.mov_imm(2, 9), asm.call("get_current_comm"), ctx=region)
    with pytest.raises(VmFault, match="buffer"):
        run(
            Environment(), asm.mov_imm(2, 9), asm.mov_imm(3, 0), asm.call("probe_read_kernel_str"), ctx=region
        )


@pytest.mark.parametrize(
    ("left", "size", "right", "expected"),
    [
        (b"curl\0", 5, b"curl\0", 0),
        (b"curl\0", 5, b"curm\0", -1),
        (b"curm\0", 5, b"curl\0", 1),
        (b"curlA", 4, b"curlB\0", 0),
        (b"cur\0x", 5, b"cur\0y", 0),
        (b"cur\0x", 5, b"curl\0", -1),
        (b"\xff", 1, b"a\0", 1),
        (b"", 0, b"a\0", 0),
    ],
)
def test_strncmp(left: bytes, size: int, right: bytes, expected: int) -> None:
    environment = Environment()
    machine = Machine(environment=environment)
    constant = Region("constant", bytearray(right), writable=False)
    address = machine.space.address_of(constant)
    program = assemble(
        [("main", [asm.mov_imm(2, size), asm.ld_imm64(3, address), asm.call("strncmp"), asm.exit_()])]
    )
    assert machine.run(program, Region("text", bytearray(left))) == expected % 2**64


def test_strncmp_wants_a_terminated_second_string() -> None:
    machine = Machine()
    address = machine.space.address_of(Region("constant", bytearray(b"ab"), writable=False))
    items = [asm.mov_imm(2, 1), asm.ld_imm64(3, address), asm.call("strncmp"), asm.exit_()]
    with pytest.raises(VmFault, match="no NUL"):
        machine.run(assemble([("main", items)]), b"ab")


@pytest.mark.parametrize(
    ("dev", "ino", "size", "result", "content"),
    [
        (4, 4026531836, 8, 0, bytes.fromhex("0500000006000000")),
        (4, 1, 8, -errno.EINVAL, bytes(8)),
        (4, 4026531836, 4, -errno.EINVAL, bytes(4)),
    ],
)
def test_pid_in_a_namespace(dev: int, ino: int, size: int, result: int, content: bytes) -> None:
    environment = Environment(namespace_pid=5, namespace_tgid=6)
    region = Region("buffer", bytearray(b"\xff" * 8))
    items = [asm.mov(3, 1), asm.ld_imm64(1, dev), asm.ld_imm64(2, ino), asm.mov_imm(4, size)]
    assert run(environment, *items, asm.call("get_ns_current_pid_tgid"), ctx=region) == result % 2**64
    assert bytes(region.data) == content.ljust(8, b"\xff")


def test_a_helper_needs_its_arguments_set() -> None:
    with pytest.raises(VmFault, match="never set to a helper") as caught:
        run(Environment(), asm.call("get_current_comm"))
    assert caught.value.pc == 0


@pytest.mark.parametrize("register", [1, 2, 3, 4, 5])
def test_a_helper_call_loses_the_argument_registers(register: int) -> None:
    with pytest.raises(VmFault, match="never set"):
        run(Environment(), asm.mov_imm(register, 1), asm.call("ktime_get_ns"), asm.mov(0, register))


def test_helpers_of_the_caller_extend_the_table() -> None:
    number = HELPER_IDS["get_func_ip"]
    assert number not in HELPERS
    machine = Machine(helpers={number: lambda machine, context, b, c, d, e: 42})
    setup: list[Item] = [asm.mov_imm(register, 0) for register in (2, 3, 4, 5)]
    assert machine.run(assemble([("main", [*setup, asm.call(number), asm.exit_()])])) == 42
    with pytest.raises(VmFault, match=r"call 173 \(get_func_ip\)"):
        run(Environment(), asm.call(number))
