"""Where the program's data lies: the maps of the user, the shared globals, the per-CPU cells.

Decided once after sema, before any code is emitted, so that every address is a constant.
"""

from kernscope.bundle import Bundle, Counter, MapSpec, UserMap
from kernscope.bundle.globals_layout import (
    CELLS_MAP,
    CONTROL_MAP,
    COUNTERS,
    EVENTS_MAP,
    GLOBALS_MAP,
    STACKS_MAP,
)
from kernscope.diagnostics import error
from kernscope.diagnostics.diagnostic import CompileError
from kernscope.sema import Checked, MapInfo
from kernscope.tables.bpf import MapFlag, MapType
from kernscope.types import Aggregate, Symbolic, align_up, without_targets

__all__ = ["Storage"]

_CELLS_LIMIT_BYTES = 1 << 20
"""Per CPU: larger tables of dense cells stay hash maps."""

_CACHE_LINE_BYTES = 128
"""Distance that keeps two CPUs' cells from sharing a line (and the adjacent one that is prefetched)."""

CONTROL_RING_BYTES = 1 << 18
QUIET_RING_BYTES = 1 << 18
"""Event ring of programs that send events from timers and `begin` alone."""
MANY_STACKS = 1 << 17
FEW_STACKS = 1 << 13
"""Different stacks kept at most, where the memory for each is taken when it comes, and where it is taken at once."""
EVENT_RING_BYTES = 1 << 26
"""Event ring of all others: holds about half a million short lines while the reader is busy."""


class Storage:
    """Lays out `globals` and `cells` and creates the map descriptions of a bundle."""

    def __init__(self, checked: Checked, bundle: Bundle, possible_cpus: int) -> None:
        self.bundle = bundle
        self.config = checked.config
        self.cpu_slots = 1 << (possible_cpus - 1).bit_length()
        """CPUs rounded up to a power of two, so that a mask bounds the CPU's number for the verifier."""
        self.grows = False
        """Whether programs may take memory for map entries while they run (Linux 6.1)."""
        self.maps: dict[str, UserMap] = {}
        self.shared: set[str] = set()
        """Maps that programs of different kinds write: an update can be interrupted by another one."""
        self._end = COUNTERS
        self._content: dict[int, bytes] = {}
        self._constants: dict[bytes, int] = {}
        self._zeros = (0, 0)
        self._control_lost: int | None = None
        self._verdicts: dict[tuple[str, str], int] = {}
        self._cells_end = 0
        self._cells: list[UserMap] = []

    # --- globals -------------------------------------------------------------------------------------------

    def reserve(self, size: int) -> int:
        """Bytes in `globals`, zero at first; returns their offset, a multiple of 8."""
        offset = self._end
        self._end = align_up(offset + size, 8)
        return offset

    def counter(self, kind: str, **facts: object) -> Counter:
        """A new counter that the runtime reads and reports."""
        counter = Counter(kind, self.reserve(8), **facts)  # type: ignore[arg-type]
        self.bundle.counters.append(counter)
        return counter

    def control_lost(self) -> int:
        """The offset of the counter of control records that found no room."""
        if self._control_lost is None:
            self._control_lost = self.counter("control_lost").offset
        return self._control_lost

    def verdict_counter(self, probe: str, verdict: str) -> int:
        """The offset of the counter of a verdict in some probes."""
        key = probe, verdict
        if key not in self._verdicts:
            self._verdicts[key] = self.counter("verdict", name=probe, text=verdict).offset
        return self._verdicts[key]

    def constant(self, content: bytes) -> int:
        """The offset of constant bytes, shared between equal ones."""
        offset = self._constants.get(content)
        if offset is None:
            offset = self._constants[content] = self.reserve(len(content))
            self._content[offset] = content
        return offset

    def zeros(self, size: int) -> int:
        """The offset of at least `size` zero bytes that nobody writes."""
        if self._zeros[1] < size:
            self._zeros = (self.reserve(size), size)
        return self._zeros[0]

    def kernel_map(
        self, name: str, type: int, key_size: int, value_size: int, entries: int, *, flags: int = 0
    ) -> None:
        """A map that entries of the catalogue need, described once."""
        if all(spec.name != name for spec in self.bundle.maps):
            self.bundle.maps.append(MapSpec(name, type, key_size, value_size, entries, flags=flags))

    def stacks(self, frames: int) -> str:
        """The map that keeps stacks of at most so many frames under their hash."""
        name = f"{STACKS_MAP}{frames}"
        flags, entries = (MapFlag.NO_PREALLOC, MANY_STACKS) if self.grows else (0, FEW_STACKS)
        self.kernel_map(name, MapType.HASH, 8, 8 * frames, entries, flags=flags)
        return name

    # --- the user's maps -----------------------------------------------------------------------------------

    def place_maps(self, maps: dict[str, MapInfo], probe_names: list[str], most_keys: int) -> None:
        """Choose how each map is stored; `probe_names` is the domain of keys of type `probe`."""
        for info in maps.values():
            if info.value is None:
                continue  # named, but nothing ever assigns it: sema has reported every read
            user_map = self._place(info, probe_names, most_keys)
            self.maps[info.name] = user_map
            self.bundle.user_maps.append(user_map)
        stride = align_up(self._cells_end, _CACHE_LINE_BYTES)
        for user_map in self._cells:
            user_map.stride = stride
        if self._cells:
            self.bundle.maps.append(
                MapSpec(CELLS_MAP, MapType.ARRAY, 4, stride * self.cpu_slots, 1, flags=MapFlag.MMAPABLE)
            )

    def _place(self, info: MapInfo, probe_names: list[str], most_keys: int) -> UserMap:
        assert info.value is not None
        value = without_targets(info.value)
        name = f"@{info.name}"
        if info.key is None and not isinstance(value, Aggregate):
            size = align_up(value.size, 8) + 8
            return UserMap(name, None, value, "global", GLOBALS_MAP, offset=self.reserve(size))
        if isinstance(value, Aggregate):
            domain = self._dense_domain(info, probe_names)
            if domain is not None and len(domain) * value.size <= _CELLS_LIMIT_BYTES:
                offset = self._cells_end
                self._cells_end += len(domain) * value.size
                user_map = UserMap(
                    name, info.key, value, "cells", CELLS_MAP, offset=offset, count=len(domain), domain=domain
                )
                if info.domain:
                    user_map.overflow = self._place_hash(info, name, most_keys).kernel_map
                self._cells.append(user_map)
                return user_map
        return self._place_hash(info, name, most_keys)

    @staticmethod
    def _dense_domain(info: MapInfo, probe_names: list[str]) -> tuple[object, ...] | None:
        if info.uses & {"address", "iterate", "delete", "has_key", "len"} or info.decl is not None:
            return None
        if {"reset", "read"} <= info.uses:
            return None  # user space resets cells by remembering what they held: programs would not see it
        if info.key is None:
            return (None,)
        if isinstance(info.key, Symbolic) and info.key.kind == "probe":
            return tuple(name or None for name in probe_names)
        if info.domain:
            return tuple(range(info.domain))
        return None

    def _place_hash(self, info: MapInfo, name: str, most_keys: int) -> UserMap:
        assert info.value is not None
        value = without_targets(info.value)
        key = None if info.key is None else without_targets(info.key)
        percpu = isinstance(value, Aggregate)
        map_type, entries = (MapType.PERCPU_HASH if percpu else MapType.HASH), most_keys
        if info.decl is not None:
            map_type, entries = _declared(info, percpu)
        kernel_map = f"m{len(self.bundle.user_maps)}_{info.name}"[:15]
        key_size = 8 if key is None else key.size
        self.bundle.maps.append(MapSpec(kernel_map, map_type, key_size, value.size, entries))
        return UserMap(name, key, value, "percpu_hash" if percpu else "hash", kernel_map)

    # --- the end -------------------------------------------------------------------------------------------

    def finish(self, *, events_from_probes: bool) -> None:
        """Describe `globals` and the rings, once all code is there."""
        content = bytearray(self._end)
        for offset, part in self._content.items():
            content[offset : offset + len(part)] = part
        pages = self.config["perf_rb_pages"]
        ring = EVENT_RING_BYTES if events_from_probes else QUIET_RING_BYTES
        if isinstance(pages, int) and pages:
            ring = max(4096, 1 << (pages * 4096 - 1).bit_length())
        self.bundle.maps[:0] = [
            MapSpec(
                GLOBALS_MAP,
                MapType.ARRAY,
                4,
                align_up(self._end, 8),
                1,
                flags=MapFlag.MMAPABLE,
                initial=bytes(content),
            ),
            MapSpec(EVENTS_MAP, MapType.RINGBUF, 0, 0, ring),
            MapSpec(CONTROL_MAP, MapType.RINGBUF, 0, 0, CONTROL_RING_BYTES),
        ]


_DECLARED_TYPES = {
    ("hash", False): MapType.HASH,
    ("hash", True): MapType.PERCPU_HASH,
    ("percpuhash", True): MapType.PERCPU_HASH,
    ("lruhash", False): MapType.LRU_HASH,
    ("lruhash", True): MapType.LRU_PERCPU_HASH,
    ("percpulruhash", True): MapType.LRU_PERCPU_HASH,
}


def _declared(info: MapInfo, percpu: bool) -> tuple[int, int]:
    decl = info.decl
    assert decl is not None
    map_type = _DECLARED_TYPES.get((decl.map_type, percpu))
    entries = getattr(decl.args[0], "value", None) if len(decl.args) == 1 else None
    if map_type is None or not isinstance(entries, int) or entries < 1:
        known = ", ".join(
            f"`{name}`" for name in sorted({name for name, p in _DECLARED_TYPES if p == percpu})
        )
        raise CompileError(
            [
                error(
                    "bad-map-declaration",
                    f"`@{decl.name}` cannot be a `{decl.span.text.split('=', 1)[-1].strip(' ;')}`",
                    decl.span,
                    notes=f"for the values that this map gets, the kinds are {known}, each with a number of entries",
                )
            ]
        )
    return map_type, entries
