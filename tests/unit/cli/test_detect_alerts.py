"""`kernscope detect alerts` and `detect tune`, on a store that was written before."""

import csv
import io
import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_alerts import CRON, INIT, alert, process, session

from kernscope.cli import main
from kernscope.detector.delivery import Delivery
from kernscope.detector.store import Store

HOSTILE = "x\n\x1b[31mforged\udcff\u202e"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    path = str(tmp_path / "state" / "alerts.db")
    delivery = Delivery(Store(path))
    shell = session(process(1300, "sh", cmdline="sh -c id"))
    for at in range(12):
        delivery.take(alert("Read of a password file", at_s=at, fd_name="/etc/shadow", tags=("T1003",)))
    delivery.take(
        alert("Reverse shell", shell, priority="critical", at_s=13, output="a shell", fd_sip="203.0.113.9")
    )
    odd = [process(1400, HOSTILE, exe=f"/tmp/{HOSTILE}", cmdline=HOSTILE, user="alice"), INIT]
    delivery.take(alert("Odd", odd, priority="notice", at_s=14, output="=cmd()", fd_name=HOSTILE))
    for number in range(12):
        chain = [process(3001 + 10 * number, "backup"), CRON, INIT]
        delivery.take(alert("Backup", chain, at_s=20 + number, fd_name="/etc/shadow"))
    delivery.close()
    yield path


class Said:
    def __init__(self, capfd: pytest.CaptureFixture[str], store: str) -> None:
        self._capfd, self._store = capfd, store

    def __call__(self, *words: str, code: int = 0, command: str = "alerts") -> str:
        assert main(["detect", command, *words, "--store", self._store]) == code
        self.out, self.err = self._capfd.readouterr()
        return self.out


@pytest.fixture
def said(store: str, capfd: pytest.CaptureFixture[str]) -> Said:
    return Said(capfd, store)


def test_the_list(said: Said) -> None:
    head, *lines = said("-n", "14").splitlines()
    assert head.split() == ["ID", "TIME", "PRIORITY", "INC", "ALERT"]
    assert len(lines) == 14
    assert lines[0].split()[0::2] == ["2", "critical", "a"] or lines[0].split()[2] == "critical"
    assert said.err == "note: 1 older ones are not shown; `--last 15` shows all\n"
    assert (
        said("--rule", "password")
        .splitlines()[1]
        .endswith("warning     1  12× Read of a password file happened")
    )
    assert said.err == ""
    assert said("--text", "nothing like it") == "" and said.err == "no alerts fit\n"


def test_no_line_is_forged(said: Said) -> None:
    for words in (
        [],
        ["show", "3"],
        ["incidents"],
        ["-f", "csv"],
        ["-f", "json"],
        ["incidents", "-f", "csv"],
    ):
        text = said(*words)
        assert text.replace("\n", "").isprintable()
        assert not any(line.startswith(("\x1b", "forged")) for line in text.splitlines())


def test_one_alert_with_all_that_is_known(said: Said) -> None:
    text = said("show", "2")
    for part in (
        "alert 2: Reverse shell\n  critical, 20",
        "\n  a shell\n",
        "  1 systemd  [root, /usr/lib/systemd/systemd]\n   800 sshd",
        "      1300 sh -c id  [root, /usr/bin/sh]\n",
        "  fd.sip  203.0.113.9\n",
        "incident 1 of bash (1200): 13 alerts, ",
        "12× Read of a password file\n>  2  ",
    ):
        assert part in text, part
    found = json.loads(said("show", "#2", "-f", "json"))
    assert (found["rule"], found["fields"], found["process"][0]["cmdline"]) == (
        *("Reverse shell", {"fd.sip": "203.0.113.9"}),
        "sh -c id",
    )
    assert found["incident"]["rules"] == ["Reverse shell", "Read of a password file"]
    assert [(one["id"], one["count"]) for one in found["incident"]["timeline"]] == [(1, 12), (2, 1)]


def test_incidents(said: Said) -> None:
    head, first, *_ = said("incidents", "--text", "shell").splitlines()
    assert head.split() == ["ID", "FIRST", "LAST", "ALERTS", "PRIORITY", "PROCESS", "RULES"]
    assert first.split()[3:] == [
        "13",
        "critical",
        "bash",
        "(1200)",
        "Reverse",
        "shell,",
        *"Read of a password file".split(),
    ]
    objects = [json.loads(line) for line in said("incidents", "-f", "json").splitlines()]
    assert len(objects) == 14 and objects[0]["process"]["pid"] == 1200
    assert said("incidents", "--incident", "99") == "" and said.err == "no incidents fit\n"


def test_json_and_csv(said: Said) -> None:
    objects = [json.loads(line) for line in said("-f", "json").splitlines()]
    assert [one["id"] for one in objects] == list(range(1, 16)) and objects[0]["count"] == 12
    rows = list(csv.DictReader(io.StringIO(said("-f", "csv", "--user", "alice"))))
    assert [(row["id"], row["rule"], row["output"], row["user"]) for row in rows] == [
        ("3", "Odd", "'=cmd()", "alice")
    ]
    assert said("-f", "csv", "--text", "nothing like it").startswith("id,time,last,count,")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["shwo"], "did you mean `show`?"),
        (["show"], "say which alert"),
        (["show", "x"], "`x`: not a whole number"),
        (["show", "99"], "the store has no alert 99"),
        (["incidents", "x"], "`x` is one word too many"),
        (["incidents", "--follow"], "`--follow` is for the list"),
        (["--priority", "hgih"], "there are emergency, alert"),
        (["--priority", "eror"], "did you mean `error`?"),
        (["--from", "25:99"], "say a time such as 14:30"),
        (["--incident", "0"], "must be above 0"),
        (["-f", "xml"], "text, json, csv"),
    ],
)
def test_what_is_wrong_is_said(said: Said, words: list[str], text: str) -> None:
    said(*words, code=2)
    assert text in said.err and said.out == ""


def test_without_a_store(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for command in ("alerts", "tune"):
        assert main(["detect", command, "--store", str(tmp_path / "none.db")]) == 2
        assert "no alerts are stored: there is no `" in capfd.readouterr().err


def test_losses_are_said(store: str, said: Said) -> None:
    again = Store(store)
    again.lose(7, "more came than could be delivered")
    again.close()
    said()
    assert said.err == "note: 7 alerts are not in the store: more came than could be delivered\n"


def test_tune(said: Said, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("yaml", reason="rules are YAML")
    text = said(command="tune")
    assert said.err == "note: 1 proposed, 1 left out with the reason; nothing was changed\n"
    assert "# `Read of a password file`, 12 times in 1 incident by /usr/bin/cat: left out" in text
    (tmp_path / "tuned.yaml").write_text(text)
    rules = "- rule: Backup\n  desc: d\n  condition: evt.type = open\n  output: o\n  priority: notice\n"
    (tmp_path / "rules.yaml").write_text(rules)
    assert main(["detect", "check", str(tmp_path / "rules.yaml"), str(tmp_path / "tuned.yaml")]) == 0
    capfd.readouterr()
    assert said("--least", "50", command="tune") == "" and "nothing to propose" in said.err


def run_in_terminal(command: list[str], columns: int, **environment: str) -> str:
    """The output of a command whose standard output is a terminal."""
    import fcntl
    import struct
    import termios

    main_fd, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "BPFTRACE_COLOR")}
    child = subprocess.Popen(command, stdout=other, stderr=subprocess.DEVNULL, env={**clean, **environment})
    os.close(other)
    data = b""
    while True:
        try:
            part = os.read(main_fd, 65536)
        except OSError:
            break
        if not part:
            break
        data += part
    child.wait()
    os.close(main_fd)
    return data.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("words", [[], ["show", "3"], ["show", "2"], ["incidents"]])
def test_on_a_terminal_it_fits_and_is_coloured(store: str, words: list[str]) -> None:
    command = [sys.executable, "-m", "kernscope.cli", "detect", "alerts", *words, "--store", store]
    plain = run_in_terminal(command, 80, NO_COLOR="1")
    assert "\x1b" not in plain
    assert max(map(len, plain.splitlines())) <= 80
    if words != ["show", "3"]:
        colored = run_in_terminal(command, 80)
        assert "\x1b[1;31mcritical\x1b[0m" in colored
        assert (
            colored.replace("\x1b[1;31m", "")
            .replace("\x1b[33m", "")
            .replace("\x1b[36m", "")
            .replace("\x1b[0m", "")
            == plain
        )


def test_follow(store: str) -> None:
    """New alerts, and counts at growing intervals; also of a store that is begun anew."""
    command = [sys.executable, "-m", "kernscope.cli", "detect", "alerts", "--follow", "-f", "json", "-n", "1"]
    child = subprocess.Popen([*command, "--store", store], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    lines = child.stdout
    watchdog = threading.Timer(60, child.kill)
    watchdog.start()
    try:
        assert json.loads(lines.readline())["id"] == 15
        delivery = Delivery(Store(store))
        delivery.take(alert("new", [process(7, "x"), INIT]))
        assert json.loads(lines.readline())["rule"] == "new"
        for _ in range(20):
            delivery.take(alert("new", [process(7, "x"), INIT]))
        found = json.loads(lines.readline())
        assert found["id"] == 16 and found["count"] >= 10
        delivery.close()
        for file in Path(store).parent.glob("alerts.db*"):
            file.unlink()
        delivery = Delivery(Store(store))
        delivery.take(alert("again", [process(8, "x"), INIT]))
        assert json.loads(lines.readline())["rule"] == "again"
        delivery.close()
    finally:
        child.kill()
        child.wait()
        lines.close()
        watchdog.cancel()
