"""Maps as text and JSON, in the order and the form of bpftrace.

Order: ascending by value where values are integers or aggregations (so that the greatest is printed last,
next to the prompt), equal values by key; by key where values are strings, booleans or tuples.
"""

from __future__ import annotations

from kernscope.output.values import default_value, json_key, key_text, value_text
from kernscope.types import Aggregate, Integer, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Protocol
else:
    Protocol = object

__all__ = ["MapShape", "ValueFormat"]


class ValueFormat(Protocol):
    """What this needs of an aggregation (`kernscope.catalog.aggregations.Aggregation`)."""

    @property
    def block(self) -> bool: ...
    @property
    def json_type(self) -> str: ...
    def text(self, agg: Aggregate, value: object) -> str: ...
    def json(self, agg: Aggregate, value: object) -> object: ...
    def sort_key(self, value: object) -> int: ...
    def divided(self, agg: Aggregate, value: object, div: int) -> object: ...
    def empty(self, agg: Aggregate) -> object: ...
    def together(self, agg: Aggregate, values: Sequence[object]) -> Sequence[object]: ...


def _same(text: str) -> str:
    return text


class MapShape:
    """How one map prints: its name, the types of its keys (None: it has none) and values.

    `aggregation` formats the values where `value` is an Aggregate.
    """

    __slots__ = ("aggregation", "key", "name", "value")

    def __init__(
        self, name: str, key: Type | None, value: Type, aggregation: ValueFormat | None = None
    ) -> None:
        self.name, self.key, self.value, self.aggregation = name, key, value, aggregation

    @property
    def block(self) -> bool:
        """Whether a value is several lines."""
        return self.aggregation is not None and self.aggregation.block

    def default(self) -> object:
        """What reads from a map without keys before it is assigned."""
        if self.aggregation is not None and isinstance(self.value, Aggregate):
            return self.aggregation.empty(self.value)
        return default_value(self.value)

    def items(self, mapping: Mapping[Any, Any], top: int = 0, div: int = 0) -> list[tuple[Any, Any]]:
        """Keys and values in printing order: the `top` greatest (0: all), values divided by `div`."""
        items = list(mapping.items())
        if self.key is not None:
            items.sort(key=self._order())
        if top > 0:
            items = items[-top:]
        if div not in (0, 1):
            items = [(key, self._divided(value, div)) for key, value in items]
        if self.aggregation is not None and isinstance(self.value, Aggregate):
            together = self.aggregation.together(self.value, [value for _, value in items])
            items = [(key, value) for (key, _), value in zip(items, together)]
        return items

    def _order(self) -> Callable[[tuple[Any, Any]], Any]:
        if self.aggregation is not None:
            sort_key = self.aggregation.sort_key
            return lambda item: (sort_key(item[1]), item[0])
        if isinstance(self.value, Integer):
            return lambda item: (item[1], item[0])
        return lambda item: item[0]

    def _divided(self, value: Any, div: int) -> Any:
        if self.aggregation is not None and isinstance(self.value, Aggregate):
            return self.aggregation.divided(self.value, value, div)
        if isinstance(self.value, Integer):
            # As C divides: towards zero.
            return (abs(value) // abs(div)) * (1 if (value < 0) == (div < 0) else -1)
        return value

    def value_text(self, value: object, escape: Callable[[str], str] = _same) -> str:
        """One value, without its key; of a block, its lines."""
        if self.aggregation is not None and isinstance(self.value, Aggregate):
            return self.aggregation.text(self.value, value)
        return value_text(self.value, value, escape)

    def value_json(self, value: object) -> object:
        """One value as JSON has it."""
        if self.aggregation is not None and isinstance(self.value, Aggregate):
            return self.aggregation.json(self.value, value)
        return value

    def text(
        self,
        mapping: Mapping[Any, Any],
        top: int = 0,
        div: int = 0,
        escape: Callable[[str], str] = _same,
    ) -> str:
        """The whole map: a line per key, or of a block its lines and an empty one. Empty if the map is."""
        lines = []
        for key, value in self.items(mapping, top, div):
            name = self.name if self.key is None else f"{self.name}[{key_text(self.key, key, escape)}]"
            text = self.value_text(value, escape)
            lines.append(f"{name}:\n{text}\n" if self.block else f"{name}: {text}\n")
        return "".join(lines)

    def json(self, mapping: Mapping[Any, Any], top: int = 0, div: int = 0) -> dict[str, object] | None:
        """bpftrace's message of the whole map; None if it is empty."""
        items = self.items(mapping, top, div)
        if not items:
            return None
        content: object
        if self.key is None:
            content = self.value_json(items[0][1])
        else:
            content = {json_key(self.key, key): self.value_json(value) for key, value in items}
        kind = self.aggregation.json_type if self.aggregation is not None else "map"
        return {"type": kind, "data": {self.name: content}}
