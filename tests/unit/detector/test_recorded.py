"""Alerts on recorded events, as the command shows them."""

import json
from pathlib import Path

import pytest
from rule_texts import check, rule

from kernscope.cli import main
from kernscope.detector import alerts, read_events
from kernscope.diagnostics import Diagnostic, Source

pytest.importorskip("yaml", reason="rules are YAML")


def lines(rules: str, *events: object) -> list[str]:
    problems: list[Diagnostic] = []
    text = "\n".join(event if isinstance(event, str) else json.dumps(event) for event in events)
    shown = [alert.text() for alert in alerts(check(rules), read_events(Source("e", text), problems))]
    return shown + [str(problem) for problem in problems]


def test_alerts_in_order() -> None:
    rules = rule() + rule("proc.tty = 1", name="tty", more="warn_evttypes: false")
    events = [
        {"evt.type": "execve", "proc.name": "a", "proc.tty": 1},
        {"proc.tty": 0},
        {"evt.type": "execve"},
    ]
    assert lines(rules, *events) == ["Notice a", "Notice a", "Notice <NA>"]


def test_output_formats() -> None:
    form = "*%evt.time %evt.num %proc.aname[2]|%tolower(proc.name)|%fd.types|%evt.failed|%container.id|5%%|50% %x"
    rules = rule().replace("%proc.name", form)
    event = {
        "evt.type": "execve",
        "evt.time": "1:2",
        "proc.aname[2]": "sshd",
        "proc.name": "SH",
        "evt.failed": False,
    }
    event["fd.types"] = ["file", "pipe"]
    assert lines(rules, event) == ["1:2: Notice 1:2 1 sshd|sh|file,pipe|false|host|5%|50% %x"]


def test_an_output_of_several_lines_is_one_line() -> None:
    rules = rule().replace("'%proc.name'", "|\n    a %proc.name\n    b")
    assert lines(rules, {"evt.type": "execve", "proc.name": "x\ny"}) == ["Notice a x\\x0ay b"]


def test_no_alert_is_forged() -> None:
    event = {"evt.type": "execve", "proc.name": "\x1b[2J\r\u202e\udcff\x00", "evt.time": "1\n2"}
    assert lines(rule(), event) == ["1\\x0a2: Notice \\x1b[2J\\x0d\\u202e\\xff\\x00"]


@pytest.mark.parametrize(
    ("line", "place", "message"),
    [
        ("nonsense", "1:1", "not JSON: Expecting value"),
        ('{"a": 1,}', "1:9", "not JSON"),
        ("[]", "1:1", "an event is an object"),
        ('{"a": {}}', "1:1", "an event is an object"),
        ("[" * 100_000, "1:1", "nested too deeply"),
    ],
)
def test_lines_that_are_no_events(line: str, place: str, message: str) -> None:
    alert, problem = lines(rule(), line, {"evt.type": "execve", "proc.name": "ok"})
    assert alert == "Notice ok"
    assert problem.startswith(f"e:{place}: error[bad-event]: {message}")


class TestCommand:
    @pytest.fixture
    def files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.chdir(tmp_path)
        Path("good.yaml").write_text(rule(name="good"))
        Path("bad.yaml").write_text(rule("evt.type = ", name="bad") + rule(name="other"))
        Path("events").write_text('{"evt.type": "execve", "proc.name": "ls"}\n\n{"evt.type": "open"}\n')
        return tmp_path

    @pytest.mark.usefixtures("files")
    def test_check(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert main(["detect", "check", "good.yaml"]) == 0
        assert capfd.readouterr().out == (
            "STATE   PRIORITY  RULE  REASON\nactive  notice    good\n\n1 active\n"
        )
        assert main(["detect", "check", "good.yaml", "bad.yaml"]) == 1
        out, err = capfd.readouterr()
        assert out.endswith("\n2 active, 1 refused\n")
        assert "error[bad-condition]: expected a value behind `=`" in err and "bad.yaml:6:14" in err
        assert main(["detect", "check", "-f", "json", "bad.yaml"]) == 1
        answer = json.loads(capfd.readouterr().out)
        assert [(r["rule"], r["state"], r["line"]) for r in answer["rules"]] == [
            ("bad", "refused", 1),
            ("other", "active", 7),
        ]
        assert [d["code"] for d in answer["diagnostics"]] == ["bad-condition"]

    @pytest.mark.usefixtures("files")
    def test_test(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert main(["detect", "test", "good.yaml", "--events", "events"]) == 0
        assert capfd.readouterr() == ("Notice ls\n", "")
        assert main(["detect", "test", "bad.yaml", "--events", "events", "-f", "json"]) == 1
        alert = json.loads(capfd.readouterr().out)
        assert (alert["rule"], alert["event"], alert["fields"]["proc.name"]) == ("other", 1, "ls")

    @pytest.mark.usefixtures("files")
    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ("chek good.yaml", "did you mean `check`?"),
            ("check", "say which rules"),
            ("test good.yaml", "say which events"),
            ("check good.yaml --events events", "unknown option `--events`"),
            ("check none.yaml", "cannot read `none.yaml`"),
        ],
    )
    def test_usage(self, words: str, message: str, capfd: pytest.CaptureFixture[str]) -> None:
        assert main(["detect", *words.split()]) == 2
        assert message in capfd.readouterr().err

    def test_alone_it_says_what_there_is(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert main(["detect"]) == 0
        assert "  the alerts that rules give for events" in capfd.readouterr().out
