"""What records of the control ring do, one entry per action: something that user space has to do."""

from kernscope.bundle import CONTROL_HEADER_BYTES, Record
from kernscope.output.decode import record_decoder
from kernscope.output.events import (
    CatEvent,
    ComplaintEvent,
    ErrorEvent,
    KeyedValueEvent,
    MapEvent,
    SystemEvent,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Protocol

    from kernscope.output.events import Event
    from kernscope.output.symbolic import SymbolFacts
    from kernscope.runtime.maps import MapView

    class Controlled(Protocol):
        """What actions may do with a session."""

        maps: dict[str, MapView]
        facts: SymbolFacts

        def emit(self, event: Event) -> None: ...
        def flush(self) -> None: ...
        def report_error(self, event: ErrorEvent) -> None: ...
        def end_soon(self, exit_code: int) -> None: ...
        def learn_file(self, path: str, *key: int) -> None: ...
        def learn_mapping(
            self, pid: int, began_ns: int, start: int, end: int, offset: int, *key: int
        ) -> None: ...
        def learn_python_code(self, pid: int, number: int, address: int, sent: bytes) -> None: ...
        def unwatch(self, address: int, kinds: Sequence[object]) -> None: ...

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


def _complaint(record: Record, session: "Controlled") -> "Handler":
    """errorf() and warnf(): `text` is the format, `values` holds the severity."""
    text = _formatted(record, session)
    severity = str(record.values[0])
    return lambda session, data: session.emit(ComplaintEvent(severity, text(data), record.span))


def _cat(record: Record, session: "Controlled") -> "Handler":
    """cat(): `text` is the format of the file's name, `values` holds the most bytes to show."""
    name = _formatted(record, session)
    most = record.values[0]
    assert isinstance(most, int)

    def handle(session: "Controlled", data: bytes) -> None:
        path = name(data)
        try:
            with open(path, "rb") as file:
                content = file.read(most)
        except (OSError, ValueError) as failure:
            why = failure.strerror if isinstance(failure, OSError) else "not a file name"
            session.report_error(ErrorEvent(f"cannot read `{path}`: {why}", span=record.span))
            return
        session.emit(CatEvent(content.decode("utf-8", "surrogateescape")))

    return handle


def _system(record: Record, session: "Controlled") -> "Handler":
    """system(): `text` is the format of the command. The session waits for its end."""
    command = _formatted(record, session)

    def handle(session: "Controlled", data: bytes) -> None:
        import subprocess  # takes long to load

        line = command(data)
        session.flush()  # what was printed before is seen before the command's own output
        try:
            done = subprocess.run(["/bin/sh", "-c", line], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        except (OSError, ValueError) as failure:
            session.report_error(ErrorEvent(f"cannot run `{line}`: {failure}", span=record.span))
            return
        session.emit(SystemEvent(done.stdout.decode("utf-8", "surrogateescape")))
        if done.returncode:
            how = (
                f"exited with {done.returncode}"
                if done.returncode > 0
                else f"was ended by signal {-done.returncode}"
            )
            session.report_error(ErrorEvent(f"the command `{line}` {how}", span=record.span))

    return handle


def _unwatch(record: Record, session: "Controlled") -> "Handler":
    """unwatch(): the value is the address that is watched no more, `values` are the kinds of probes that do that."""
    values = record_decoder(record.types, session.facts, CONTROL_HEADER_BYTES)

    def handle(session: "Controlled", data: bytes) -> None:
        (address,) = values(data)
        assert isinstance(address, int)
        session.unwatch(address, record.values)

    return handle


def _mapping_met(record: Record, session: "Controlled") -> "Handler":
    """Code was met in a mapping of which nothing has been told: the values are the process and when it began, in
    nanoseconds since boot, the mapping's start, end, and offset in its file, and the file's device, inode number and
    version (`kernscope.tables.unwinding`).
    """
    values = record_decoder(record.types, session.facts, CONTROL_HEADER_BYTES)
    return lambda session, data: session.learn_mapping(*values(data))  # type: ignore[arg-type]


def _file_met(record: Record, session: "Controlled") -> "Handler":
    """Code was met in a file that is not known: the values are its device, inode number, version, and path."""
    values = record_decoder(record.types, session.facts, CONTROL_HEADER_BYTES)

    def handle(session: "Controlled", data: bytes) -> None:
        *key, path = values(data)
        assert isinstance(path, str)
        session.learn_file(path, *key)  # type: ignore[arg-type]

    return handle


def _python_code(record: Record, session: "Controlled") -> "Handler":
    """A function of CPython was met for the first time: the values are the process, the code object's number and
    address, and what was read of it then (`kernscope.tables.cpython`).
    """
    values = record_decoder(record.types, session.facts, CONTROL_HEADER_BYTES)

    def handle(session: "Controlled", data: bytes) -> None:
        pid, number, address, sent = values(data)
        assert isinstance(pid, int) and isinstance(number, int)
        assert isinstance(address, int) and isinstance(sent, bytes)
        session.learn_python_code(pid, number, address, sent)

    return handle


def _formatted(record: Record, session: "Controlled") -> "Callable[[bytes], str]":
    """The function from a record to the text that its format gives."""
    from kernscope.output.lines import printf_line

    line = printf_line(record, session.facts, None, CONTROL_HEADER_BYTES)
    return lambda data: line(data).decode("utf-8", "surrogateescape")


CONTROLS: "dict[str, Builder]" = {
    "cat": _cat,
    "clear": _clear,
    "complain": _complaint,
    "error": _error,
    "exit": _exit,
    "file_met": _file_met,
    "mapping_met": _mapping_met,
    "print_keyed": _print_keyed,
    "print_map": _print_map,
    "python_code": _python_code,
    "system": _system,
    "unwatch": _unwatch,
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
