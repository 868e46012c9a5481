"""Where alerts go: what is written there, and that no process can forge it."""

import json
import os
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_alerts import INIT, NOW_NS, alert, process

from kernscope.detector import sinks
from kernscope.detector.alert import Alert
from kernscope.detector.metrics import Metrics
from kernscope.detector.sinks.journald import JournalSink
from kernscope.detector.sinks.jsonl import JsonLinesSink
from kernscope.detector.sinks.prometheus import PrometheusSink
from kernscope.detector.sinks.record import iso_time
from kernscope.detector.sinks.stdout import StdoutSink, alert_line
from kernscope.detector.sinks.syslog import SyslogSink
from kernscope.output.escape import escape_text

HOSTILE = 'x\n<0>forged\r\x1b[2J\udcff\u202e\u2028"]\\=\x00'


def hostile() -> Alert:
    chain = [process(5, HOSTILE, cmdline=HOSTILE, user=HOSTILE), INIT]
    output = escape_text(f"seen {HOSTILE}")  # as the engine makes it
    return alert("a rule", chain, output=output, tags=("T1",), fd_name=HOSTILE)


class TestMake:
    @pytest.mark.parametrize(
        ("settings", "key", "text"),
        [
            ({}, "kind", "needs a `kind`"),
            ({"kind": "jsnol"}, "kind", "did you mean `jsonl`?"),
            ({"kind": 5}, "kind", "there are stdout, jsonl"),
            ({"kind": "jsonl"}, "path", "needs `path`"),
            ({"kind": "jsonl", "path": "x"}, "path", "absolute path"),
            ({"kind": "jsonl", "path": "/x", "keeep": 1}, "keeep", "did you mean `keep`?"),
            ({"kind": "jsonl", "path": "/x", "keep": -1}, "keep", "from 0 to 100, not `-1`"),
            ({"kind": "jsonl", "path": "/x", "keep": True}, "keep", "whole number"),
            ({"kind": "jsonl", "path": "/x", "max_size": "12Q"}, "max_size", "a size such as"),
            ({"kind": "jsonl", "path": "/x", "max_size": 5}, "max_size", "at least 64K"),
            ({"kind": "jsonl", "path": "/tmp/x.jsonl"}, "path", "others may write to the folder"),
            ({"kind": "jsonl", "path": "/proc/none/x"}, "path", "cannot write"),
            ({"kind": "jsonl", "path": ["/x"]}, "path", "is a text of one line"),
            ({"kind": "jsonl", "path": "/x\ny"}, "path", "is a text of one line"),
            ({"kind": "syslog", "facility": "mail"}, "facility", "is one of user, daemon"),
            ({"kind": "syslog", "format": "rfc1"}, "format", "rfc5424, rfc3164"),
            ({"kind": "prometheus", "address": "0.0.0.0"}, "address", "could be reached from outside"),
            ({"kind": "prometheus", "address": "localhost"}, "address", "such as 127.0.0.1"),
            ({"kind": "prometheus", "port": 0}, "port", "from 1 to 65535"),
            ({"kind": "webhook"}, "url", "needs `url`"),
            ({"kind": "webhook", "url": "ftp://x/"}, "url", "http:// or https://"),
            ({"kind": "webhook", "url": "file:///etc/passwd"}, "url", "http:// or https://"),
            ({"kind": "webhook", "url": "https://"}, "url", "http:// or https://"),
            ({"kind": "webhook", "url": "https://x:99999/"}, "url", "no address"),
            ({"kind": "webhook", "url": "https://u:secret@x/"}, "url", "put them into `headers`"),
            ({"kind": "webhook", "url": "https://x/a b"}, "url", "%XX"),
            ({"kind": "webhook", "url": "https://x/", "headers": "x"}, "headers", "is a mapping"),
            (
                {"kind": "webhook", "url": "https://x/", "headers": {"a b": "x"}},
                "headers",
                "no header can have",
            ),
            (
                {"kind": "webhook", "url": "https://x/", "headers": {"A": "secret\nB: c"}},
                "headers",
                "value of `A`",
            ),
            (
                {"kind": "webhook", "url": "https://x/", "headers": {"Host": "y"}},
                "headers",
                "cannot set `Host`",
            ),
            ({"kind": "webhook", "url": "https://x/", "timeout": "-1"}, "timeout", "a time such as"),
            ({"kind": "webhook", "url": "https://x/", "spool": "/tmp"}, "spool", "others may write"),
            ({"kind": "webhook", "url": "https://x/", "ca_file": "/none"}, "ca_file", "no file"),
        ],
    )
    def test_what_is_wrong_is_named(self, settings: dict[str, object], key: str, text: str) -> None:
        with pytest.raises(sinks.SinkError) as wrong:
            sinks.make(settings)
        assert wrong.value.key == key and text in str(wrong.value)
        assert "secret" not in str(wrong.value)

    def test_every_kind_is_described(self) -> None:
        for name in sinks.KINDS:
            kind = sinks.kind_named(name)
            assert kind.name == name and kind.doc
            assert all(setting.doc and setting.name for setting in kind.settings)

    def test_a_port_that_is_taken(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(sinks.SinkError, match="cannot listen on") as wrong:
                sinks.make({"kind": "prometheus", "port": port})
        assert wrong.value.key == "port"


class TestJsonLines:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "logs" / "alerts.jsonl"

    def test_an_object_a_line(self, path: Path) -> None:
        sink = sinks.make({"kind": "jsonl", "path": str(path)})
        sink.take(alert("a", fd_name="/etc/shadow", tags=("T1",)), 3, 1, 7)
        sink.take(alert("a"), 3, 10, 7)
        sink.close()
        first, second = map(json.loads, path.read_text().splitlines())
        assert (first["id"], first["incident"], first["count"], first["rule"]) == (7, 3, 1, "a")
        assert (first["time"], first["time_ns"]) == (iso_time(NOW_NS), NOW_NS)
        assert first["fields"] == {"fd.name": "/etc/shadow"} and first["tags"] == ["T1"]
        assert [one["pid"] for one in first["process"]] == [1300, 1200, 810, 800, 1]
        assert second["count"] == 10
        assert (
            stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        )

    def test_no_line_is_forged(self, path: Path) -> None:
        sink = JsonLinesSink(str(path))
        sink.take(hostile(), 1)
        sink.close()
        [line] = path.read_bytes().splitlines()
        assert line.isascii() and line.decode().isprintable()
        # Readers in other languages refuse lone surrogates.
        assert json.loads(line)["fields"]["fd.name"] == HOSTILE.replace("\udcff", "\\xff")

    def test_surrogates_that_stand_for_no_byte(self, path: Path) -> None:
        sink = JsonLinesSink(str(path))
        sink.take(alert(fd_name="a\ud800b"), 1)
        sink.close()
        assert json.loads(path.read_bytes())["fields"]["fd.name"] == "a\\ud800b"

    def test_rotation(self, path: Path) -> None:
        sink = JsonLinesSink(str(path), max_bytes=2000, keep=2)
        for number in range(20):
            sink.take(alert(f"rule {number}"), 1)
            if number % 3 == 0:
                sink.flush()
        sink.close()
        files = sorted(path.parent.iterdir())
        assert [file.name for file in files] == ["alerts.jsonl", "alerts.jsonl.1", "alerts.jsonl.2"]
        assert all(file.stat().st_size <= 2000 for file in files)
        rules = [
            json.loads(line)["rule"] for file in reversed(files) for line in file.read_text().splitlines()
        ]
        assert rules == [f"rule {number}" for number in range(20)][-len(rules) :] and 3 <= len(rules) < 20
        assert sink.written == 20 and sink.failed == 0

    def test_a_file_that_others_rotate(self, path: Path) -> None:
        sink = JsonLinesSink(str(path))
        sink.take(alert("a"), 1)
        sink.flush()
        path.rename(path.with_suffix(".old"))
        sink.take(alert("b"), 1)
        sink.close()
        assert '"b"' in path.read_text() and '"a"' in path.with_suffix(".old").read_text()

    def test_a_line_that_was_cut_is_ended_first(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700)
        path.write_text('{"rule": "whole"}\n{"rule": "cu')
        sink = JsonLinesSink(str(path))
        sink.take(alert("next"), 1)
        sink.close()
        _, cut, line = path.read_text().splitlines()
        assert cut == '{"rule": "cu' and json.loads(line)["rule"] == "next"

    def test_links_are_not_followed(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700)
        (path.parent / "target").write_text("precious")
        path.symlink_to("target")
        with pytest.raises(sinks.SinkError, match="is a link"):
            sinks.make({"kind": "jsonl", "path": str(path)})
        assert (path.parent / "target").read_text() == "precious"

    def test_a_full_disk_leaves_whole_lines(self, path: Path) -> None:
        """In a process of its own, as its files may not grow beyond a limit."""
        script = f"""
import resource, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from made_alerts import alert
from kernscope.detector.sinks.jsonl import JsonLinesSink
sink = JsonLinesSink({str(path)!r})
sink.tell = lambda text: print(text)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
for number in range(50):
    sink.take(alert(f"rule {{number}}"), 1)
    sink.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
sink.take(alert("last"), 1)
sink.close()
print(sink.written, sink.failed)
"""
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        fails, works, counts = done.stdout.splitlines()
        written, failed = map(int, counts.split())
        rules = [json.loads(line)["rule"] for line in path.read_text().splitlines()]
        assert len(rules) == written and written + failed == 51 and rules[-1] == "last"
        assert "fails: File too large" in fails and f"works again; {failed} alerts did not get there" in works


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "socket"))
        made.settimeout(5)
        yield made


class TestSyslog:
    def test_rfc3164(self, receiver: socket.socket) -> None:
        sink = sinks.make({"kind": "syslog", "path": receiver.getsockname()})
        sink.take(alert("a rule", priority="critical", output="what"), 1, 10)
        message = receiver.recv(9000).decode()
        # authpriv is 10, critical is 2
        assert message.startswith("<82>") and message[4:7].isalpha()
        assert message[20:] == f"kernscope[{os.getpid()}]: Critical a rule: what [10 times]"
        sink.close()

    def test_rfc5424(self, receiver: socket.socket) -> None:
        sink = sinks.make(
            {"kind": "syslog", "path": receiver.getsockname(), "format": "rfc5424", "facility": "local7"}
        )
        sink.take(alert('a "rule]', priority="debug", output="what"), 3, 1, 9)
        message = receiver.recv(9000).decode()
        head, text = message.split("\ufeff")
        assert text == "what"
        # local7 is 23, debug is 7
        assert head.startswith(f"<191>1 {iso_time(NOW_NS)} ")
        data = '[kernscope@32473 rule="a \\"rule\\]" priority="debug" tags="" incident="3" id="9" count="1"] '
        assert head.endswith(f" kernscope {os.getpid()} alert {data}")
        sink.close()

    @pytest.mark.parametrize("format", ["rfc3164", "rfc5424"])
    def test_no_message_is_forged(self, receiver: socket.socket, format: str) -> None:
        sink = SyslogSink(receiver.getsockname(), format=format)
        sink.take(hostile(), 1)
        sink.take(alert("r" * 9000, output="o" * 20_000, tags=("t" * 5000,)), 1)
        for _ in range(2):
            message = receiver.recv(20_000)
            assert len(message) <= 8192
            assert message.decode().replace("\ufeff", "").isprintable()
        assert sink.written == 2
        sink.close()

    def test_a_daemon_that_is_not_there_or_starts_anew(self, tmp_path: Path) -> None:
        told: list[str] = []
        sink = SyslogSink(str(tmp_path / "log"))
        sink.tell = told.append
        sink.take(alert(), 1)
        sink.take(alert(), 1)
        assert (sink.failed, len(told)) == (2, 1) and "No such file" in told[0]
        for round in (1, 2):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
                daemon.bind(str(tmp_path / "log"))
                sink.take(alert(), 1)
                assert daemon.recv(9000)
            (tmp_path / "log").unlink()
            assert sink.written == round
        assert told[1:] == [f"syslog at `{tmp_path}/log` works again; 2 alerts did not get there"]
        sink.close()

    def test_a_daemon_that_takes_nothing(
        self, receiver: socket.socket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("kernscope.detector.sinks.syslog.SEND_S", 0.5)
        sink = SyslogSink(receiver.getsockname())
        began = time.monotonic()
        for _ in range(3000):
            sink.take(alert(), 1)
        assert sink.failed > 1000 and sink.written > 0
        assert time.monotonic() - began < 30  # it was waited for once
        while sink.failed + 1 > sink.written:
            receiver.recv(9000)
            sink.take(alert(), 1)
            if sink._problem == "":
                break
        assert sink._problem == ""
        sink.close()


class TestJournal:
    def test_fields(self, receiver: socket.socket) -> None:
        sink = JournalSink(receiver.getsockname())
        sink.take(alert("a rule", priority="error", output="what", tags=("T1", "T2")), 3, 1, 9)
        fields = dict(line.split("=", 1) for line in receiver.recv(99_999).decode().splitlines())
        assert json.loads(fields.pop("KERNSCOPE_JSON"))["rule"] == "a rule"
        assert fields == {
            "MESSAGE": "Error what",
            "PRIORITY": "3",
            "SYSLOG_IDENTIFIER": "kernscope",
            "KERNSCOPE_RULE": "a rule",
            "KERNSCOPE_TAGS": "T1,T2",
            "KERNSCOPE_INCIDENT": "3",
            "KERNSCOPE_ALERT": "9",
            "KERNSCOPE_COUNT": "1",
            "OBJECT_PID": "1300",
            "KERNSCOPE_EXE": "/usr/bin/cat",
            "KERNSCOPE_CMDLINE": "cat",
        }
        sink.close()

    def test_no_field_is_forged(self, receiver: socket.socket) -> None:
        sink = JournalSink(receiver.getsockname())
        sink.take(hostile(), 1)
        lines = receiver.recv(99_999).decode().split("\n")
        assert lines.pop() == ""
        names = [line.partition("=")[0] for line in lines]
        assert len(names) == len(set(names)) == 12 and all(line.isprintable() for line in lines)
        sink.close()


class TestStdout:
    def test_lines(self) -> None:
        reading, writing = os.pipe()
        gone: list[bool] = []
        sink = StdoutSink(writing, on_gone=lambda: gone.append(True))
        sink.take(alert("a", output="what"), 3, 1, 7)
        sink.take(alert("a", output="what"), 3, 1000, 7)
        sink.take(hostile(), 0)
        sink.close()
        first, second, third = os.read(reading, 9000).decode().splitlines()
        assert first == "Warning what [#7, incident 3]"
        assert second == "Warning what [#7, incident 3, 1,000 times]"
        assert third.startswith("Warning seen x\\x0a<0>forged\\x0d\\x1b[2J\\xff\\u202e")
        os.close(reading)
        sink.take(alert(), 1)
        sink.flush()
        sink.take(alert(), 1)
        sink.flush()
        assert sink.gone and gone == [True] and sink.failed == 2
        os.close(writing)

    def test_a_reader_that_does_not_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("kernscope.detector.sinks.stdout.PATIENCE_S", 0.01)
        monkeypatch.setattr("kernscope.detector.sinks.stdout.CLOSE_S", 0.01)
        monkeypatch.setattr("kernscope.detector.sinks.stdout.MOST_WAITING_BYTES", 100_000)
        told: list[str] = []
        reading, writing = os.pipe()
        sink = StdoutSink(writing)
        sink.tell = told.append
        for number in range(3000):
            sink.take(alert(f"rule {number}", output="x" * 80), 1, 1, number)
            sink.flush()
        assert told == ["standard output fails: nobody reads it; what does not get there is counted"]
        waiting = len(sink._lines)
        assert sink.written + waiting + sink.failed == 3000 and waiting > 900 and sink.failed > 900
        os.set_blocking(reading, False)
        data = b""
        for _ in range(100):
            try:
                data += os.read(reading, 1 << 20)
            except BlockingIOError:
                sink.flush()
        lines = data.decode().splitlines()
        assert len(lines) == 3000 - sink.failed and all(line.startswith("Warning xxx") for line in lines)
        assert [line[-16:] for line in lines[:2]] == [
            " [incident 1]"[-16:].rjust(16, "x"),
            "[#1, incident 1]",
        ]
        assert told[1] == f"standard output works again; {sink.failed} alerts did not get there"
        sink.close()
        os.close(reading)
        os.close(writing)

    def test_colours_are_those_of_priorities(self) -> None:
        assert (
            alert_line(alert(priority="critical", output="x"), 0, color=True) == "\x1b[1;31mCritical\x1b[0m x"
        )
        assert alert_line(alert(priority="debug", output="x"), 0, color=True) == "Debug x"

    def test_json(self, capfd: pytest.CaptureFixture[str]) -> None:
        sink = sinks.make({"kind": "stdout", "format": "json"})
        sink.take(alert("a"), 3)
        sink.flush()
        assert json.loads(capfd.readouterr().out)["rule"] == "a"


class TestPrometheus:
    @pytest.fixture
    def sink(self) -> Iterator[PrometheusSink]:
        made = PrometheusSink(port=0)
        yield made
        made.close()

    def get(self, sink: PrometheusSink, path: str = "/metrics", host: str = "") -> str:
        request = urllib.request.Request(f"http://127.0.0.1:{sink.port}{path}")
        if host:
            request.add_header("Host", host)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.read().decode())

    def test_counters(self, sink: PrometheusSink) -> None:
        metrics = Metrics()
        metrics.match('a "rule"\n')
        metrics.match("b")
        metrics.match("b")
        metrics.alerts["warning"] = 2
        metrics.lost = {"queue": 5}
        metrics.watch = lambda: {"events": 1000, "lost events": 3}
        for seconds in (0.0004, 0.02, 99):
            metrics.latency.add(seconds)
        sink.attach(metrics)
        lines = self.get(sink).splitlines()
        for line in (
            'kernscope_detect_matches_total{rule="a \\"rule\\"\\n"} 1',
            'kernscope_detect_matches_total{rule="b"} 2',
            'kernscope_detect_alerts_total{priority="warning"} 2',
            'kernscope_detect_lost_alerts_total{place="queue"} 5',
            "kernscope_detect_events_total 1000",
            "kernscope_detect_lost_events_total 3",
            'kernscope_detect_alert_latency_seconds_bucket{le="0.0005"} 1',
            'kernscope_detect_alert_latency_seconds_bucket{le="0.025"} 2',
            'kernscope_detect_alert_latency_seconds_bucket{le="10.0"} 2',
            'kernscope_detect_alert_latency_seconds_bucket{le="+Inf"} 3',
            "kernscope_detect_alert_latency_seconds_sum 99.020400",
            "kernscope_detect_alert_latency_seconds_count 3",
        ):
            assert line in lines
        assert lines.count("# TYPE kernscope_detect_matches_total counter") == 1

    def test_other_paths_and_hosts(self, sink: PrometheusSink) -> None:
        for path, host, status in (("/", "", 404), ("/metrics", "evil.example:80", 403)):
            with pytest.raises(urllib.error.HTTPError) as refused:
                self.get(sink, path, host)
            assert refused.value.code == status

    def test_a_client_that_says_nothing_holds_it_up_only_for_a_while(self, sink: PrometheusSink) -> None:
        with socket.create_connection(("127.0.0.1", sink.port)):
            assert "kernscope_detect_repeated_total 0" in self.get(sink)
