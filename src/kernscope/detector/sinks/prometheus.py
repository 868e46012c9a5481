"""Counters for Prometheus, on loopback only: `http://127.0.0.1:PORT/metrics`."""

from __future__ import annotations

import ipaddress
import threading

from kernscope.detector.metrics import Metrics
from kernscope.detector.sinks.base import Setting, Sink, SinkError, SinkKind
from kernscope.detector.sinks.settings import number, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from http.server import HTTPServer

    from kernscope.detector.alert import Alert

__all__ = ["KIND", "PrometheusSink"]

DEFAULT_PORT = 9464
_TIMEOUT_S = 2.0
"""For a client to ask: there is one thread."""


class PrometheusSink(Sink):
    """Serves what `attach` gives it. Raises OSError where the port is taken.

    Attributes:
        port: which port it is.
    """

    def __init__(self, address: str = "127.0.0.1", port: int = DEFAULT_PORT) -> None:
        super().__init__(f"the Prometheus endpoint on port {port}")
        self._metrics = Metrics()
        self._server = _server(address, port, self._text)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="prometheus", daemon=True, kwargs={"poll_interval": 0.5}
        )
        self._thread.start()

    def attach(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def take(self, alert: Alert, incident: int, count: int = 1, number: int = 0) -> None:
        pass  # who attached the counters counts

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2 * _TIMEOUT_S)

    def _text(self) -> str:
        return self._metrics.text()


def _server(address: str, port: int, text: Callable[[], str]) -> HTTPServer:
    import socket
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        timeout = _TIMEOUT_S
        server_version = "kernscope"
        sys_version = ""

        def do_GET(self) -> None:
            # A page in a browser may reach loopback by a name of its own; we answer only to addresses.
            host = self.headers.get("Host", "").rpartition(":")[0].strip("[]")
            found, status = b"", 200
            if host not in ("localhost", address):
                status = 403
            elif self.path.partition("?")[0] != "/metrics":
                status = 404
            else:
                found = text().encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    class Server(HTTPServer):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

        def server_bind(self) -> None:
            # HTTPServer's own looks the host's name up, which may wait for a name server.
            import socketserver

            socketserver.TCPServer.server_bind(self)
            self.server_name, self.server_port = address, self.server_address[1]

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that goes away

    return Server((address, port), Handler)


def _loopback(value: object) -> str:
    address = text(value)
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        raise ValueError(f"is an address such as 127.0.0.1, not `{address}`") from None
    if not found.is_loopback:
        raise ValueError(f"is on loopback: `{address}` could be reached from outside")
    return address


def _make(values: Mapping[str, object]) -> PrometheusSink:
    port, address = values["port"], str(values["address"])
    assert isinstance(port, int)
    try:
        return PrometheusSink(address, port)
    except OSError as problem:
        raise SinkError(f"cannot listen on {address}, port {port}: {problem.strerror}", "port") from None


KIND = SinkKind(
    "prometheus",
    "counters for Prometheus, on loopback; off unless it is configured",
    [
        Setting("port", "the TCP port", number(1, 65535), DEFAULT_PORT),
        Setting("address", "the address, of loopback", _loopback, "127.0.0.1"),
    ],
    _make,
)
