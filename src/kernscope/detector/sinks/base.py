"""What sinks share: their settings, their errors, and counting what could not be delivered."""

from __future__ import annotations

from typing import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kernscope.detector.alert import Alert
    from kernscope.detector.metrics import Metrics

__all__ = ["AlertSink", "Setting", "Sink", "SinkError", "SinkKind"]


class SinkError(Exception):
    """A sink cannot be made; `key` is the setting that is wrong, empty where it is none."""

    def __init__(self, message: str, key: str = "", help: str = "") -> None:
        super().__init__(message)
        self.key, self.help = key, help


class AlertSink(Protocol):
    """Where alerts go. Its methods raise nothing and do not wait for long; what cannot be delivered is counted."""

    def take(self, alert: Alert, incident: int, count: int = 1, number: int = 0) -> None:
        """An alert, or that it came `count` times by now. `number` is its number in the store, 0 without one."""

    def flush(self) -> None: ...

    def close(self) -> None: ...


class Sink:
    """What sinks have in common.

    Attributes:
        name: for messages; without secrets.
        written, failed: alerts that were delivered, and that were lost.
        tell: takes sentences about what goes wrong, each once, and that it is over.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.written = self.failed = 0
        self.tell: Callable[[str], None] = lambda text: None
        self._problem = ""
        self._failed_since = 0

    def attach(self, metrics: Metrics) -> None:
        """Called once with the detector's counters."""

    def _works(self, count: int = 1) -> None:
        self.written += count
        if self._problem:
            self._problem = ""
            self.tell(f"{self.name} works again; {self._failed_since} alerts did not get there")
            self._failed_since = 0

    def _fails(self, count: int, why: str) -> None:
        self.failed += count
        self._failed_since += count
        if not self._problem:
            self.tell(f"{self.name} fails: {why}; what does not get there is counted")
        self._problem = why


class Setting:
    """One key of a sink's settings.

    Args:
        name, doc: the key, and one line.
        read: makes the value from what a YAML file has; raises ValueError with a message for people.
        default: what is read where it is not given; None for nothing.
        needed: it must be given.
    """

    __slots__ = ("default", "doc", "name", "needed", "read")

    def __init__(
        self,
        name: str,
        doc: str,
        read: Callable[[object], object],
        default: object = None,
        *,
        needed: bool = False,
    ) -> None:
        self.name, self.doc, self.read, self.default, self.needed = name, doc, read, default, needed


class SinkKind:
    """One kind of sink: its name in settings, what it is, its keys, and what makes one from their values."""

    __slots__ = ("doc", "make", "name", "settings")

    def __init__(
        self,
        name: str,
        doc: str,
        settings: Sequence[Setting],
        make: Callable[[Mapping[str, object]], AlertSink],
    ) -> None:
        self.name, self.doc, self.settings, self.make = name, doc, settings, make
