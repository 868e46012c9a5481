"""Alerts to a syslog daemon, over a Unix socket; formats of RFC 5424 and RFC 3164."""

from __future__ import annotations

import os
import socket
import time

from kernscope.detector.rules import PRIORITIES
from kernscope.detector.sinks.base import Setting, Sink, SinkKind
from kernscope.detector.sinks.record import cut, iso_time
from kernscope.detector.sinks.settings import choice, file_path
from kernscope.output.escape import escape_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from kernscope.detector.alert import Alert

__all__ = ["KIND", "DatagramSink", "SyslogSink", "severity"]

FACILITIES = ("user", "daemon", "auth", "authpriv", *(f"local{number}" for number in range(8)))
_NUMBERS = {"user": 1, "daemon": 3, "auth": 4, "authpriv": 10} | {f"local{n}": 16 + n for n in range(8)}
"""RFC 5424, 6.2.1."""
MOST_BYTES = 8192
"""Of a message: what rsyslog and syslog-ng take by default (RFC 5424, 6.1, asks for 2048)."""
SEND_S = 0.2
ENTERPRISE = "kernscope@32473"
"""A name of structured data; 32473 is the number for examples (RFC 5612)."""


def severity(priority: str) -> int:
    """0 to 7: Falco's priorities are those of syslog."""
    return PRIORITIES.index(priority) if priority in PRIORITIES else 5


class DatagramSink(Sink):
    """Messages to a Unix datagram socket, which may come and go."""

    def __init__(self, name: str, path: str) -> None:
        super().__init__(name)
        self._path = path
        self._socket: socket.socket | None = None

    def send(self, message: bytes) -> None:
        problem: OSError | None = None
        for _ in range(2):  # the daemon may have been started anew
            try:
                connected = self._connected()
                # A daemon that takes nothing is waited for once, and not for each message.
                connected.settimeout(0.0 if self._problem else SEND_S)
                connected.send(message)
                self._works()
                return
            except (TimeoutError, BlockingIOError):
                self._fails(1, "it takes nothing")
                return
            except OSError as error:
                problem = error
                self.close()
        assert problem is not None
        self._fails(1, problem.strerror or str(problem))

    def flush(self) -> None:
        pass

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        if self._socket is None:
            made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            try:
                made.connect(self._path)
            except BaseException:
                made.close()
                raise
            self._socket = made
        return self._socket


class SyslogSink(DatagramSink):
    """`format` is `rfc5424` or `rfc3164`."""

    def __init__(
        self, path: str = "/dev/log", *, facility: str = "authpriv", format: str = "rfc3164"
    ) -> None:
        super().__init__(f"syslog at `{path}`", path)
        self._facility = _NUMBERS[facility]
        self._modern = format == "rfc5424"

    def take(self, alert: Alert, incident: int, count: int = 1, number: int = 0) -> None:
        self.send(self.message(alert, incident, count, number))

    def message(self, alert: Alert, incident: int, count: int = 1, number: int = 0) -> bytes:
        """One datagram. Texts are escaped, so nothing in it can begin another message."""
        head = f"<{self._facility * 8 + severity(alert.priority)}>"
        process = os.getpid()
        text = escape_text(cut(alert.output)) + (f" [{count} times]" if count > 1 else "")
        if self._modern:
            data = {
                "rule": alert.rule,
                "priority": alert.priority,
                "tags": ",".join(alert.tags),
                "incident": incident,
            }
            data |= {"id": number, "count": count}
            pairs = " ".join(f'{key}="{_quoted(str(value))}"' for key, value in data.items())
            host = _token(socket.gethostname())
            head += f"1 {iso_time(alert.time_ns)} {host} kernscope {process} alert [{ENTERPRISE} {pairs}] "
            # RFC 5424, 6.4: UTF-8 is announced by a byte order mark.
            return _bounded(head + "\ufeff" + text)
        moment = time.localtime(alert.time_ns // 10**9)
        months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
        clock = f"{months[moment.tm_mon - 1]} {moment.tm_mday:2} {time.strftime('%H:%M:%S', moment)}"
        # On the local socket daemons expect no host name.
        rule = escape_text(cut(alert.rule, 200))
        line = f"{head}{clock} kernscope[{process}]: {alert.priority.capitalize()} {rule}: {text}"
        return _bounded(line)


def _bounded(message: str) -> bytes:
    """As UTF-8, cut between characters."""
    data = message.encode("utf-8", "replace")
    return data if len(data) <= MOST_BYTES else data[:MOST_BYTES].decode("utf-8", "ignore").encode()


def _quoted(text: str) -> str:
    """RFC 5424, 6.3.3: `"`, `\\` and `]` are escaped."""
    shown = escape_text(cut(text, 256))
    return shown.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _token(text: str) -> str:
    return "".join(c if "!" <= c <= "~" else "_" for c in text)[:255] or "-"


def _make(values: Mapping[str, object]) -> SyslogSink:
    return SyslogSink(str(values["path"]), facility=str(values["facility"]), format=str(values["format"]))


KIND = SinkKind(
    "syslog",
    "messages to a syslog daemon on this machine",
    [
        Setting("path", "the daemon's socket", file_path, "/dev/log"),
        Setting(
            "facility", "user, daemon, auth, authpriv or local0 to local7", choice(FACILITIES), "authpriv"
        ),
        Setting(
            "format",
            "rfc3164, which all daemons read, or rfc5424 with structured data",
            choice(("rfc5424", "rfc3164")),
            "rfc3164",
        ),
    ],
    _make,
)
