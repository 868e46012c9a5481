"""Reading and changing the user's maps, by the way each is stored (see `kernscope.bundle.UserMap`)."""

from collections.abc import Callable

from kernscope.bundle import UserMap
from kernscope.bundle.globals_layout import CELLS_MAP, GLOBALS_MAP
from kernscope.catalog.aggregations import AGGREGATIONS
from kernscope.diagnostics import root_span
from kernscope.sema.rules import is_scalar
from kernscope.ssa import Block, Cond, Value
from kernscope.syntax.ast import Call, Expr, MapRef
from kernscope.tables.helpers import HELPER_IDS
from kernscope.types import INT64, UINT64, Aggregate, Tuple, Type, align_up, stored_leaves

from .values import Values

__all__ = ["MapAccess"]

_ANY, _NOEXIST = 0, 1
"""BPF_ANY and BPF_NOEXIST of include/uapi/linux/bpf.h."""


class MapAccess(Values):
    """Emits map operations."""

    # --- addresses -----------------------------------------------------------------------------------------

    def user_map(self, node: MapRef) -> UserMap:
        return self.storage.maps[node.name]

    def key_address(self, node: MapRef, user_map: UserMap) -> Value:
        """The key in memory, as the kernel map takes it."""
        key = user_map.key
        if key is None or node.keys is None:
            place = self.place_bytes(8)
            self.b.store(8, place, 0)
            return place
        place = self.place(key)
        if len(node.keys) == 1:
            if not is_scalar(key):
                self._clear_gaps(place, key)
            self.into(node.keys[0], place, key)
            return place
        assert isinstance(key, Tuple)
        self._clear_gaps(place, key)
        for expr, t, offset in zip(node.keys, key.elements, key.offsets):
            self.into(expr, self.b.ptr_add(place, offset), t)
        return place

    def _clear_gaps(self, place: Value, t: Type) -> None:
        """Bytes between a tuple's leaves are part of the key, so they must always be zero."""
        if isinstance(t, Tuple) and t.size != sum(leaf.size for _, leaf in stored_leaves(t)):
            self.clear(place, t.size)

    def _lookup(self, user_map: UserMap, key: Value) -> Value:
        name = user_map.overflow or user_map.kernel_map
        return self.b.call(HELPER_IDS["map_lookup_elem"], self.b.map_fd(name), key, pointer=True)

    def _global(self, user_map: UserMap) -> tuple[Value, Value]:
        """Addresses of a scalar map's value and of the mark that it has been assigned."""
        mark = user_map.offset + align_up(user_map.value.size, 8)
        return self.b.map_value(GLOBALS_MAP, user_map.offset), self.b.map_value(GLOBALS_MAP, mark)

    def _cpu(self) -> Value:
        """This CPU's number, bounded for the verifier."""
        number = self.b.call(HELPER_IDS["get_smp_processor_id"], pure=True)
        return self.b.and_(number, self.storage.cpu_slots - 1)

    def _first_cell(self, node: MapRef, user_map: UserMap, outside: Block) -> Value:
        """The first CPU's cell of a dense map; goes to `outside` for a key that is not in its domain."""
        b = self.b
        cell = b.map_value(CELLS_MAP, user_map.offset)
        if user_map.key is None:
            return cell
        assert node.keys is not None
        index = self.value(node.keys[0])
        if user_map.overflow:
            inside = b.block("inside")
            b.branch_cmp(Cond.ULT, index, user_map.count, inside, outside)
            b.seal(inside)
            b.position(inside)
        return b.ptr_add(cell, b.mul(index, user_map.value.size))

    def _this_cpu(self, cell: Value, user_map: UserMap) -> Value:
        """From the first CPU's cell to this CPU's."""
        if self.storage.cpu_slots == 1:
            return cell
        return self.b.ptr_add(cell, self.b.mul(self._cpu(), user_map.stride))

    # --- aggregations --------------------------------------------------------------------------------------

    def aggregate(self, node: MapRef, call: Call) -> None:
        """`@x[key] = count()` and the like."""
        user_map = self.user_map(node)
        agg = user_map.value
        assert isinstance(agg, Aggregate)
        entry = AGGREGATIONS[agg.kind]
        value = self.number(call.args[0]) if entry.value_args else None
        shared = node.name in self.storage.shared

        def update(cell: Value) -> None:
            entry.update(self.b, agg, cell, value, shared)

        if user_map.storage != "cells":
            self._update_in_hash(node, user_map, update)
            return
        b = self.b
        outside, done = b.block("outside", likely=False), b.block("counted")
        update(self._this_cpu(self._first_cell(node, user_map, outside), user_map))
        b.jump(done)
        b.seal(outside)
        b.position(outside)
        if user_map.overflow:
            self._update_in_hash(node, user_map, update)
        b.jump(done)
        b.seal(done)
        b.position(done)

    def _update_in_hash(self, node: MapRef, user_map: UserMap, update: Callable[[Value], None]) -> None:
        """Update the entry's cell; make the entry first where there is none."""
        b = self.b
        key = self.key_address(node, user_map)
        cell, found, done = object(), b.block("found"), b.block("updated")
        missing, again = b.block("missing", likely=False), b.block("full", likely=False)
        first = self._lookup(user_map, key)
        b.write_var(cell, first)
        b.branch_cmp(Cond.NE, first, 0, found, missing)
        b.seal(missing)
        b.position(missing)
        zeros = self.global_address(self.storage.zeros(user_map.value.size))
        name = user_map.overflow or user_map.kernel_map
        b.call(HELPER_IDS["map_update_elem"], b.map_fd(name), key, zeros, _NOEXIST)
        second = self._lookup(user_map, key)
        b.write_var(cell, second)
        b.branch_cmp(Cond.NE, second, 0, found, again)
        b.seal(found)
        b.position(found)
        update(b.read_var(cell))
        b.jump(done)
        b.seal(again)
        b.position(again)
        self._map_full(node)
        b.jump(done)
        b.seal(done)
        b.position(done)

    def _map_full(self, node: MapRef) -> None:
        self.count(self.storage.counter("map_full", name=f"@{node.name}", span=_span(node)).offset)

    def fold(self, user_map: UserMap, cell_of_cpu: Callable[[Value], Value], null_check: bool) -> Value:
        """The number of an aggregation, from the cells of all CPUs."""
        b = self.b
        agg = user_map.value
        assert isinstance(agg, Aggregate)
        entry = AGGREGATIONS[agg.kind]
        start = entry.fold_start(b, agg)
        names = [object() for _ in start]
        counter = object()
        for name, value in zip(names, start):
            b.write_var(name, value)
        b.write_var(counter, 0)
        head, body, following, done = b.block("cpus"), b.block("cpu"), b.block("next"), b.block("folded")
        b.jump(head)
        b.position(head)
        cpu = b.read_var(counter)
        b.branch_cmp(Cond.ULT, cpu, self.kernel.possible_cpus, body, done)
        b.seal(body)
        b.position(body)
        cell = cell_of_cpu(cpu)
        if null_check:
            found = b.block("cell")
            b.branch_cmp(Cond.NE, cell, 0, found, following)
            b.seal(found)
            b.position(found)
        for name, value in zip(names, entry.fold_step(b, agg, [b.read_var(n) for n in names], cell)):
            b.write_var(name, value)
        b.jump(following)
        b.seal(following)
        b.position(following)
        b.write_var(counter, b.add(cpu, 1))
        b.jump(head)
        b.seal(head)
        b.seal(done)
        b.position(done)
        return entry.fold_end(b, agg, [b.read_var(name) for name in names])

    def _read_aggregate(self, node: MapRef, user_map: UserMap) -> Value:
        b = self.b
        if user_map.storage != "cells":
            return self._read_in_hash(node, user_map)
        result = object()
        outside, done = b.block("outside", likely=False), b.block("read")
        first = self._first_cell(node, user_map, outside)
        total = self.fold(user_map, lambda cpu: b.ptr_add(first, b.mul(cpu, user_map.stride)), False)
        b.write_var(result, total)
        b.jump(done)
        b.seal(outside)
        b.position(outside)
        b.write_var(result, self._read_in_hash(node, user_map) if user_map.overflow else 0)
        b.jump(done)
        b.seal(done)
        b.position(done)
        return b.read_var(result)

    def _read_in_hash(self, node: MapRef, user_map: UserMap) -> Value:
        key = self.key_address(node, user_map)
        return self.fold(user_map, lambda cpu: self._lookup_percpu(user_map, key, cpu), True)

    def _lookup_percpu(self, user_map: UserMap, key: Value, cpu: Value) -> Value:
        name = user_map.overflow or user_map.kernel_map
        return self.b.call(HELPER_IDS["map_lookup_percpu_elem"], self.b.map_fd(name), key, cpu, pointer=True)

    # --- plain values --------------------------------------------------------------------------------------

    def key_once(self, node: MapRef) -> Value | None:
        """The key in memory, for operations that need it twice; None where the map has no kernel map of its own."""
        user_map = self.user_map(node)
        return None if user_map.storage == "global" else self.key_address(node, user_map)

    def map_read(self, node: MapRef, key: Value | None = None) -> Value:
        """The value of an entry (with a key that `key_once` gave, or its own): 0, or empty, where there is none."""
        user_map = self.user_map(node)
        t = user_map.value
        if isinstance(t, Aggregate):
            return self._read_aggregate(node, user_map)
        b = self.b
        if user_map.storage == "global":
            address, _ = self._global(user_map)
            if is_scalar(t):
                return self.load(address, t)
            place = self.place(t)
            self.copy(place, address, t.size)
            return place
        found = self._lookup(user_map, key if key is not None else self.key_address(node, user_map))
        result = object()
        there, missing, done = b.block("found"), b.block("missing"), b.block("read")
        aside = None if is_scalar(t) else self.place(t)
        b.branch_cmp(Cond.NE, found, 0, there, missing)
        b.seal(there)
        b.position(there)
        if aside is None:
            b.write_var(result, self.load(found, t))
        else:
            self.copy(aside, found, t.size)
        b.jump(done)
        b.seal(missing)
        b.position(missing)
        self.after_miss(node)
        if aside is None:
            b.write_var(result, 0)
        else:
            self.clear(aside, t.size)
        b.jump(done)
        b.seal(done)
        b.position(done)
        return b.read_var(result) if aside is None else aside

    def after_miss(self, node: MapRef) -> None:
        """Called where a key that is read is not in its map; reports that under `-k`."""

    def map_assign(self, node: MapRef, value: Expr) -> None:
        """`@x[key] = value`."""
        user_map = self.user_map(node)
        t = user_map.value
        b = self.b
        if user_map.storage == "global":
            address, mark = self._global(user_map)
            if is_scalar(t):
                b.store(t.size, address, self.narrow(self.number(value), t))
            else:
                # evaluated aside first: the value may read the map that it is assigned to
                place = self.place(t)
                self.into(value, place, t)
                self.copy(address, place, t.size)
            b.store(8, mark, 1)
            return
        entry = self.place(t)
        if not is_scalar(t):
            self._clear_gaps(entry, t)
        self.into(value, entry, t)
        self._store_entry(node, user_map, self.key_address(node, user_map), entry)

    def map_store(self, node: MapRef, value: Value, key: Value | None = None) -> None:
        """Assign a number that is already there, by a key that `key_once` gave or its own."""
        user_map = self.user_map(node)
        t = user_map.value
        if user_map.storage == "global":
            address, mark = self._global(user_map)
            self.b.store(t.size, address, value)
            self.b.store(8, mark, 1)
            return
        place = self.place(t)
        self.b.store(t.size, place, value)
        self._store_entry(node, user_map, key if key is not None else self.key_address(node, user_map), place)

    def _store_entry(self, node: MapRef, user_map: UserMap, key: Value, place: Value) -> None:
        b = self.b
        status = b.call(HELPER_IDS["map_update_elem"], b.map_fd(user_map.kernel_map), key, place, _ANY)
        failed, done = b.block("full", likely=False), b.block("stored")
        b.branch_cmp(Cond.EQ, status, 0, done, failed)
        b.seal(failed)
        b.position(failed)
        self._map_full(node)
        b.jump(done)
        b.seal(done)
        b.position(done)

    def map_add(self, node: MapRef, amount: Value, *, want_old: bool) -> Value:
        """Add to a number of a map, atomically; returns the old or the new number."""
        user_map = self.user_map(node)
        b = self.b
        if user_map.value not in (INT64, UINT64):  # bool: no atomic add of a byte
            key = self.key_once(node)
            old = self.map_read(node, key)
            new = self.narrow(b.add(old, amount), user_map.value)
            self.map_store(node, new, key)
            return old if want_old else new
        if user_map.storage == "global":
            address, mark = self._global(user_map)
            old = b.load(8, address)
            b.atomic_add(8, address, amount)
            b.store(8, mark, 1)
            return old if want_old else b.add(old, amount)
        old_value = object()

        def update(cell: Value) -> None:
            b.write_var(old_value, b.load(8, cell))
            b.atomic_add(8, cell, amount)

        b.write_var(old_value, 0)
        self._update_in_hash(node, user_map, update)
        old = b.read_var(old_value)
        return old if want_old else b.add(old, amount)

    def map_address(self, node: MapRef) -> Value:
        """Where the value of a map without keys lies; of others, their `struct bpf_map`."""
        user_map = self.user_map(node)
        if user_map.storage == "global":
            return self._global(user_map)[0]
        return self.b.map_fd(user_map.kernel_map)

    # --- functions on maps ---------------------------------------------------------------------------------

    def map_key_exists(self, ref: MapRef) -> Value:
        """1 if the map has an entry for the key."""
        user_map = self.user_map(ref)
        if user_map.storage == "global":
            return self.b.load(8, self._global(user_map)[1])
        return self.b.cmp(Cond.NE, self._lookup(user_map, self.key_address(ref, user_map)), 0)

    def map_delete(self, ref: MapRef) -> Value:
        """Remove an entry; 1 if it was there."""
        user_map = self.user_map(ref)
        b = self.b
        if user_map.storage == "global":
            address, mark = self._global(user_map)
            was = b.load(8, mark)
            self.clear(address, align_up(user_map.value.size, 8))
            b.store(8, mark, 0)
            return was
        key = self.key_address(ref, user_map)
        status = b.call(HELPER_IDS["map_delete_elem"], b.map_fd(user_map.kernel_map), key)
        return b.cmp(Cond.EQ, b.ext(status, 32, True), 0)

    def map_length(self, ref: MapRef) -> Value:
        raise NotImplementedError


def _span(node: Expr) -> tuple[int, int]:
    span = root_span(node.span)
    return span.start, span.end
