"""The program's maps as Python mappings, while it runs and after."""

from _collections_abc import Mapping  # loaded at every start anyway, unlike `collections.abc`

from kernscope.bundle import UserMap
from kernscope.output.maptext import MapShape
from kernscope.output.symbolic import SymbolFacts
from kernscope.runtime.storage import STORAGES, Storage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterator, KeysView, ValuesView
    from typing import Any

    from kernscope.kernel.map import Map

__all__ = ["MapView"]


class MapView(Mapping["Any", "Any"]):
    """One map of the program: keys and values as Python sees them.

    Every access reads the kernel's map anew while the session runs; `snapshot()` reads it once. After the
    end it is the content at the end. A map without keys has the single key None and its value as `value`.
    Keys and values: int, bool, str, bytes, tuple; of `stats()` and histograms `Stats` and `Histogram`.
    """

    def __init__(
        self,
        user_map: UserMap,
        map: "Map",
        possible_cpus: int,
        facts: SymbolFacts,
        overflow: "Map | None" = None,
    ) -> None:
        self.name = user_map.name
        storage = STORAGES[user_map.storage]
        self._storage: Storage | None = storage(user_map, map, possible_cpus, facts, overflow)
        self.shape = MapShape(user_map.name, user_map.key, user_map.value, self._storage.aggregation)
        self._final: dict[Any, Any] = {}

    def snapshot(self) -> "dict[Any, Any]":
        """A copy of the content, in printing order (ascending by value, for numbers)."""
        if self._storage is None:
            return dict(self._final)
        return dict(self.shape.items(self._storage.read()))

    @property
    def value(self) -> "Any":
        """The value of a map without keys; what an unassigned one reads as, if nothing was assigned."""
        if self.shape.key is not None:
            raise TypeError(f"`{self.name}` has keys")
        content = self.snapshot()
        return content[None] if content else self.shape.default()

    def take(self) -> "dict[Any, Any]":
        """Like `snapshot`, and forget it: the next one has what came since. Of a map with keys nothing is lost
        in between."""
        if self._storage is None:
            taken, self._final = self._final, {}
            return taken
        return dict(self.shape.items(self._storage.take()))

    def assign(self, key: "int | bytes", value: int) -> None:
        """What `@map[key] = value` does, where keys are numbers or arrays of bytes and values numbers.

        Raises: TypeError for other maps; KernelError (E2BIG) where the map is full.
        """
        if self._storage is not None:
            self._storage.assign(key, value)

    def remove(self, key: "int | bytes") -> bool:
        """What `delete(@map, key)` does: whether it was there."""
        return self._storage is not None and self._storage.remove(key)

    def clear(self) -> None:
        """What `clear(@map)` does."""
        if self._storage is not None:
            self._storage.clear()

    def zero(self) -> None:
        """What `zero(@map)` does."""
        if self._storage is not None:
            self._storage.zero()

    def freeze(self) -> None:
        """Keep the content as it is now; the kernel's map is not needed any more."""
        if self._storage is not None:
            final, self._storage = self.snapshot(), None
            self._final = final

    def __getitem__(self, key: "Any") -> "Any":
        return self.snapshot()[key]

    def __iter__(self) -> "Iterator[Any]":
        return iter(self.snapshot())

    def __len__(self) -> int:
        return len(self.snapshot())

    def __contains__(self, key: object) -> bool:
        return key in self.snapshot()

    def keys(self) -> "KeysView[Any]":
        return self.snapshot().keys()

    def values(self) -> "ValuesView[Any]":
        return self.snapshot().values()

    def items(self) -> "ItemsView[Any, Any]":
        return self.snapshot().items()

    def __str__(self) -> str:
        """As `print(@map)` shows it."""
        return self.shape.text(self.snapshot())

    def __repr__(self) -> str:
        return f"<MapView {self.name}: {self.snapshot()!r}>"
