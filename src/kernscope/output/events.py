"""What a session yields: one plain object per thing that happened."""

from __future__ import annotations

from kernscope.types import Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AttachedEvent",
    "CatEvent",
    "ComplaintEvent",
    "EndEvent",
    "ErrorEvent",
    "Event",
    "JoinEvent",
    "KeyedValueEvent",
    "LostEvent",
    "MapEvent",
    "MissedEvent",
    "PrintfEvent",
    "SystemEvent",
    "TimeEvent",
    "ValueEvent",
    "VerdictEvent",
]


class Event:
    """Base of all events. Fields are those of `__slots__`; equality is by content."""

    __slots__: tuple[str, ...] = ()

    def _fields(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Event) and type(self) is type(other) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash((type(self), self._fields()))

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({inner})"


class PrintfEvent(Event):
    """printf(): the formatted text, and its arguments as values."""

    __slots__ = ("args", "text")

    def __init__(self, text: str, args: tuple[object, ...]) -> None:
        self.text, self.args = text, args

    def __str__(self) -> str:
        return self.text


class JoinEvent(Event):
    """join(): the joined text, and its parts."""

    __slots__ = ("args", "text")

    def __init__(self, text: str, args: tuple[object, ...]) -> None:
        self.text, self.args = text, args

    def __str__(self) -> str:
        return self.text


class ValueEvent(Event):
    """print() of an expression: int, bool, str, bytes, or a tuple of such. `type` is its type."""

    __slots__ = ("type", "value")

    def __init__(self, value: object, type: Type | None = None) -> None:
        self.value, self.type = value, type

    def _fields(self) -> tuple[object, ...]:
        return (self.value,)


class KeyedValueEvent(Event):
    """print() of one element of a map: its name, key and value. `view` is the map's shape, for sinks."""

    __slots__ = ("key", "name", "type", "value", "view")

    def __init__(
        self, name: str, key: object, value: object, type: Type | None = None, view: object = None
    ) -> None:
        self.name, self.key, self.value, self.type, self.view = name, key, value, type, view

    def _fields(self) -> tuple[object, ...]:
        return self.name, self.key, self.value


class MapEvent(Event):
    """print() of a map, or a map at the end: a copy of its content, in printing order.

    `mapping` has the single key None for a map without keys. `view` is how the sinks print it.
    """

    __slots__ = ("at_end", "div", "mapping", "name", "top", "view")

    def __init__(
        self,
        name: str,
        mapping: Mapping[object, object],
        view: object = None,
        *,
        top: int = 0,
        div: int = 0,
        at_end: bool = False,
    ) -> None:
        self.name, self.mapping, self.view = name, mapping, view
        self.top, self.div, self.at_end = top, div, at_end

    def _fields(self) -> tuple[object, ...]:
        return self.name, tuple(self.mapping.items()), self.top, self.div, self.at_end


class TimeEvent(Event):
    """time(): the formatted time of day."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


class CatEvent(Event):
    """cat(): what the file says."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


class SystemEvent(Event):
    """system(): what the command wrote to its standard output."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


class ComplaintEvent(Event):
    """errorf() and warnf(): the formatted text. `severity` is `error` or `warning`, `span` where in the source."""

    __slots__ = ("severity", "span", "text")

    def __init__(self, severity: str, text: str, span: tuple[int, int] = (0, 0)) -> None:
        self.severity, self.text, self.span = severity, text, span

    def __str__(self) -> str:
        return self.text


class LostEvent(Event):
    """`count` more records of clause `clause` (its probes as text) found no room; `total` since the start."""

    __slots__ = ("clause", "count", "total")

    def __init__(self, clause: str, count: int, total: int) -> None:
        self.clause, self.count, self.total = clause, count, total


class MissedEvent(Event):
    """The kernel did not run `program` for `count` events, because it was already running on that CPU."""

    __slots__ = ("count", "program")

    def __init__(self, program: str, count: int) -> None:
        self.program, self.count = program, count


class VerdictEvent(Event):
    """`count` times the program decided `verdict` in `probe`; not `enforced`: it would have."""

    __slots__ = ("count", "enforced", "probe", "verdict")

    def __init__(self, probe: str, verdict: str, count: int, *, enforced: bool) -> None:
        self.probe, self.verdict, self.count, self.enforced = probe, verdict, count, enforced


class ErrorEvent(Event):
    """Something went wrong while running: `message`; `span` is where in the source.

    `helper` and `code` name the kernel helper that failed and its negative errno, if one did. `count` of them
    were found together.
    """

    __slots__ = ("code", "count", "helper", "message", "span")

    def __init__(
        self,
        message: str,
        *,
        span: tuple[int, int] = (0, 0),
        helper: str = "",
        code: int = 0,
        count: int = 1,
    ) -> None:
        self.message, self.span, self.helper, self.code, self.count = message, span, helper, code, count

    @property
    def key(self) -> object:
        """Equal for errors that are the same but for their count."""
        return self.message, self.span, self.code

    def repeated(self, more: int) -> ErrorEvent:
        """The same error `more` times more often."""
        return ErrorEvent(
            self.message, span=self.span, helper=self.helper, code=self.code, count=self.count + more
        )


class AttachedEvent(Event):
    """All `count` probes are attached."""

    __slots__ = ("count",)

    def __init__(self, count: int) -> None:
        self.count = count


class EndEvent(Event):
    """Nothing more happens but the maps, if they are printed. `code` is what `exit()` was given."""

    __slots__ = ("code",)

    def __init__(self, code: int) -> None:
        self.code = code
