"""Where alerts go besides the store. `KINDS` is the table of what there is; `make` makes one from settings.

base.py        what sinks share
record.py      an alert as a bounded JSON object
text.py        lines for people on a descriptor
jsonl.py       JSON lines in a file that is rotated
syslog.py      RFC 5424 and RFC 3164 over /dev/log
journald.py    journald's own socket
webhook.py     HTTP, with retries and a spool
prometheus.py  counters on loopback
"""

from __future__ import annotations

from importlib import import_module

from kernscope.detector.sinks.base import AlertSink, Setting, Sink, SinkError, SinkKind
from kernscope.diagnostics import suggest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KINDS", "AlertSink", "Setting", "Sink", "SinkError", "SinkKind", "kind_named", "make"]

KINDS = ("stdout", "jsonl", "syslog", "journald", "webhook", "prometheus")
"""Each is the module of that name, with its entry in `KIND`; imported when it is used."""


def kind_named(name: str) -> SinkKind:
    """Raises SinkError where there is none."""
    if name not in KINDS:
        near = suggest(name, KINDS)
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(KINDS)}"
        raise SinkError(f"there is no kind of sink `{name}`; {hint}", "kind")
    kind = import_module(f"kernscope.detector.sinks.{name}").KIND
    assert isinstance(kind, SinkKind)
    return kind


def make(settings: Mapping[str, object]) -> AlertSink:
    """The sink that `{"kind": "jsonl", "path": …}` describes.

    Raises SinkError, whose `key` is the setting that is wrong. What it names must be there or can be made: a folder, a
    port; a webhook's server need not answer yet.
    """
    if "kind" not in settings:
        raise SinkError(f"a sink needs a `kind`: {', '.join(KINDS)}", "kind")
    kind = kind_named(str(settings["kind"]))
    known = {setting.name: setting for setting in kind.settings}
    for key in settings:
        if key != "kind" and key not in known:
            near = suggest(str(key), known)
            hint = f"did you mean `{near}`?" if near else f"it has {', '.join(known) or 'none'}"
            raise SinkError(f"a sink of kind `{kind.name}` has no setting `{key}`; {hint}", str(key))
    values: dict[str, object] = {}
    for name, setting in known.items():
        given = settings.get(name)
        if given is None and setting.needed:
            raise SinkError(f"a sink of kind `{kind.name}` needs `{name}`: {setting.doc}", name)
        given = setting.default if given is None else given
        if given is None:
            values[name] = None
            continue
        try:
            values[name] = setting.read(given)
        except ValueError as problem:
            raise SinkError(f"`{name}` {problem}", name) from None
    return kind.make(values)
