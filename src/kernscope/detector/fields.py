"""What events tell, by the names that Falco's rules use: one entry per field.

A field that a plain host does not have (of containers, of Kubernetes) is missing there: every comparison with it is
false, also `!=`, and an alert shows `<NA>`. Meaning and names: falco.org, "Supported Fields".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from kernscope.detector.field_table import ROWS

__all__ = ["FAMILIES", "FIELDS", "MOST_ANCESTORS", "FieldEntry", "find_field"]

MOST_ANCESTORS = 64
"""Of a process: what is kept, and how far a field of any ancestor looks."""

_NO_RUNTIME = "on a plain host there is no container runtime to ask"
_NO_KUBERNETES = "on a plain host there is no Kubernetes"
_NO_NAMES = "names of addresses are not looked up: who answers decides what is seen"
_NO_PLUGINS = "there are no plug-ins"
_NO_CONTENT = "what is read and written is not recorded"
_NO_LOGS = "logs are not read"
_WHY = {
    "runtime": _NO_RUNTIME,
    "kubernetes": _NO_KUBERNETES,
    "names": _NO_NAMES,
    "plugins": _NO_PLUGINS,
    "content": _NO_CONTENT,
    "logs": _NO_LOGS,
}
FAMILIES = (
    "evt",
    "syscall",
    "fd",
    "fs",
    "proc",
    "thread",
    "user",
    "group",
    "container",
    "k8s",
    "log",
    "rule",
    "anomaly",
    "window",
    "target",
    "watch",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldEntry:
    """One field.

    Attributes:
        type: text, path, words (text that set operators take apart at blanks), number, bool, address, network, port,
            bytes, any (as the event has it), list.
        argument: "" none; "optional" or "required" in brackets; "dotted": also as the rest of the name.
        several: what a comparison means where an event has several values: "any" of them.
        missing: why a plain host does not have it; empty where it does.
        constant: its value on a plain host where that is always the same; None otherwise.
        least: the lowest number it can have, or None.
        values: all values it can have; empty where that is open.
    """

    name: str
    type: str
    argument: str = ""
    several: bool = False
    missing: str = ""
    constant: str | None = None
    least: int | None = None
    doc: str

    @property
    def never(self) -> bool:
        """Whether it is in no event, wherever that was recorded."""
        return self.missing == _NO_LOGS

    @property
    def family(self) -> str:
        return self.name.split(".", 1)[0]


def _entry(row: str) -> FieldEntry:
    """From `name type flag,flag=value doc`; `-` is no flag."""
    name, type, flags, doc = row.split(None, 3)
    values: dict[str, object] = {}
    for flag in flags.split(",") if flags != "-" else ():
        key, _, value = flag.partition("=")
        if key in _WHY:
            values["missing"] = _WHY[key]
        elif key in ("optional", "required", "dotted"):
            values["argument"] = key
        elif key == "several":
            values["several"] = True
        elif key == "least":
            values["least"] = int(value)
        else:
            values[key] = value
    return FieldEntry(name=name, type=type, doc=doc, **values)  # type: ignore[arg-type]


FIELDS: dict[str, FieldEntry] = {
    entry.name: entry for entry in map(_entry, filter(None, map(str.strip, ROWS.splitlines())))
}


@cache
def find_field(name: str) -> FieldEntry | None:
    """The entry of a field by its name without brackets; `evt.arg.flags` is one of `evt.arg`."""
    entry = FIELDS.get(name)
    stem = name
    while entry is None and "." in stem:
        stem = stem.rpartition(".")[0]
        found = FIELDS.get(stem)
        entry = found if found is not None and found.argument == "dotted" else None
    return entry
