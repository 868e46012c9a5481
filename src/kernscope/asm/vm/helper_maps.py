"""Helpers on maps, ring buffers, and those that call back into the program."""

import errno
from typing import TYPE_CHECKING, Any

from kernscope.asm.vm.helper import helper
from kernscope.asm.vm.map import VmMap, VmRing
from kernscope.asm.vm.memory import Region, VmFault
from kernscope.tables.bpf import MapType
from kernscope.tables.opcodes import MAX_LOOPS

if TYPE_CHECKING:
    from kernscope.asm.vm.machine import Machine

_NO_WAKEUP = 1
_FORCE_WAKEUP = 2
# Flags of ringbuf_query.
_AVAILABLE, _RING_SIZE, _CONSUMER_POSITION, _PRODUCER_POSITION = range(4)


def _table(m: "Machine", pointer: int) -> VmMap:
    found = m.map_at(pointer)
    if not isinstance(found, VmMap):
        raise VmFault("passes a ring buffer where a hash or array belongs")
    return found


def _ring(m: "Machine", pointer: int) -> VmRing:
    found = m.map_at(pointer)
    if not isinstance(found, VmRing):
        raise VmFault("passes a map that is not a ring buffer")
    return found


def _copy_of(table: VmMap, regions: list[Region], cpu: int) -> Region:
    return regions[cpu] if table.copies > 1 else regions[0]


@helper("map_lookup_elem")
def map_lookup_elem(m: "Machine", map: Any, key: Any, *_: Any) -> int:
    table = _table(m, map)
    regions = table.element(m.space.read(key, table.key_size))
    return m.space.address_of(_copy_of(table, regions, m.environment.cpu)) if regions else 0


@helper("map_lookup_percpu_elem")
def map_lookup_percpu_elem(m: "Machine", map: Any, key: Any, cpu: Any, *_: Any) -> int:
    table = _table(m, map)
    if table.type not in MapType.PERCPU:
        raise VmFault("map_lookup_percpu_elem on a map that is not per-CPU")
    regions = table.element(m.space.read(key, table.key_size))
    cpu &= 0xFFFFFFFF
    if regions is None or cpu >= m.environment.cpus:
        return 0
    return m.space.address_of(_copy_of(table, regions, cpu))


@helper("map_update_elem")
def map_update_elem(m: "Machine", map: Any, key: Any, value: Any, flags: Any, *_: Any) -> int:
    table = _table(m, map)
    key_bytes = m.space.read(key, table.key_size)
    return table.store(key_bytes, m.space.read(value, table.value_size), flags, m.environment.cpu)


@helper("map_delete_elem")
def map_delete_elem(m: "Machine", map: Any, key: Any, *_: Any) -> int:
    table = _table(m, map)
    return table.remove(m.space.read(key, table.key_size))


@helper("for_each_map_elem")
def for_each_map_elem(m: "Machine", map: Any, callback: Any, context: Any, flags: Any, *_: Any) -> int:
    table = _table(m, map)
    if flags:
        return -errno.EINVAL
    seen = 0
    key_region = Region("map key", bytearray(table.key_size), writable=False)
    key_address = m.space.address_of(key_region)
    for key in table.program_keys():
        regions = table.element(key)
        if regions is None:  # an earlier call deleted it
            continue
        seen += 1
        key_region.data[:] = key
        value = m.space.address_of(_copy_of(table, regions, m.environment.cpu))
        if m.call_back(callback, map, key_address, value, context):
            break
    m.space.remove(key_region)
    return seen


@helper("loop")
def loop(m: "Machine", count: Any, callback: Any, context: Any, flags: Any, *_: Any) -> int:
    if flags:
        return -errno.EINVAL
    count &= 0xFFFFFFFF
    if count > MAX_LOOPS:
        # The JIT's inlined form sets only the lower half (inline_bpf_loop in kernel/bpf/verifier.c).
        return -errno.E2BIG & 0xFFFFFFFF
    for index in range(count):
        if m.call_back(callback, index, context):
            return index + 1
    return int(count)


@helper("ringbuf_reserve")
def ringbuf_reserve(m: "Machine", ring: Any, size: Any, flags: Any, *_: Any) -> int:
    buffer = _ring(m, ring)
    region = None if flags else buffer.reserve(size)
    if region is None:
        return 0
    address = m.space.address_of(region)
    m.open_records[address] = buffer
    return address


def _finish(m: "Machine", record: int, discard: bool) -> int:
    buffer = m.open_records.pop(record, None)
    if buffer is None:
        raise VmFault("submits a ring-buffer record that is not reserved")
    region, _ = m.space.region_at(record, 0)
    m.space.remove(region)
    buffer.finish(region, discard)
    return 0


@helper("ringbuf_submit")
def ringbuf_submit(m: "Machine", record: Any, flags: Any, *_: Any) -> int:
    # Wake-up flags change when a reader runs, not what it reads.
    return _finish(m, record, discard=False)


@helper("ringbuf_discard")
def ringbuf_discard(m: "Machine", record: Any, flags: Any, *_: Any) -> int:
    return _finish(m, record, discard=True)


@helper("ringbuf_output")
def ringbuf_output(m: "Machine", ring: Any, data: Any, size: Any, flags: Any, *_: Any) -> int:
    buffer = _ring(m, ring)
    if flags & ~(_NO_WAKEUP | _FORCE_WAKEUP):
        return -errno.EINVAL
    content = m.space.read(data, size)
    region = buffer.reserve(size)
    if region is None:
        return -errno.EAGAIN
    region.data[:] = content
    buffer.finish(region, discard=False)
    return 0


@helper("ringbuf_query")
def ringbuf_query(m: "Machine", ring: Any, what: Any, *_: Any) -> int:
    buffer = _ring(m, ring)
    answers = {
        _AVAILABLE: buffer.producer - buffer.consumer,
        _RING_SIZE: buffer.max_entries,
        _CONSUMER_POSITION: buffer.consumer,
        _PRODUCER_POSITION: buffer.producer,
    }
    return answers.get(what, 0)
