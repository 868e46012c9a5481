"""Maps seen from programs and from user space; error numbers as in bpf(2) and kernel/bpf."""

import errno
import struct

import pytest

from kernscope.asm import instruction as asm
from kernscope.asm.encode import Item, assemble
from kernscope.asm.instruction import Label
from kernscope.asm.vm import Environment, Machine, VmFault, VmMap, VmRing, create_map
from kernscope.tables import opcodes as o
from kernscope.tables.bpf import MapFlag, MapType

HASHES = [MapType.HASH, MapType.LRU_HASH, MapType.PERCPU_HASH, MapType.LRU_PERCPU_HASH]


def u64(value: int) -> bytes:
    return struct.pack("<Q", value)


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def run(machine: Machine, *items: Item) -> int:
    return machine.run(assemble([("main", [*items, asm.exit_()])]))


def _place(register: int, offset: int) -> list[Item]:
    """register = r10 + offset."""
    return [asm.mov(register, 10), asm.alu64_imm(o.ADD, register, offset)]


def _update(key: int, value: int, flags: int = 0) -> list[Item]:
    return [
        asm.st(o.DW, 10, -8, key),
        asm.st(o.DW, 10, -16, value),
        asm.ld_map_fd(1, "m"),
        *_place(2, -8),
        *_place(3, -16),
        asm.mov_imm(4, flags),
        asm.call("map_update_elem"),
    ]


def _lookup(key: int) -> list[Item]:
    """r0 = the value's first eight bytes, or 999 when the key is not there."""
    missing, end = Label(), Label()
    return [
        asm.st(o.DW, 10, -8, key),
        asm.ld_map_fd(1, "m"),
        *_place(2, -8),
        asm.call("map_lookup_elem"),
        asm.jcond_imm(o.JEQ, 0, 0, missing),
        asm.ldx(o.DW, 0, 0, 0),
        asm.jump(end),
        missing,
        asm.mov_imm(0, 999),
        end,
    ]


def _delete(key: int) -> list[Item]:
    return [asm.st(o.DW, 10, -8, key), asm.ld_map_fd(1, "m"), *_place(2, -8), asm.call("map_delete_elem")]


def negative(error: int) -> int:
    return 2**64 - error


@pytest.mark.parametrize("type", HASHES)
def test_hash_elements_come_and_go(type: int) -> None:
    table = VmMap(type, 8, 8, 10)
    machine = Machine({"m": table})
    assert run(machine, *_lookup(5)) == 999
    assert run(machine, *_update(5, 50)) == 0
    assert run(machine, *_lookup(5)) == 50
    assert table.items() == [(u64(5), u64(50))]
    assert run(machine, *_delete(5)) == 0
    assert run(machine, *_delete(5)) == negative(errno.ENOENT)
    assert table.items() == []
    assert table.lookup(u64(5)) is None


@pytest.mark.parametrize("type", HASHES)
def test_hash_update_flags(type: int) -> None:
    machine = Machine({"m": VmMap(type, 8, 8, 10)})
    assert run(machine, *_update(5, 50, flags=2)) == negative(errno.ENOENT)
    assert run(machine, *_update(5, 50, flags=1)) == 0
    assert run(machine, *_update(5, 51, flags=1)) == negative(errno.EEXIST)
    assert run(machine, *_update(5, 52, flags=2)) == 0
    assert run(machine, *_update(5, 53, flags=3)) == negative(errno.EINVAL)
    assert run(machine, *_lookup(5)) == 52


@pytest.mark.parametrize("type", [MapType.HASH, MapType.PERCPU_HASH])
def test_a_full_hash_takes_no_new_key(type: int) -> None:
    machine = Machine({"m": VmMap(type, 8, 8, 2)})
    assert [run(machine, *_update(key, key)) for key in (1, 2, 3, 1)] == [0, 0, negative(errno.E2BIG), 0]


def test_a_full_lru_hash_drops_an_old_key() -> None:
    table = VmMap(MapType.LRU_HASH, 8, 8, 2)
    machine = Machine({"m": table})
    assert [run(machine, *_update(key, key)) for key in (1, 2, 3)] == [0, 0, 0]
    assert len(table.items()) == 2
    assert table.lookup(u64(3)) == u64(3)


def test_array_elements_always_exist() -> None:
    table = VmMap(MapType.ARRAY, 4, 8, 3)
    machine = Machine({"m": table})
    assert run(machine, *_lookup(2)) == 0
    assert run(machine, *_lookup(3)) == 999
    assert run(machine, *_update(2, 7)) == 0
    assert run(machine, *_update(3, 7)) == negative(errno.E2BIG)
    assert run(machine, *_update(1, 7, flags=1)) == negative(errno.EEXIST)
    assert run(machine, *_update(9, 7, flags=4)) == negative(errno.EINVAL)
    assert run(machine, *_delete(1)) == negative(errno.EINVAL)
    assert table.items() == [(u32(0), u64(0)), (u32(1), u64(0)), (u32(2), u64(7))]


def test_a_value_is_written_through_its_pointer_and_no_further() -> None:
    table = VmMap(MapType.ARRAY, 4, 12, 2)
    machine = Machine({"m": table})
    value: list[Item] = [
        asm.st(o.W, 10, -4, 0),
        asm.ld_map_fd(1, "m"),
        *_place(2, -4),
        asm.call("map_lookup_elem"),
    ]
    assert run(machine, *value, asm.st(o.W, 0, 8, 5), asm.mov_imm(0, 0)) == 0
    assert table.lookup(u32(0)) == bytes(8) + u32(5)
    assert table.lookup(u32(1)) == bytes(12)
    with pytest.raises(VmFault, match=r"map value\+12"):
        run(machine, *value, asm.st(o.W, 0, 12, 5))
    with pytest.raises(VmFault, match=r"map value\+8"):
        run(machine, *value, asm.st(o.DW, 0, 8, 5))


def test_an_unchecked_null_faults() -> None:
    machine = Machine({"m": VmMap(MapType.HASH, 8, 8, 2)})
    with pytest.raises(VmFault, match="0x0, where nothing is"):
        run(
            machine,
            asm.st(o.DW, 10, -8, 1),
            asm.ld_map_fd(1, "m"),
            *_place(2, -8),
            asm.call("map_lookup_elem"),
            asm.ldx(o.DW, 0, 0, 0),
        )


def test_direct_value_of_an_array_of_one() -> None:
    table = VmMap(MapType.ARRAY, 4, 24, 1, initial=u64(1) + u64(2))
    machine = Machine({"m": table})
    assert run(machine, asm.ld_map_value(2, "m", 8), asm.ldx(o.DW, 0, 2, 0), asm.st(o.DW, 2, 8, 9)) == 2
    assert table.lookup(bytes(4)) == u64(1) + u64(2) + u64(9)


@pytest.mark.parametrize(
    ("table", "offset"),
    [
        (VmMap(MapType.ARRAY, 4, 8, 2), 0),
        (VmMap(MapType.ARRAY, 4, 8, 1), 8),
        (VmMap(MapType.HASH, 4, 8, 1), 0),
        (VmMap(MapType.PERCPU_ARRAY, 4, 8, 1), 0),
        (VmRing(4096), 0),
    ],
)
def test_other_direct_values_are_refused_as_the_kernel_does(table: VmMap | VmRing, offset: int) -> None:
    with pytest.raises(VmFault, match="direct access"):
        run(Machine({"m": table}), asm.ld_map_value(0, "m", offset))


def test_read_only_maps() -> None:
    table = VmMap(MapType.ARRAY, 4, 8, 1, MapFlag.RDONLY_PROG, initial=u64(5))
    machine = Machine({"m": table})
    assert run(machine, asm.ld_map_value(2, "m"), asm.ldx(o.DW, 0, 2, 0)) == 5
    with pytest.raises(VmFault, match="read-only"):
        run(machine, asm.ld_map_value(2, "m"), asm.st(o.DW, 2, 0, 1))


@pytest.mark.parametrize("type", [MapType.PERCPU_HASH, MapType.PERCPU_ARRAY])
def test_per_cpu_values_are_kept_apart(type: int) -> None:
    environment = Environment(cpus=3)
    table = VmMap(type, 4, 12, 4, cpus=3)
    machine = Machine({"m": table}, environment)
    for cpu in (2, 0):
        environment.cpu = cpu
        run(machine, *_update(1, 100 + cpu))
    assert [struct.unpack("<QI", value)[0] for value in table.lookup_copies(u32(1))] == [100, 0, 102]
    assert run(machine, *_lookup(1)) == 100
    joined = dict(table.items())[u32(1)]
    assert len(joined) == 3 * 16
    assert [struct.unpack_from("<Q", joined, 16 * cpu)[0] for cpu in range(3)] == [100, 0, 102]


def test_lookup_on_another_cpu() -> None:
    environment = Environment(cpus=2)
    table = VmMap(MapType.PERCPU_ARRAY, 4, 8, 1, cpus=2)
    table.update(u32(0), u64(10), u64(20))
    machine = Machine({"m": table}, environment)

    def look(cpu: int) -> int:
        end = Label()
        setup = [asm.st(o.W, 10, -4, 0), asm.ld_map_fd(1, "m"), *_place(2, -4), asm.mov_imm(3, cpu)]
        read: list[Item] = [asm.jcond_imm(o.JEQ, 0, 0, end), asm.ldx(o.DW, 0, 0, 0), end]
        return run(machine, *setup, asm.call("map_lookup_percpu_elem"), *read)

    assert [look(cpu) for cpu in (0, 1, 2)] == [10, 20, 0]


def test_the_number_of_cpus_must_agree() -> None:
    with pytest.raises(ValueError, match="1 copies for 2 CPUs"):
        Machine({"m": VmMap(MapType.PERCPU_ARRAY, 4, 8, 1)}, Environment(cpus=2))


def _for_each(stop_at: int = -1, delete: bool = False, flags: int = 0) -> list[tuple[str, list[Item]]]:
    """Add all values into the frame and stop after `stop_at`; result = sum << 32 | return value."""
    end = Label()
    body: list[Item] = [asm.mov(6, 4), asm.ldx(o.DW, 7, 3, 0), asm.ldx(o.DW, 8, 6, 0), asm.alu64(o.ADD, 8, 7)]
    body.append(asm.stx(o.DW, 6, 0, 8))
    if delete:
        body.append(asm.call("map_delete_elem"))
    body += [asm.mov_imm(0, 1), asm.jcond_imm(o.JEQ, 7, stop_at, end), asm.mov_imm(0, 0), end, asm.exit_()]
    main: list[Item] = [
        asm.st(o.DW, 10, -8, 0),
        asm.ld_map_fd(1, "m"),
        asm.ld_func(2, "body"),
        *_place(3, -8),
        asm.mov_imm(4, flags),
        asm.call("for_each_map_elem"),
        asm.ldx(o.DW, 1, 10, -8),
        asm.alu64_imm(o.LSH, 1, 32),
        asm.alu64(o.OR, 0, 1),
        asm.exit_(),
    ]
    return [("main", main), ("body", body)]


@pytest.mark.parametrize("type", [MapType.HASH, MapType.ARRAY, MapType.PERCPU_HASH])
def test_for_each_visits_all_elements(type: int) -> None:
    table = VmMap(type, 4, 8, 4)
    for key in range(4):
        table.update(u32(key), u64(10 + key))
    assert Machine({"m": table}).run(assemble(_for_each())) == 46 << 32 | 4
    assert Machine({"m": table}).run(assemble(_for_each(stop_at=11))) == 21 << 32 | 2
    assert Machine({"m": table}).run(assemble(_for_each(flags=1))) == negative(errno.EINVAL)


def test_for_each_may_delete_what_it_visits() -> None:
    table = VmMap(MapType.HASH, 4, 8, 4)
    for key in range(4):
        table.update(u32(key), u64(1))
    assert Machine({"m": table}).run(assemble(_for_each(delete=True))) == 4 << 32 | 4
    assert table.items() == []


def test_helpers_want_the_right_kind_of_map() -> None:
    with pytest.raises(VmFault, match="ring buffer where"):
        run(Machine({"m": VmRing(4096)}), *_delete(1))
    with pytest.raises(VmFault, match="not a ring buffer"):
        setup = [asm.ld_map_fd(1, "m"), asm.mov_imm(2, 8), asm.mov_imm(3, 0)]
        run(Machine({"m": VmMap(MapType.HASH, 8, 8, 1)}), *setup, asm.call("ringbuf_reserve"))
    with pytest.raises(VmFault, match="not a map"):
        run(Machine(), asm.mov_imm(1, 0), *_place(2, -8), asm.call("map_delete_elem"))
    with pytest.raises(VmFault, match="no map 'm'"):
        run(Machine(), *_delete(1))


def _reserve(size: int, then: list[Item]) -> list[Item]:
    """Reserve a record; when there is room, run `then` with it in r6; r0 = 1 if there was."""
    end = Label()
    return [
        asm.ld_map_fd(1, "m"),
        asm.mov_imm(2, size),
        asm.mov_imm(3, 0),
        asm.call("ringbuf_reserve"),
        asm.jcond_imm(o.JEQ, 0, 0, end),
        asm.mov(6, 0),
        *then,
        asm.mov_imm(0, 1),
        end,
    ]


def _finish(helper: str) -> list[Item]:
    return [asm.mov(1, 6), asm.mov_imm(2, 0), asm.call(helper)]


def test_ring_buffer_records() -> None:
    ring = VmRing(4096)
    machine = Machine({"m": ring})
    submit = [asm.st(o.DW, 6, 0, 7), asm.st(o.DW, 6, 8, 8), *_finish("ringbuf_submit")]
    assert run(machine, *_reserve(16, submit)) == 1
    assert run(machine, *_reserve(16, [asm.st(o.DW, 6, 0, 1), *_finish("ringbuf_discard")])) == 1
    setup = [
        asm.st(o.DW, 10, -8, 3),
        asm.ld_map_fd(1, "m"),
        *_place(2, -8),
        asm.mov_imm(3, 5),
        asm.mov_imm(4, 0),
    ]
    assert run(machine, *setup, asm.call("ringbuf_output")) == 0
    assert ring.drain() == [u64(7) + u64(8), bytes([3, 0, 0, 0, 0])]
    assert ring.drain() == []
    # Each took 8 bytes of header and was rounded up to 8: 24 + 24 + 16.
    assert ring.consumer == ring.producer == 64


def test_a_ring_buffer_keeps_a_byte_free() -> None:
    machine = Machine({"m": VmRing(4096)})
    fits, rest = _reserve(4096 - 16, _finish("ringbuf_submit")), _reserve(0, _finish("ringbuf_submit"))
    assert run(machine, *_reserve(4096 - 8, _finish("ringbuf_submit"))) == 0
    assert run(machine, *fits) == 1
    assert run(machine, *rest) == 0
    output = [asm.ld_map_fd(1, "m"), *_place(2, -8), asm.mov_imm(3, 8), asm.mov_imm(4, 0)]
    assert run(machine, asm.st(o.DW, 10, -8, 0), *output, asm.call("ringbuf_output")) == negative(
        errno.EAGAIN
    )


@pytest.mark.parametrize(("what", "expected"), [(0, 24), (1, 4096), (2, 24), (3, 48), (77, 0)])
def test_ring_buffer_query(what: int, expected: int) -> None:
    ring = VmRing(4096)
    machine = Machine({"m": ring})
    run(machine, *_reserve(16, _finish("ringbuf_submit")))
    ring.drain()
    run(machine, *_reserve(16, _finish("ringbuf_submit")))
    assert run(machine, asm.ld_map_fd(1, "m"), asm.mov_imm(2, what), asm.call("ringbuf_query")) == expected


def test_records_must_be_finished_once_and_not_used_later() -> None:
    machine = Machine({"m": VmRing(4096)})
    with pytest.raises(VmFault, match="neither submitted nor discarded"):
        run(machine, *_reserve(16, []))
    with pytest.raises(VmFault, match="not reserved"):
        run(machine, *_reserve(16, _finish("ringbuf_submit") * 2))
    with pytest.raises(VmFault, match="where nothing is"):
        run(machine, *_reserve(16, [*_finish("ringbuf_submit"), asm.st(o.DW, 6, 0, 0)]))
    with pytest.raises(VmFault, match=r"record\+16"):
        run(machine, *_reserve(16, [asm.st(o.B, 6, 16, 0)]))


def test_create_map_follows_the_type() -> None:
    assert isinstance(create_map(MapType.RINGBUF, 0, 0, 4096), VmRing)
    assert isinstance(create_map(MapType.HASH, 8, 8, 1), VmMap)
    with pytest.raises(ValueError, match="no maps of type 11"):
        create_map(MapType.LPM_TRIE, 8, 8, 1)
