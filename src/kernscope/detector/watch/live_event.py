"""An event as the rules see it: fields by name, worked out of a record and the tree of processes when asked for."""

from __future__ import annotations

from collections.abc import Mapping

from kernscope.tables.errno_names import errno_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kernscope.detector.watch.calls import WatchedCall
    from kernscope.detector.watch.processes import Process, ProcessTree

    Getter = Callable[["LiveEvent"], object]
    IndexedGetter = Callable[["LiveEvent", str], object]

__all__ = ["LiveEvent"]


class LiveEvent(Mapping[str, object]):
    """One event: a mapping of field names to values, None where a field is missing.

    Attributes:
        type: `evt.type`.
        number: counted from 1.
        time_ns: since 1970.
        began_ns: when watching began, since 1970.
        result: what the call returned; 0 for events that are no calls.
        arguments: the registers.
        raw: what the parts of the record said, see `parts`.
        comm, parent_comm: names at the time of the event, "" where the record has none.
        uid, gid: at the time of the event.
    """

    __slots__ = (
        *(
            "_known",
            "arguments",
            "began_ns",
            "call",
            "comm",
            "gid",
            "number",
            "parent_comm",
            "process",
            "raw",
        ),
        *("result", "tid", "time_ns", "tree", "type", "uid"),
    )

    def __init__(self, type: str, tree: ProcessTree, process: Process | None, time_ns: int) -> None:
        self.type, self.tree, self.process, self.time_ns = type, tree, process, time_ns
        self.number = self.began_ns = self.tid = 0
        self.result = 0
        self.call: WatchedCall | None = None
        self.arguments: Sequence[int] = ()
        self.raw: dict[str, object] = {}
        self.comm = process.comm if process is not None else ""
        above = process.parent if process is not None else None
        self.parent_comm = above.comm if above is not None else ""
        self.uid = process.uid if process is not None else 0
        self.gid = process.gid if process is not None else 0
        self._known: dict[str, object] = {}

    def get(self, key: str, default: object = None) -> object:
        """A field by its name; `default` where it is missing."""
        known = self._known
        if key in known:
            value = known[key]
        else:
            value = known[key] = self._find(key)
        return default if value is None else value

    def set(self, key: str, value: object) -> None:
        """Say what a field is, whatever the record says."""
        self._known[key] = value

    def __getitem__(self, key: str) -> object:
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.get(key) is not None

    def __iter__(self) -> Iterator[str]:
        """Names of all fields that have a value, ancestors' included."""
        from kernscope.detector.watch.live_fields import names_of

        return (name for name in names_of(self) if self.get(name) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _find(self, key: str) -> object:
        from kernscope.detector.watch.live_fields import DOTTED, FIELDS, INDEXED

        getter = FIELDS.get(key)
        if getter is not None:
            return getter(self)
        name, bracket, rest = key.partition("[")
        if bracket:
            indexed = INDEXED.get(name)
            return indexed(self, rest[:-1]) if indexed is not None else None
        for prefix, dotted in DOTTED.items():
            if key.startswith(prefix):
                return dotted(self, key[len(prefix) :])
        return None

    @property
    def result_text(self) -> str:
        return "SUCCESS" if self.result >= 0 else errno_name(-self.result)
