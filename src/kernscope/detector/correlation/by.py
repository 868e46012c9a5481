"""`by`: whose matches a rule counts together. One entry per word; any field will do as well."""

from __future__ import annotations

from kernscope.detector.alert import ancestry
from kernscope.detector.evaluate import Event, operand_value
from kernscope.detector.incidents import starts_sessions, tree_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kernscope.detector.conditions import Operand
    from kernscope.detector.watch.processes import Process

__all__ = ["KEYS", "Key", "field_key", "identity", "key_getter", "key_text", "value_text"]

_MOST_CHARACTERS = 128
"""Of a text that is kept as it is; longer ones are kept as their digest."""


class Key:
    """A word or a field that events are told apart by.

    Attributes:
        name: as written in a rule.
        fields: what events must have for it, so that they can be asked for.
        get: the value for an event, something hashable; None where the event has none.
        is_process: whether the value is a process's number and start.
    """

    __slots__ = ("doc", "fields", "get", "is_process", "name")

    def __init__(
        self,
        name: str,
        fields: tuple[str, ...],
        get: Callable[[Event], object],
        doc: str = "",
        *,
        is_process: bool = False,
    ) -> None:
        self.name, self.fields, self.get, self.doc = name, fields, get, doc
        self.is_process = is_process


def _process(event: Event) -> object:
    pid = event.get("proc.pid")
    return None if pid is None else (pid, event.get("proc.pid.ts"))


def _tree(event: Event) -> object:
    """As incidents are made: the highest process below what starts sessions, services and jobs."""
    process = getattr(event, "process", None)
    if process is not None:
        return _root_of(process)
    root = tree_root(ancestry(event))
    return None if root is None else (root["pid"], root["start_ns"])


def _root_of(process: Process) -> tuple[int, int]:
    """The same of a live process, without asking for a dozen fields of each ancestor."""
    chain = [process, *process.ancestors()]
    while len(chain) > 1 and starts_sessions(chain[-1].pid, chain[-1].exe, chain[-1].comm):
        chain.pop()
    return chain[-1].pid, chain[-1].start_ns


def _first_of(*names: str) -> Callable[[Event], object]:
    def get(event: Event) -> object:
        for name in names:
            value = event.get(name)
            if value is not None:
                return value
        return None

    return get


def _address(event: Event) -> object:
    remote = event.get("fd.rip")
    if remote is not None:
        return remote
    return event.get("fd.cip" if event.get("fd.is_server") else "fd.sip")


_ANCESTRY = ("proc.pid", "proc.ppid", "proc.pname", "proc.apid", "proc.aname")
KEYS: dict[str, Key] = {
    key.name: key
    for key in (
        Key("process", ("proc.pid", "proc.pid.ts"), _process, "the process", is_process=True),
        Key(
            "process tree",
            _ANCESTRY,
            _tree,
            "the process and its relatives: all below one login, job or service",
            is_process=True,
        ),
        Key(
            "executable",
            ("proc.exepath", "proc.exe"),
            _first_of("proc.exepath", "proc.exe"),
            "the executable",
        ),
        Key("user", ("user.uid", "user.name"), _first_of("user.uid", "user.name"), "the user"),
        Key(
            "address",
            ("fd.rip", "fd.cip", "fd.sip", "fd.is_server"),
            _address,
            "the other side's address",
        ),
    )
}


def field_key(name: str, operand: Operand, fields: tuple[str, ...]) -> Key:
    """The key that a field is, perhaps transformed."""
    return Key(name, fields, lambda event: operand_value(operand, event))


def key_getter(keys: list[Key]) -> Callable[[Event], object]:
    """One value for several keys; None where one of them is missing."""
    if len(keys) == 1:
        get = keys[0].get
        return lambda event: identity(get(event))
    getters = [key.get for key in keys]

    def get_all(event: Event) -> object:
        values = []
        for get in getters:
            value = identity(get(event))
            if value is None:
                return None
            values.append(value)
        return tuple(values)

    return get_all


def identity(value: object) -> object:
    """Something small and hashable that is equal only where the value is."""
    if isinstance(value, list | tuple):
        return tuple(identity(one) for one in value)
    if isinstance(value, str | bytes) and len(value) > _MOST_CHARACTERS:
        from hashlib import blake2b

        raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
        return blake2b(raw, digest_size=16).digest()
    return value


def key_text(keys: list[Key], value: object) -> str:
    """What `key_getter` gave, for people: of processes the number."""
    values = [value] if len(keys) == 1 else list(value) if isinstance(value, tuple) else []
    texts = [
        str(one[0]) if key.is_process and isinstance(one, tuple) else value_text(one)
        for key, one in zip(keys, values)
    ]
    return " ".join(texts)


def value_text(value: object) -> str:
    """An identity for people; a digest stands for a long text."""
    if isinstance(value, tuple):
        return ",".join(map(value_text, value))
    return value.hex() if isinstance(value, bytes) else str(value)
