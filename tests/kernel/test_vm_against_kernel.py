"""The user-space machine against the kernel: the same bytes must do the same in both.

Random straight-line programs (with forward jumps) over all of the arithmetic, loads, stores and atomics, and
fixed programs for maps and helpers. KERNSCOPE_VM_PROGRAMS sets how many random ones run; each runs on several
inputs.
"""

import os
import random
import struct
from collections.abc import Sequence

import pytest

from kernscope.asm import instruction as asm
from kernscope.asm.disassemble import disassemble
from kernscope.asm.encode import Assembled, Item, assemble
from kernscope.asm.instruction import Insn, Label
from kernscope.asm.vm import Environment, Machine, VmMap, VmRing, create_map
from kernscope.kernel import bpf
from kernscope.kernel.errors import KernelError
from kernscope.kernel.facts import possible_cpus
from kernscope.tables import opcodes as o
from kernscope.tables.bpf import MapType, ProgramType

PROGRAMS = int(os.environ.get("KERNSCOPE_VM_PROGRAMS", "150"))
_INSTRUCTIONS = 60
_INPUTS = 4
_REGISTERS = 9  # r0 to r8; r9 points to the map value
_MEMORY = 72  # after the registers' words: 64 bytes for loads, stores and atomics
_VALUE_BYTES = _MEMORY + 64


def _reason_not_to_run() -> str | None:
    if os.geteuid() != 0:
        return "loading BPF programs needs root"
    try:
        with bpf.prog_load(ProgramType.RAW_TRACEPOINT, assemble([("main", _return(0))]).code) as program:
            program.test_run()
    except KernelError as error:
        return f"this kernel does not run BPF test programs: {error}"
    return None


def _return(value: int) -> list[Item]:
    return [asm.mov_imm(0, value), asm.exit_()]


pytestmark = pytest.mark.skipif(_reason_not_to_run() is not None, reason=_reason_not_to_run() or "")


def _function_types(program: Assembled) -> tuple[bytes, bytes]:
    """BTF and func_info that give every function a type: programs with callbacks must have them.

    Layout: include/uapi/linux/btf.h. Type 1 is `int`, type 2 `int (void)`, then one static function each.
    """
    strings = b"\0int\0"
    types = struct.pack("<IIII", 1, 1 << 24, 4, 1 << 24 | 32) + struct.pack("<III", 0, 13 << 24, 1)
    places = b""
    for index, (name, slot) in enumerate(program.functions):
        types += struct.pack("<III", len(strings), 12 << 24, 2)
        strings += name.encode() + b"\0"
        places += struct.pack("<II", slot, 3 + index)
    header = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings))
    return header + types + strings, places


def _load(program: Assembled, maps: dict[str, bpf.Map]) -> bpf.Program:
    code = _relocated(program, maps)
    if len(program.functions) == 1:
        return bpf.prog_load(ProgramType.RAW_TRACEPOINT, code)
    types, places = _function_types(program)
    with bpf.btf_load(types) as btf:
        return bpf.prog_load(ProgramType.RAW_TRACEPOINT, code, btf_fd=btf.fd, func_info=places)


def _relocated(program: Assembled, maps: dict[str, bpf.Map]) -> bytes:
    code = bytearray(program.code)
    for relocation in program.relocations:
        if relocation.kind in ("map_fd", "map_value"):
            struct.pack_into("<i", code, 8 * relocation.slot + 4, maps[relocation.name].fd)
    return bytes(code)


# -- random programs ------------------------------------------------------------------------------------

_BINARY = [o.ADD, o.SUB, o.MUL, o.DIV, o.OR, o.AND, o.LSH, o.RSH, o.MOD, o.XOR, o.MOV, o.ARSH]
_JUMPS = [o.JEQ, o.JGT, o.JGE, o.JSET, o.JNE, o.JSGT, o.JSGE, o.JLT, o.JLE, o.JSLT, o.JSLE]
_ATOMICS = [o.ATOMIC_ADD, o.ATOMIC_OR, o.ATOMIC_AND, o.ATOMIC_XOR]
_ATOMICS += [operation | o.FETCH for operation in _ATOMICS] + [o.ATOMIC_XCHG, o.ATOMIC_CMPXCHG]
_EDGES = [
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    1 << 32,
    1 << 63,
    2**63 - 1,
    2**64 - 1,
]


def _number(rng: random.Random) -> int:
    return rng.choice(_EDGES) if rng.random() < 0.5 else rng.getrandbits(64)


def _constant(rng: random.Random) -> int:
    number = _number(rng) & 0xFFFFFFFF
    return number - (1 << 32) if number >> 31 else number


def _register(rng: random.Random) -> int:
    return rng.randrange(_REGISTERS)


def _binary(rng: random.Random) -> Insn:
    operation, dst = rng.choice(_BINARY), _register(rng)
    wide = rng.random() < 0.5
    if rng.random() < 0.6:
        insn = (asm.alu64 if wide else asm.alu32)(operation, dst, _register(rng))
    else:
        constant = _constant(rng)
        # The verifier refuses constant divisors of 0 and constant shifts that are too wide.
        if operation in (o.DIV, o.MOD):
            constant = constant or 3
        elif operation in (o.LSH, o.RSH, o.ARSH):
            constant %= 64 if wide else 32
        insn = (asm.alu64_imm if wide else asm.alu32_imm)(operation, dst, constant)
    if operation in (o.DIV, o.MOD) and rng.random() < 0.5:
        asm.signed(insn)
    return insn


def _unary(rng: random.Random) -> Insn:
    dst, src = _register(rng), _register(rng)
    return rng.choice(
        [
            asm.neg(dst),
            asm.neg32(dst),
            asm.movsx(rng.choice([8, 16, 32]), dst, src),
            asm.movsx32(rng.choice([8, 16]), dst, src),
            asm.endian(o.TO_BE, dst, rng.choice([16, 32, 64])),
            asm.endian(o.TO_LE, dst, rng.choice([16, 32, 64])),
            asm.byteswap(dst, rng.choice([16, 32, 64])),
            asm.ld_imm64(dst, _number(rng)),
        ]
    )


def _memory(rng: random.Random) -> Insn:
    size = rng.choice([o.B, o.H, o.W, o.DW])
    width = o.SIZE_BYTES[size]
    off = _MEMORY + rng.randrange(0, 64 - width + 1)
    choice = rng.randrange(5)
    if choice == 0:
        return asm.ldx(size, _register(rng), 9, off)
    if choice == 1 and size != o.DW:
        return asm.ldxsx(size, _register(rng), 9, off)
    if choice == 2:
        return asm.st(size, 9, off, _constant(rng))
    if choice == 3:
        size = rng.choice([o.W, o.DW])
        off = _MEMORY + rng.randrange(0, 64, o.SIZE_BYTES[size])
        return asm.atomic(rng.choice(_ATOMICS), size, 9, off, _register(rng))
    return asm.stx(size, 9, off, _register(rng))


def _jump(rng: random.Random, target: Label) -> Insn:
    operation, dst = rng.choice(_JUMPS), _register(rng)
    if rng.random() < 0.5:
        return rng.choice([asm.jcond, asm.jcond32])(operation, dst, _register(rng), target)
    return rng.choice([asm.jcond_imm, asm.jcond32_imm])(operation, dst, _constant(rng), target)


def _random_program(rng: random.Random) -> Assembled:
    """Load r0-r8 from the map value, do random things, store them back."""
    items: list[Item] = [asm.ld_map_value(9, "m")]
    items += [asm.ldx(o.DW, register, 9, 8 * register) for register in range(_REGISTERS)]
    pending: list[tuple[int, Label]] = []
    for index in range(_INSTRUCTIONS):
        for place, label in pending:
            if place == index:
                items.append(label)
        kind = rng.random()
        if kind < 0.06:
            label = Label()
            pending.append((index + rng.randrange(1, 8), label))
            items.append(_jump(rng, label))
        elif kind < 0.6:
            items.append(_binary(rng))
        elif kind < 0.8:
            items.append(_unary(rng))
        else:
            items.append(_memory(rng))
    items += [label for place, label in pending if place >= _INSTRUCTIONS]
    items += [asm.stx(o.DW, 9, 8 * register, register) for register in range(_REGISTERS)]
    return assemble([("main", [*items, *_return(0)])])


def _input(rng: random.Random) -> bytes:
    return b"".join(_number(rng).to_bytes(8, "little") for _ in range(_VALUE_BYTES // 8))


@pytest.mark.parametrize("seed", range(5))
def test_random_programs(seed: int) -> None:
    rng = random.Random(seed)
    key = bytes(4)
    table = VmMap(MapType.ARRAY, 4, _VALUE_BYTES, 1)
    machine = Machine({"m": table})
    with bpf.map_create(MapType.ARRAY, 4, _VALUE_BYTES, 1) as kernel_map:
        for _ in range(PROGRAMS // 5):
            program = _random_program(rng)
            loaded = machine.load(program)
            with bpf.prog_load(
                ProgramType.RAW_TRACEPOINT, _relocated(program, {"m": kernel_map})
            ) as kernel_program:
                for _ in range(_INPUTS):
                    start = _input(rng)
                    table.update(key, start)
                    kernel_map.update(key, start)
                    machine.run(loaded)
                    kernel_program.test_run()
                    mine, theirs = table.lookup(key), kernel_map.lookup(key)
                    assert mine == theirs, _difference(program, start, mine or b"", theirs or b"")


def _difference(program: Assembled, start: bytes, mine: bytes, theirs: bytes) -> str:
    words = [
        struct.unpack_from("<Q", data, at)[0]
        for at in range(0, len(start), 8)
        for data in (start, mine, theirs)
    ]
    rows = (
        f"{at:3}: {words[3 * at]:#x} -> {words[3 * at + 1]:#x}, kernel {words[3 * at + 2]:#x}"
        for at in range(17)
    )
    return "\n".join(["the machine and the kernel differ", *rows, disassemble(program.code)])


# -- fixed programs: maps, helpers, calls ---------------------------------------------------------------

Functions = Sequence[tuple[str, Sequence[Item]]]
MapShape = tuple[int, int, int, int]


def _both(functions: Functions, shapes: dict[str, MapShape]) -> tuple[list[int], list[int]]:
    """Run in the machine and in the kernel; give the words that each left in the array `out`."""
    program = assemble(functions)
    shapes = {"out": (MapType.ARRAY, 4, 256, 1), **shapes}
    cpus = possible_cpus()
    machine = Machine(
        {name: create_map(*shape, cpus=cpus) for name, shape in shapes.items()}, Environment(cpus=cpus)
    )
    machine.run(program)
    out = machine.maps["out"]
    assert isinstance(out, VmMap)
    kernel_maps = {name: bpf.map_create(*shape) for name, shape in shapes.items()}
    try:
        with _load(program, kernel_maps) as kernel_program:
            kernel_program.test_run(cpu=0)
        result = kernel_maps["out"].lookup(bytes(4))
        for name, table in machine.maps.items():
            if not isinstance(table, VmRing):
                assert sorted(table.items()) == sorted(kernel_maps[name].items())
    finally:
        for kernel_map in kernel_maps.values():
            kernel_map.close()
    assert result is not None
    return list(struct.unpack("<32q", out.lookup(bytes(4)) or b"")), list(struct.unpack("<32q", result))


class _Script:
    """Builds a main function; `note` stores r0 as the next word of `out`."""

    def __init__(self) -> None:
        self.items: list[Item] = [asm.ld_map_value(9, "out")]
        self._words = 0

    def add(self, *items: Item) -> "_Script":
        self.items += items
        return self

    def note(self) -> "_Script":
        self.items.append(asm.stx(o.DW, 9, 8 * self._words, 0))
        self._words += 1
        return self

    def place(self, register: int, offset: int) -> "_Script":
        return self.add(asm.mov(register, 10), asm.alu64_imm(o.ADD, register, offset))

    def update(self, table: str, key: int, value: int, flags: int) -> "_Script":
        self.add(asm.st(o.DW, 10, -8, key), asm.st(o.DW, 10, -16, value), asm.ld_map_fd(1, table))
        self.place(2, -8).place(3, -16)
        return self.add(asm.mov_imm(4, flags), asm.call("map_update_elem")).note()

    def delete(self, table: str, key: int) -> "_Script":
        self.add(asm.st(o.DW, 10, -8, key), asm.ld_map_fd(1, table)).place(2, -8)
        return self.add(asm.call("map_delete_elem")).note()

    def read(self, table: str, key: int) -> "_Script":
        missing, end = Label(), Label()
        self.add(asm.st(o.DW, 10, -8, key), asm.ld_map_fd(1, table)).place(2, -8)
        self.add(asm.call("map_lookup_elem"), asm.jcond_imm(o.JEQ, 0, 0, missing), asm.ldx(o.DW, 0, 0, 0))
        return self.add(asm.jump(end), missing, asm.mov_imm(0, -999), end).note()

    def functions(self, *more: tuple[str, Sequence[Item]]) -> Functions:
        return [("main", [*self.items, *_return(0)]), *more]


@pytest.mark.parametrize(
    "type", [MapType.HASH, MapType.LRU_HASH, MapType.PERCPU_HASH, MapType.LRU_PERCPU_HASH]
)
def test_hash_results(type: int) -> None:
    script = _Script().read("m", 1).update("m", 1, 10, 2).update("m", 1, 10, 1).update("m", 1, 11, 1)
    script.read("m", 1).update("m", 1, 12, 2).update("m", 1, 13, 0).update("m", 1, 14, 8).read("m", 1)
    script.update("m", 2, 20, 0).delete("m", 1).delete("m", 1).read("m", 2).update("m", 3, 30, 0)
    mine, theirs = _both(script.functions(), {"m": (type, 8, 8, 100)})
    assert mine == theirs


def test_full_hash_results() -> None:
    script = _Script()
    for key in (1, 2, 3, 1):
        script.update("m", key, key, 0)
    mine, theirs = _both(script.functions(), {"m": (MapType.HASH, 8, 8, 2)})
    assert mine == theirs


@pytest.mark.parametrize("type", [MapType.ARRAY, MapType.PERCPU_ARRAY])
def test_array_results(type: int) -> None:
    script = _Script().read("m", 1).update("m", 1, 10, 0).update("m", 1, 11, 1).update("m", 1, 12, 2)
    script.update("m", 1, 12, 8).update("m", 2, 12, 0).update("m", 2, 12, 1).read("m", 2).read("m", 1)
    mine, theirs = _both(script.functions(), {"m": (type, 4, 8, 2)})
    assert mine == theirs
    script = _Script().delete("m", 1)
    mine, theirs = _both(script.functions(), {"m": (type, 4, 8, 2)})
    assert mine == theirs


def _reserve(script: _Script, size: int, finish: str) -> None:
    end = Label()
    script.add(asm.ld_map_fd(1, "m"), asm.mov_imm(2, size), asm.mov_imm(3, 0), asm.call("ringbuf_reserve"))
    script.add(asm.jcond_imm(o.JEQ, 0, 0, end), asm.mov(1, 0), asm.mov_imm(2, 0), asm.call(finish))
    script.add(asm.mov_imm(0, 1), end).note()


def test_ring_buffer_results() -> None:
    script = _Script().add(asm.st(o.DW, 10, -8, 5))
    for size, finish in (
        (4088, "submit"),
        (16, "submit"),
        (9, "discard"),
        (4016, "submit"),
        (4008, "submit"),
    ):
        _reserve(script, size, f"ringbuf_{finish}")
    for size, flags in ((8, 0), (1, 1), (8, 4)):
        script.add(asm.ld_map_fd(1, "m")).place(2, -8)
        script.add(asm.mov_imm(3, size), asm.mov_imm(4, flags), asm.call("ringbuf_output")).note()
    for what in (0, 1, 2, 3, 77):
        script.add(asm.ld_map_fd(1, "m"), asm.mov_imm(2, what), asm.call("ringbuf_query")).note()
    mine, theirs = _both(script.functions(), {"m": (MapType.RINGBUF, 0, 0, 4096)})
    assert mine == theirs


def test_loops_calls_and_callbacks() -> None:
    go_on = Label()
    body: list[Item] = [
        asm.ldx(o.DW, 3, 2, 0),
        asm.alu64(o.ADD, 3, 1),
        asm.stx(o.DW, 2, 0, 3),
        asm.mov_imm(0, 0),
        asm.jcond_imm(o.JNE, 1, 20, go_on),
        asm.mov_imm(0, 1),
        go_on,
        asm.exit_(),
    ]
    double: list[Item] = [asm.mov(0, 1), asm.alu64(o.ADD, 0, 1), asm.exit_()]
    script = _Script().add(asm.st(o.DW, 10, -8, 0))
    for count, flags in ((10, 0), (100, 0), (0, 0), (5, 1), (8 * 1024 * 1024 + 1, 0)):
        script.add(asm.mov_imm(1, count), asm.ld_func(2, "body")).place(3, -8)
        script.add(asm.mov_imm(4, flags), asm.call("loop")).note()
        script.add(asm.ldx(o.DW, 0, 10, -8)).note()
    script.add(asm.mov_imm(1, 21), asm.call_local("double")).note()
    mine, theirs = _both(script.functions(("body", body), ("double", double)), {})
    assert mine == theirs


@pytest.mark.parametrize("type", [MapType.HASH, MapType.ARRAY, MapType.PERCPU_HASH, MapType.PERCPU_ARRAY])
def test_for_each(type: int) -> None:
    body: list[Item] = [
        asm.ldx(o.DW, 5, 4, 0),
        asm.ldx(o.DW, 3, 3, 0),
        asm.alu64(o.ADD, 5, 3),
        asm.ldx(o.W, 2, 2, 0),
        asm.alu64(o.ADD, 5, 2),
        asm.stx(o.DW, 4, 0, 5),
        asm.mov_imm(0, 0),
        asm.exit_(),
    ]
    script = _Script()
    for key in range(4):
        script.update("m", key, 100 * key, 0)
    script.add(asm.st(o.DW, 10, -24, 0))
    for flags in (0, 1):
        script.add(asm.ld_map_fd(1, "m"), asm.ld_func(2, "body")).place(3, -24)
        script.add(asm.mov_imm(4, flags), asm.call("for_each_map_elem")).note()
        script.add(asm.ldx(o.DW, 0, 10, -24)).note()
    mine, theirs = _both(script.functions(("body", body)), {"m": (type, 4, 8, 4)})
    assert mine == theirs


def test_reading_memory_and_strings() -> None:
    script = _Script()
    text = int.from_bytes(b"kernel\0X", "little")
    script.add(asm.ld_imm64(1, text), asm.stx(o.DW, 10, -32, 1))
    for helper in ("probe_read_kernel", "probe_read_kernel_str"):
        for size, known in ((16, True), (4, True), (7, True), (1, True), (16, False), (5, False)):
            for offset in (-8, -16):
                script.add(asm.st(o.DW, 10, offset, -1))
            script.place(1, -16).add(asm.mov_imm(2, size))
            if known:
                # Behind the text is the word at -24, so that 16 bytes are readable.
                script.add(asm.st(o.DW, 10, -24, 0)).place(3, -32)
            else:
                script.add(asm.mov_imm(3, 8))
            script.add(asm.call(helper)).note()
            if size < 8:
                script.add(asm.ldx(o.DW, 0, 10, -16)).note()
    mine, theirs = _both(script.functions(), {})
    assert mine == theirs


def test_may_goto_passes_and_ends() -> None:
    """The kernel's budget may be a time; a loop that ends by itself long before must count exactly."""
    top, end = Label(), Label()
    script = _Script().add(
        asm.mov_imm(0, 0),
        top,
        asm.may_goto(end),
        asm.alu64_imm(o.ADD, 0, 1),
        asm.jcond_imm(o.JLT, 0, 1000, top),
        end,
    )
    try:
        mine, theirs = _both(script.note().functions(), {})
    except KernelError as error:
        pytest.skip(f"this kernel has no may_goto: {error}")
    assert mine == theirs
    assert mine[0] == 1000


def test_a_far_jump() -> None:
    end = Label()
    filler: list[Item] = [asm.alu64_imm(o.ADD, 0, 1)] * 33000
    script = (
        _Script()
        .add(asm.mov_imm(0, 1), asm.mov_imm(2, 3), asm.jcond_imm(o.JEQ, 2, 3, end), *filler, end)
        .note()
    )
    mine, theirs = _both(script.functions(), {})
    assert mine == theirs == [1] + [0] * 31
