"""What records of the control ring do, one entry per action: something that user space has to do."""

from kernscope.bundle import CONTROL_HEADER_BYTES, Record
from kernscope.output.decode import record_decoder
from kernscope.output.events import ErrorEvent, KeyedValueEvent, MapEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from kernscope.output.events import Event
    from kernscope.output.symbolic import SymbolFacts
    from kernscope.runtime.maps import MapView

    class Controlled(Protocol):
        """What actions may do with a session."""

        maps: dict[str, MapView]
        facts: SymbolFacts

        def emit(self, event: Event) -> None: ...
        def report_error(self, event: ErrorEvent) -> None: ...
        def end_soon(self, exit_code: int) -> None: ...

    Handler = Callable[[Controlled, bytes], None]
    Builder = Callable[[Record, Controlled], Handler]

__all__ = ["CONTROLS", "handler_of"]


def _exit(record: Record, session: "Controlled") -> "Handler":
    """exit(): the value is the exit code."""
    values = record_decoder(record.types, session.facts, CONTROL_HEADER_BYTES)

    def handle(session: "Controlled", data: bytes) -> None:
        code = values(data)
        session.end_soon(int(code[0]) if code else 0)  # type: ignore[call-overload]

    return handle


def _print_map(record: Record, session: "Controlled") -> "Handler":
    """print(@map, top, div): `values` holds top and div."""
    top, div = (*record.values, 0, 0)[:2]
    assert isinstance(top, int) and isinstance(div, int)

    def handle(session: "Controlled", data: bytes) -> None:
        view = session.maps[record.text]
        content = view.snapshot()
        if not content and view.shape.key is None and not view.shape.block:
            content = {None: view.shape.default()}
        session.emit(MapEvent(record.text, content, view.shape, top=top, div=div))

    return handle


def _print_keyed(record: Record, session: "Controlled") -> "Handler":
    """print(@map[key]): the key and the value, or the key alone, and then the value is read here."""
    values = record_decoder(record.types, session.facts, CONTROL_HEADER_BYTES)

    def handle(session: "Controlled", data: bytes) -> None:
        view = session.maps[record.text]
        key, *value = values(data)
        found = value[0] if value else view.snapshot().get(key, view.shape.default())
        session.emit(KeyedValueEvent(record.text, key, found, view.shape.value, view.shape))

    return handle


def _clear(record: Record, session: "Controlled") -> "Handler":
    return lambda session, data: session.maps[record.text].clear()


def _zero(record: Record, session: "Controlled") -> "Handler":
    return lambda session, data: session.maps[record.text].zero()


def _error(record: Record, session: "Controlled") -> "Handler":
    """A run-time error: `text` says what, `values` may name the helper, the value is what it returned."""
    values = record_decoder(record.types, session.facts, CONTROL_HEADER_BYTES)
    helper = str(record.values[0]) if record.values else ""

    def handle(session: "Controlled", data: bytes) -> None:
        result: tuple[Any, ...] = values(data)
        code = int(result[0]) if result else 0
        session.report_error(ErrorEvent(record.text, span=record.span, helper=helper, code=code))

    return handle


CONTROLS: "dict[str, Builder]" = {
    "clear": _clear,
    "error": _error,
    "exit": _exit,
    "print_keyed": _print_keyed,
    "print_map": _print_map,
    "zero": _zero,
}


def handler_of(record: Record, session: "Controlled") -> "Handler":
    """The function that handles records of this kind from the control ring.

    What usually is an event may also be sent there, so as not to be lost in a flood.
    """
    build = CONTROLS.get(record.action)
    if build is not None:
        return build(record, session)
    from kernscope.output.actions import ACTIONS

    event = ACTIONS[record.action].event(record, session.facts, CONTROL_HEADER_BYTES)
    return lambda session, data: session.emit(event(data))
