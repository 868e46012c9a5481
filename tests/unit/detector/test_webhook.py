"""Alerts to a web server that answers, refuses, hangs, or is not there."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from made_alerts import alert

from kernscope.detector import sinks
from kernscope.detector.private_files import UnsafePath
from kernscope.detector.sinks.spool import SEGMENT_BYTES, Spool, SpoolFull
from kernscope.detector.sinks.webhook import WebhookSink


class Server:
    """On loopback; `answers` are the statuses of the next requests, 200 when there are no more."""

    def __init__(self, port: int = 0) -> None:
        self.answers: list[int] = []
        self.bodies: list[dict[str, object]] = []
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 5

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = outer.answers.pop(0) if outer.answers else 200
                if status < 300:
                    outer.bodies.append(json.loads(body))
                    outer.headers.append(dict(self.headers))
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "file:///etc/passwd")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/hook/secret-path?token=secret"
        threading.Thread(target=self._server.serve_forever, daemon=True, args=(0.02,)).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def rules(self) -> list[object]:
        return [body.get("rule", body.get("lost")) for body in self.bodies]


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


class Hook:
    """A webhook, and what it said."""

    def __init__(self, url: str, folder: Path, **more: object) -> None:
        self.told: list[str] = []
        self.sink = WebhookSink(
            url,
            spool=str(folder / "spool"),
            **{"first_wait_s": 0.01, "timeout_s": 5.0, **more},  # type: ignore[arg-type]
        )
        self.sink.tell = self.told.append

    def send(self, *rules: str) -> None:
        for number, rule in enumerate(rules, 1):
            self.sink.take(alert(rule), 1, 1, number)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not happen in 20 s"
        time.sleep(0.005)


def test_an_object_each_in_order(server: Server, tmp_path: Path) -> None:
    hook = Hook(server.url, tmp_path, headers={"Authorization": "Bearer secret"})
    hook.send(*(f"rule {n}" for n in range(50)))
    hook.sink.close()
    assert server.rules == [f"rule {n}" for n in range(50)]
    first = server.bodies[0]
    assert (first["id"], first["incident"], first["text"]) == (1, 1, "Warning: rule 0 happened")
    assert server.headers[0]["Authorization"] == "Bearer secret"
    assert server.headers[0]["Content-Type"] == "application/json"
    assert hook.told == [] and (hook.sink.written, hook.sink.failed) == (50, 0)


def test_hostile_names_and_huge_values(server: Server, tmp_path: Path) -> None:
    hook = Hook(server.url, tmp_path)
    hook.sink.take(alert("r", fd_name="a\r\n\udcffHost: x", **{f"x_{n}": "y" * 9999 for n in range(99)}), 1)
    hook.sink.close()
    [body] = server.bodies
    fields = body["fields"]
    assert isinstance(fields, dict) and fields["fd.name"] == "a\r\n\\xffHost: x" and body["cut"] is True


def test_what_fails_is_tried_again(server: Server, tmp_path: Path) -> None:
    server.answers = [500, 503, 429, 404, 302]
    hook = Hook(server.url, tmp_path)
    hook.send("a", "b")
    until(lambda: len(server.bodies) == 2)
    hook.sink.close()
    assert server.rules == ["a", "b"]
    name = "the webhook at http://127.0.0.1"
    assert hook.told[0] == f"{name} fails: it answers with status 500; what does not get there is counted"
    assert hook.told[1] == f"{name} works again; 0 alerts did not get there"
    assert "secret" not in "".join(hook.told)


def test_redirections_are_not_followed(server: Server, tmp_path: Path) -> None:
    server.answers = [302]
    hook = Hook(server.url, tmp_path)
    hook.send("a")
    until(lambda: bool(server.bodies))
    hook.sink.close()
    assert "it redirects (status 302), which is not followed" in hook.told[0]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_is_refused_for_good_does_not_hold_up_others(
    server: Server, tmp_path: Path, status: int
) -> None:
    server.answers = [status]
    hook = Hook(server.url, tmp_path)
    hook.send("a", "b")
    until(lambda: bool(server.bodies))
    hook.sink.close()
    assert server.rules == ["b"] and hook.sink.failed == 1
    assert f"it refuses alerts with status {status}" in hook.told[0]


def test_a_server_that_is_not_there_and_a_restart(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    hook = Hook(f"http://127.0.0.1:{port}/", tmp_path)
    hook.send("a", "b", "c")
    until(lambda: bool(hook.told))
    hook.sink.close()
    assert "Connection refused" in hook.told[0]
    assert hook.told[-1] == "3 alerts for the webhook at http://127.0.0.1 wait in its spool for the next run"
    server = Server(port)
    again = Hook(f"http://127.0.0.1:{port}/", tmp_path)
    assert again.sink.waiting <= 3
    again.send("d")
    until(lambda: len(server.bodies) == 4)
    again.sink.close()
    server.close()
    assert server.rules == ["a", "b", "c", "d"]


class Silent:
    """Accepts connections and does one thing with each."""

    def __init__(self, action: Callable[[socket.socket], None]) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/"
        self._kept: list[socket.socket] = []
        threading.Thread(target=self._serve, args=(action,), daemon=True).start()

    def _serve(self, action: Callable[[socket.socket], None]) -> None:
        while True:
            try:
                one, _ = self._listening.accept()
                self._kept.append(one)
                action(one)
            except OSError:
                return

    def close(self) -> None:
        self._listening.close()
        for one in self._kept:
            one.close()


def drip(one: socket.socket) -> None:
    """A header that never ends; each byte comes before the time-out of a step."""
    one.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        one.sendall(b"x")
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("action", "why"),
    [
        (lambda one: None, "does not answer in time"),
        (drip, "does not answer in time"),
        (lambda one: one.sendall(b"nonsense\r\n\r\n"), "no HTTP"),
        (lambda one: one.sendall(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000), "no HTTP"),
        (lambda one: one.shutdown(socket.SHUT_RDWR), "no HTTP"),
    ],
)
def test_a_server_that_hangs_or_talks_nonsense(
    tmp_path: Path, action: Callable[[socket.socket], None], why: str
) -> None:
    silent = Silent(action)
    hook = Hook(silent.url, tmp_path, timeout_s=0.2 if "in time" in why else 5.0)
    began = time.monotonic()
    hook.send(*("r" for _ in range(500)))
    assert time.monotonic() - began < 5  # taking waits for nothing
    until(lambda: bool(hook.told))
    assert why in hook.told[0] or "reset" in hook.told[0] or "Broken pipe" in hook.told[0]
    hook.sink.close()
    silent.close()
    assert hook.sink.written == 0 and "500 alerts" in hook.told[-1]


def test_a_spool_that_is_full(server: Server, tmp_path: Path) -> None:
    server.answers = [503] * 10_000
    hook = Hook(server.url, tmp_path, spool_bytes=20_000)
    hook.send(*("r" for _ in range(200)))
    kept = hook.sink.waiting
    assert 0 < kept < 200 and hook.sink.failed == 200 - kept
    assert sum(file.stat().st_size for file in (tmp_path / "spool").iterdir()) <= 20_016
    server.answers.clear()
    until(lambda: len(server.bodies) == kept + 1)
    hook.sink.close()
    # The server is told what it did not get.
    assert {"lost": 200 - kept}.items() <= next(b for b in server.bodies if "lost" in b).items()
    assert f"{200 - kept} alerts did not get there" in hook.told[-1]


def test_a_spool_that_cannot_be_written(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Spool, line: bytes) -> None:
        raise OSError(28, "No space left on device")

    hook = Hook(server.url, tmp_path)
    monkeypatch.setattr(Spool, "put", fail)
    monkeypatch.setattr("kernscope.detector.sinks.webhook.MOST_IN_MEMORY", 5)
    server.answers = [503] * 10_000
    hook.send(*(f"r{n}" for n in range(8)))
    assert hook.sink.failed == 3
    server.answers.clear()
    until(lambda: len(server.bodies) >= 5)
    hook.sink.close()
    assert [rule for rule in server.rules if isinstance(rule, str)] == ["r0", "r1", "r2", "r3", "r4"]


def test_tls_is_verified(server: Server, tmp_path: Path) -> None:
    """A server that speaks no TLS, or a certificate that nobody signed, gets nothing."""
    hook = Hook(server.url.replace("http:", "https:"), tmp_path)
    hook.send("a")
    until(lambda: bool(hook.told))
    hook.sink.close()
    assert server.bodies == []


def test_nothing_of_it_is_printed() -> None:
    kind = sinks.kind_named("webhook")
    assert "shown nowhere" in next(s.doc for s in kind.settings if s.name == "headers")


class TestSpool:
    def lines(self, spool: Spool) -> list[bytes]:
        found = []
        while (line := spool.first()) is not None:
            found.append(line)
            spool.done(line)
        return found

    def test_in_order_across_files_and_restarts(self, tmp_path: Path) -> None:
        spool = Spool(str(tmp_path / "s"), 10 << 20)
        wanted = [b"%d " % n + b"x" * 1000 for n in range(1000)]
        for line in wanted:
            spool.put(line)
        assert len(list((tmp_path / "s").glob("*.lines"))) == 1000 * 1005 // SEGMENT_BYTES + 1
        found = []
        for _ in range(400):
            line = spool.first()
            assert line is not None
            found.append(line)
            spool.done(line)
        spool.close()
        again = Spool(str(tmp_path / "s"), 10 << 20)
        assert again.waiting == 600
        again.put(b"last")
        assert found + self.lines(again) == [*wanted, b"last"]
        assert again.waiting == 0 and len(list((tmp_path / "s").glob("*.lines"))) <= 1
        again.close()

    def test_alternating(self, tmp_path: Path) -> None:
        spool = Spool(str(tmp_path / "s"), 1 << 20)
        for n in range(3000):  # far more than it may hold at once
            spool.put(b"%d " % n + b"y" * 1000)
            assert self.lines(spool) == [b"%d " % n + b"y" * 1000]
        assert sum(file.stat().st_size for file in (tmp_path / "s").iterdir()) < SEGMENT_BYTES + 2000
        spool.close()

    def test_a_line_without_an_end_is_left_out(self, tmp_path: Path) -> None:
        spool = Spool(str(tmp_path / "s"), 1 << 20)
        spool.put(b"whole")
        spool.close()
        [file] = (tmp_path / "s").glob("*.lines")
        file.write_bytes(file.read_bytes() + b"cu")
        again = Spool(str(tmp_path / "s"), 1 << 20)
        again.put(b"next")
        assert self.lines(again) == [b"whole", b"next"]
        again.close()

    def test_bounds(self, tmp_path: Path) -> None:
        spool = Spool(str(tmp_path / "s"), 1000)
        for _ in range(10):
            spool.put(b"x" * 99)
        with pytest.raises(SpoolFull):
            spool.put(b"")
        spool.close()

    def test_one_process_and_no_links(self, tmp_path: Path) -> None:
        spool = Spool(str(tmp_path / "s"), 1000)
        with pytest.raises(UnsafePath, match="another process uses the spool"):
            Spool(str(tmp_path / "s"), 1000)
        spool.close()
        (tmp_path / "s" / "position").unlink()
        (tmp_path / "s" / "position").symlink_to("/etc/passwd")
        with pytest.raises(UnsafePath, match="is a link"):
            Spool(str(tmp_path / "s"), 1000)
