"""Reading, clearing and zeroing maps: one class per way in which a map is stored (`UserMap.storage`)."""

from kernscope.bundle import UserMap
from kernscope.catalog.aggregations import Aggregation, aggregation_of
from kernscope.output.decode import stored_decoder
from kernscope.output.symbolic import SymbolFacts
from kernscope.types import Aggregate, Array, Integer, align_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from kernscope.kernel.map import Map
    from kernscope.types import Type

__all__ = ["STORAGES", "Storage"]


def encoded(type: "Type", value: object) -> bytes:
    """A number, or bytes for an array of them, as maps store it. Raises TypeError for others, OverflowError."""
    if isinstance(type, Integer) and isinstance(value, int):
        return value.to_bytes(type.size, "little", signed=type.signed)
    if isinstance(type, Array) and isinstance(value, bytes) and len(value) == type.size:
        return value
    raise TypeError(f"{value!r} is no {type} that can be written from here")


class Storage:
    """One user map in the kernel. `possible_cpus` is how many copies a per-CPU value has; `overflow` is
    the kernel map of that role in `UserMap`, if there is one.
    """

    def __init__(
        self,
        user_map: UserMap,
        map: "Map",
        possible_cpus: int,
        facts: SymbolFacts,
        overflow: "Map | None" = None,
    ) -> None:
        self.user_map, self.map, self.cpus = user_map, map, possible_cpus
        self.key_of: Callable[[bytes], Any] | None = None
        if user_map.key is not None:
            self.key_of = stored_decoder(user_map.key, facts)
        self.aggregation: Aggregation | None = None
        if isinstance(user_map.value, Aggregate):
            self.aggregation = aggregation_of(user_map.value)
        else:
            self.value_of = stored_decoder(user_map.value, facts)
        self._rest = None if overflow is None else HashStorage(user_map, overflow, possible_cpus, facts)
        self._open()

    def _open(self) -> None:
        """What a way of storing needs to read the map."""

    def read(self) -> "dict[Any, Any]":
        """Keys and values now, in no particular order; the key of a scalar is None."""
        raise NotImplementedError

    def take(self) -> "dict[Any, Any]":
        """What `read` gives, forgotten here: of hashes without losing what comes meanwhile."""
        found = self.read()
        self.clear()
        return found

    def clear(self) -> None:
        """Forget all keys."""
        raise NotImplementedError

    def zero(self) -> None:
        """Keep the keys, zero their values."""
        raise NotImplementedError

    def assign(self, key: object, value: object) -> None:
        """What `@map[key] = value` does. Raises TypeError where maps like this one are not written from here."""
        raise TypeError(f"`{self.user_map.name}` is no hash of keys and plain values")

    def remove(self, key: object) -> bool:
        """What `delete(@map, key)` does: whether it was there. Raises TypeError like `assign`."""
        raise TypeError(f"`{self.user_map.name}` is no hash of keys and plain values")

    def _merged(self, cells: "list[Any]") -> object | None:
        assert self.aggregation is not None and isinstance(self.user_map.value, Aggregate)
        return self.aggregation.merge(self.user_map.value, cells)

    def _empty(self) -> object:
        assert self.aggregation is not None and isinstance(self.user_map.value, Aggregate)
        return self.aggregation.empty(self.user_map.value)


class HashStorage(Storage):
    """A kernel hash of keys; with aggregations a per-CPU one."""

    def read(self) -> "dict[Any, Any]":
        return self._decoded(self.map.items())

    def take(self) -> "dict[Any, Any]":
        return self._decoded(self.map.take_items())

    def _decoded(self, items: "list[tuple[bytes, bytes]]") -> "dict[Any, Any]":
        key_of = self.key_of
        if key_of is None:
            # A scalar in a hash has one key; its bytes do not matter.
            return {None: self._value(items[0][1])} if items else {}
        if self.aggregation is None:
            value_of = self.value_of
            return {key_of(key): value_of(value) for key, value in items}
        # Different stacks can read the same: frames of an interpreter replace the addresses in its loop.
        raw: dict[Any, bytes] = {}
        for stored, value in items:
            key = key_of(stored)
            raw[key] = raw[key] + value if key in raw else value
        return {key: self._value(cells) for key, cells in raw.items()}

    def _value(self, raw: bytes) -> object:
        if self.aggregation is None:
            return self.value_of(raw)
        size = self.user_map.value.size
        step = align_up(size, 8)
        merged = self._merged([raw[at : at + size] for at in range(0, len(raw), step)])
        return self._empty() if merged is None else merged

    def assign(self, key: object, value: object) -> None:
        key_type = self.user_map.key
        if key_type is None or self.aggregation is not None:
            return super().assign(key, value)
        return self.map.update(encoded(key_type, key), encoded(self.user_map.value, value))

    def remove(self, key: object) -> bool:
        key_type = self.user_map.key
        return super().remove(key) if key_type is None else self.map.delete(encoded(key_type, key))

    def clear(self) -> None:
        self.map.clear()

    def zero(self) -> None:
        self.map.zero()


class CellsStorage(Storage):
    """An area of a memory-mapped array with one cell per CPU and key.

    Programs may be adding to a cell while it is cleared. Cells of additive aggregations are therefore not
    written to: what they held is remembered and subtracted from then on. Others are zeroed in place.
    """

    def _open(self) -> None:
        assert self.aggregation is not None, "cells hold aggregations"
        user_map, view = self.user_map, self.map.mmap()
        length = user_map.count * user_map.value.size
        starts = [user_map.offset + cpu * user_map.stride for cpu in range(self.cpus)]
        self._areas = [view[start : start + length] for start in starts]
        self._baseline: list[bytes] | None = None
        self._zeroed: set[int] = set()
        self._indices = (
            [0]
            if user_map.key is None
            else [index for index, key in enumerate(user_map.domain) if key is not None]
        )

    def read(self) -> "dict[Any, Any]":
        size, domain, keyed = self.user_map.value.size, self.user_map.domain, self.user_map.key is not None
        # One copy per CPU, so that a cell is not read word by word while it changes.
        areas = [bytes(area) for area in self._areas]
        nothing = bytes(size)
        found: dict[Any, Any] = {} if self._rest is None else self._rest.read()
        for index in self._indices:
            start = index * size
            cells = [area[start : start + size] for area in areas]
            if cells.count(nothing) == len(cells):
                value = None
            else:
                if self._baseline is not None:
                    cells = self._subtracted(cells, start, size)
                value = self._merged(cells)
            if value is None and index in self._zeroed:
                value = self._empty()
            if value is not None:
                found[domain[index] if keyed else None] = value
        return found

    def _subtracted(self, cells: list[bytes], start: int, size: int) -> list[bytes]:
        assert self._baseline is not None and self.aggregation is not None
        agg = self.user_map.value
        assert isinstance(agg, Aggregate)
        return [
            self.aggregation.subtract(agg, cell, before[start : start + size])
            for cell, before in zip(cells, self._baseline)
        ]

    def clear(self) -> None:
        self._zeroed.clear()
        self._forget()
        if self._rest is not None:
            self._rest.clear()

    def zero(self) -> None:
        present = self.read()
        keyed = self.user_map.key is not None
        self._zeroed |= {i for i in self._indices if (self.user_map.domain[i] if keyed else None) in present}
        self._forget()
        if self._rest is not None:
            self._rest.zero()

    def _forget(self) -> None:
        assert self.aggregation is not None
        if self.aggregation.additive:
            self._baseline = [bytes(area) for area in self._areas]
        else:
            for area in self._areas:
                area[:] = bytes(len(area))


class GlobalStorage(Storage):
    """One value in a memory-mapped array, followed by a word that is 1 once it has been assigned."""

    def _open(self) -> None:
        user_map, view = self.user_map, self.map.mmap()
        size = user_map.value.size
        flag = user_map.offset + align_up(size, 8)
        self._value = view[user_map.offset : user_map.offset + size]
        self._assigned = view[flag : flag + 8]

    def read(self) -> "dict[Any, Any]":
        if not any(self._assigned):
            return {}
        return {None: self.value_of(bytes(self._value))}

    def clear(self) -> None:
        self._assigned[:] = bytes(8)
        self.zero()

    def zero(self) -> None:
        self._value[:] = bytes(len(self._value))


STORAGES: dict[str, type[Storage]] = {
    "hash": HashStorage,
    "percpu_hash": HashStorage,
    "cells": CellsStorage,
    "global": GlobalStorage,
}
