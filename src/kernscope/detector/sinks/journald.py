"""Alerts to journald by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): fields, not text that is parsed.

Values with line ends are sent with their length, so a field cannot be forged by one.
"""

from __future__ import annotations

from kernscope.detector.sinks.base import Setting, SinkKind
from kernscope.detector.sinks.record import alert_object, cut, json_line
from kernscope.detector.sinks.settings import file_path
from kernscope.detector.sinks.syslog import DatagramSink, severity
from kernscope.output.escape import escape_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from kernscope.detector.alert import Alert

__all__ = ["KIND", "JournalSink"]

SOCKET = "/run/systemd/journal/socket"


class JournalSink(DatagramSink):
    """Each alert is an entry: MESSAGE, PRIORITY and fields named KERNSCOPE_…"""

    def __init__(self, path: str = SOCKET) -> None:
        super().__init__("journald", path)

    def take(self, alert: Alert, incident: int, count: int = 1, number: int = 0) -> None:
        self.send(self.message(alert, incident, count, number))

    def message(self, alert: Alert, incident: int, count: int = 1, number: int = 0) -> bytes:
        """One datagram."""
        first = alert.process[0] if alert.process else {}
        times = f" [{count} times]" if count > 1 else ""
        fields: dict[str, object] = {
            "MESSAGE": f"{alert.priority.capitalize()} {cut(alert.output)}{times}",
            "PRIORITY": severity(alert.priority),
            "SYSLOG_IDENTIFIER": "kernscope",
            "KERNSCOPE_RULE": alert.rule,
            "KERNSCOPE_TAGS": ",".join(alert.tags),
            "KERNSCOPE_INCIDENT": incident,
            "KERNSCOPE_ALERT": number,
            "KERNSCOPE_COUNT": count,
            "OBJECT_PID": first.get("pid"),
            "KERNSCOPE_EXE": first.get("exe"),
            "KERNSCOPE_CMDLINE": first.get("cmdline"),
        }
        body = json_line(alert_object(alert, incident, count, number))
        parts = [
            _field(name, escape_text(cut(str(value)))) for name, value in fields.items() if value is not None
        ]
        parts.append(_field("KERNSCOPE_JSON", body.decode("ascii")))
        return b"".join(parts)


def _field(name: str, value: str) -> bytes:
    data = value.encode("utf-8", "backslashreplace")
    if b"\n" in data:
        return name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"
    return name.encode() + b"=" + data + b"\n"


def _make(values: Mapping[str, object]) -> JournalSink:
    return JournalSink(str(values["path"]))


KIND = SinkKind(
    "journald",
    "entries in the journal, with the alert's fields",
    [Setting("path", "journald's socket", file_path, SOCKET)],
    _make,
)
