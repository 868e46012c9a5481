"""Alerts to a web server: each a POST with a JSON object, in their order, with retries and a spool on disk.

A thread of its own delivers, so a server that hangs holds up nothing. An alert that the server refuses for what it is
(400, 413, 415, 422) is counted as lost; whatever else goes wrong is tried again, ever more slowly. Redirections are not
followed: they could lead secrets of headers elsewhere. Messages never hold more of the address than the server's name,
since paths and queries are often secrets.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from urllib.parse import SplitResult, urlsplit

from kernscope.detector.private_files import UnsafePath, state_folder
from kernscope.detector.sinks.base import Setting, Sink, SinkError, SinkKind
from kernscope.detector.sinks.record import alert_object, cut, json_line
from kernscope.detector.sinks.settings import duration_s, file_path, headers, size_bytes, text
from kernscope.detector.sinks.spool import Spool, SpoolFull

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from http.client import HTTPConnection
    from socket import socket

    from kernscope.detector.alert import Alert

__all__ = ["KIND", "WebhookSink"]

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 300.0
CLOSE_S = 3.0
"""How long the end of watching waits for what is not delivered."""
MOST_IN_MEMORY = 1000
"""Lines that found no place in the spool."""
_REFUSED_FOR_GOOD = (400, 413, 415, 422)
_MOST_ANSWER = 64 << 10
_LATE = "it does not answer in time"


class _TryAgain(Exception):
    """It was not delivered now; `wait_s` is what the server asks for."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class _Refused(Exception):
    """The server will never take it."""


class WebhookSink(Sink):
    """Raises UnsafePath, OSError where the spool cannot be used.

    Args:
        url: http or https; certificates are verified, by the system's authorities or those in `ca_file`.
        headers: more headers, such as Authorization.
        timeout_s: for each step of a request; a whole one has three times as long.
    """

    def __init__(
        self,
        url: str,
        *,
        spool: str,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 10.0,
        spool_bytes: int = 16 << 20,
        ca_file: str = "",
        first_wait_s: float = FIRST_WAIT_S,
    ) -> None:
        self._url: SplitResult = urlsplit(url)
        super().__init__(f"the webhook at {self._url.scheme}://{self._url.hostname}")
        self._headers = {
            **(headers or {}),
            "Content-Type": "application/json",
            "User-Agent": "kernscope",
        }
        self._timeout_s, self._ca_file, self._first_wait_s = timeout_s, ca_file, first_wait_s
        self._spool = Spool(spool, spool_bytes)
        self._memory: deque[bytes] = deque()
        self._unsaid = 0  # losses that the server was not told of
        self._changed = threading.Condition()
        self._stop = False
        self._connection: HTTPConnection | None = None
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Alerts that are not delivered."""
        with self._changed:
            return self._spool.waiting + len(self._memory)

    def take(self, alert: Alert, incident: int, count: int = 1, number: int = 0) -> None:
        found = alert_object(alert, incident, count, number)
        times = f" ({count} times)" if count > 1 else ""
        found["text"] = cut(f"{alert.priority.capitalize()}: {found['output']}{times}", 2000)
        line = json_line(found)
        with self._changed:
            self._put(line)
            self._changed.notify()

    def _put(self, line: bytes) -> None:
        """On disk, or where that cannot be written in memory."""
        try:
            self._spool.put(line)
            return
        except SpoolFull:
            why = "its spool is full"
        except (UnsafePath, OSError) as problem:
            if len(self._memory) < MOST_IN_MEMORY:
                self._memory.append(line)
                return
            why = f"its spool cannot be written: {problem}"
        self._unsaid += 1
        self._fails(1, why)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        """Wait a little for what is not delivered; what is in the spool then is delivered by the next run."""
        with self._changed:
            self._stop = True
            self._changed.notify()
        self._thread.join(CLOSE_S)
        with self._changed:
            if self._memory:
                self._fails(len(self._memory), "watching ended before they were delivered")
            if self._spool.waiting:
                self.tell(f"{self._spool.waiting} alerts for {self.name} wait in its spool for the next run")
            if not self._thread.is_alive():
                self._hang_up()
                self._spool.close()

    # ── the thread ──

    def _run(self) -> None:
        wait_s = 0.0
        while True:
            with self._changed:
                line, from_spool = self._next()
                while line is None and not self._stop:
                    self._changed.wait()
                    line, from_spool = self._next()
                if line is None:
                    return
                if wait_s:
                    until = time.monotonic() + wait_s * random.uniform(0.8, 1.2)
                    while not self._stop and (left := until - time.monotonic()) > 0:
                        self._changed.wait(left)
            try:
                self._post(line)
                lost = False
            except _TryAgain as problem:
                with self._changed:
                    self._fails(0, str(problem))
                    if self._stop:
                        return  # one attempt after the end
                wait_s = min(LONGEST_WAIT_S, max(problem.wait_s, wait_s * 2 or self._first_wait_s))
                continue
            except _Refused as problem:
                lost = True
                with self._changed:
                    self._fails(1, str(problem))
            wait_s = 0.0
            with self._changed:
                self._done(line, from_spool, lost)

    def _next(self) -> tuple[bytes | None, bool]:
        if self._unsaid and not self._problem:
            lost = {
                "lost": self._unsaid,
                "text": f"{self._unsaid} alerts found no room in the spool and are lost",
            }
            return json_line(lost), False
        try:
            line = self._spool.first()
        except (OSError, UnsafePath) as problem:
            self._fails(0, f"its spool cannot be read: {problem}")
            line = None
        if line is not None:
            return line, True
        return (self._memory[0] if self._memory else None), False

    def _done(self, line: bytes, from_spool: bool, lost: bool) -> None:
        if from_spool:
            self._spool.done(line)
        elif self._memory and self._memory[0] is line:
            self._memory.popleft()
        else:
            self._unsaid = 0  # it was the line that says how many were lost
            return
        if not lost:
            self._works()

    def _post(self, line: bytes) -> None:
        """Raises _TryAgain, _Refused."""
        kept = self._connection is not None
        try:
            self._answer(line)
            return
        except _TryAgain:
            self._hang_up()
            if not kept:
                raise
        # The server may have closed a connection that was kept from the request before.
        try:
            self._answer(line)
        except _TryAgain:
            self._hang_up()
            raise

    def _answer(self, line: bytes) -> None:
        from http.client import HTTPException

        timer, late = None, threading.Event()
        try:
            connection = self._connected()
            assert connection.sock is not None
            timer = threading.Timer(3 * self._timeout_s, _shut, [connection.sock, late])
            timer.daemon = True
            timer.start()
            target = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
            connection.request("POST", target, line, self._headers)
            answer = connection.getresponse()
            rest = answer.read(_MOST_ANSWER)
            status, wish = answer.status, answer.getheader("Retry-After") or ""
            if len(rest) == _MOST_ANSWER or answer.will_close:
                self._hang_up()
        except (OSError, HTTPException, ValueError) as problem:
            raise _TryAgain(_LATE if late.is_set() else _words(problem)) from None
        finally:
            if timer is not None:
                timer.cancel()
        if late.is_set():  # what came by then may be half an answer
            raise _TryAgain(_LATE)
        if 200 <= status < 300:
            return
        if status in _REFUSED_FOR_GOOD:
            raise _Refused(f"it refuses alerts with status {status}")
        if 300 <= status < 400:
            raise _TryAgain(f"it redirects (status {status}), which is not followed: give the final address")
        raise _TryAgain(f"it answers with status {status}", float(wish) if wish.isdecimal() else 0.0)

    def _connected(self) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection

        if self._connection is None:
            host, port = self._url.hostname or "", self._url.port
            if self._url.scheme == "https":
                import ssl

                context = ssl.create_default_context(cafile=self._ca_file or None)
                made: HTTPConnection = HTTPSConnection(host, port, timeout=self._timeout_s, context=context)
            else:
                made = HTTPConnection(host, port, timeout=self._timeout_s)
            made.connect()
            self._connection = made
        return self._connection

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _shut(sock: socket, late: threading.Event) -> None:
    """End a request that takes too long."""
    from socket import SHUT_RDWR

    late.set()
    try:  # noqa: SIM105
        sock.shutdown(SHUT_RDWR)
    except OSError:
        pass


def _words(problem: Exception) -> str:
    """Without what the server said: it may be anything."""
    if isinstance(problem, TimeoutError):
        return _LATE
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return f"its answer is no HTTP ({type(problem).__name__})"


def _address(value: object) -> str:
    url = text(value)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("is no address of a web server") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError("is an address that begins with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user or password: put them into `headers`, as Authorization")
    if not url.isascii() or " " in url:
        raise ValueError("has characters that must be written as %XX")
    return url


def _make(values: Mapping[str, object]) -> WebhookSink:
    import hashlib
    import os

    url, timeout, room = values["url"], values["timeout"], values["spool_size"]
    given, ca_file = values["headers"], str(values["ca_file"] or "")
    assert isinstance(url, str) and isinstance(timeout, float) and isinstance(room, int)
    assert isinstance(given, dict)
    if ca_file and not os.path.isfile(ca_file):
        raise SinkError(f"there is no file `{ca_file}`", "ca_file")
    name = f"webhook-{hashlib.sha256(url.encode()).hexdigest()[:12]}"
    spool = str(values["spool"] or os.path.join(state_folder(), name))
    try:
        return WebhookSink(
            url, spool=spool, headers=given, timeout_s=timeout, spool_bytes=room, ca_file=ca_file
        )
    except UnsafePath as problem:
        raise SinkError(str(problem), "spool", problem.help) from None
    except OSError as problem:
        raise SinkError(f"cannot use the spool `{spool}`: {problem.strerror}", "spool") from None


KIND = SinkKind(
    "webhook",
    "POST requests with a JSON object each",
    [
        Setting("url", "where to: http or https", _address, needed=True),
        Setting(
            "headers", "more headers, such as Authorization; their values are shown nowhere", headers, {}
        ),
        Setting("timeout", "how long the server may take for each step", duration_s, "10s"),
        Setting("spool", "folder for what is not delivered; by default beside the store", file_path),
        Setting("spool_size", "how large it may grow; what finds no room is counted", size_bytes, "16M"),
        Setting("ca_file", "certificates of the authorities to trust instead of the system's", file_path),
    ],
    _make,
)
