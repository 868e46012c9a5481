"""`kernscope detect run --config` on the running kernel: reload under load, reactions, what is wrong, the end."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from command_line import needs_tracing

pytestmark = needs_tracing
pytest.importorskip("yaml", reason="rules are YAML")

RULE = """\
- rule: Marked
  desc: d
  condition: evt.type in (execve, execveat) and proc.args contains {mark}
  output: marked %proc.args
  priority: notice
"""


class Service:
    """A service with files in a folder of its own."""

    def __init__(self, folder: Path, mark: str, more: str = "", arguments: tuple[str, ...] = ()) -> None:
        self.folder, self.mark = folder, mark
        folder.mkdir(mode=0o700)
        (folder / "rules").mkdir()
        self.write_rules(RULE.format(mark=mark))
        self.config = folder / "detect.yaml"
        self.write_config(more)
        command = [sys.executable, "-m", "kernscope.cli", "detect", "run", "--config", str(self.config)]
        self.said = folder / "said"
        with self.said.open("wb") as out:
            self.process = subprocess.Popen([*command, *arguments], stdout=out, stderr=out)

    def write_rules(self, text: str) -> None:
        (self.folder / "rules" / "r.yaml").write_text(text)

    def write_config(self, more: str) -> None:
        lines = [
            f"rules: [{self.folder}/rules]",
            f"store: {{path: {self.folder}/alerts.db}}",
            f"sinks: [{{kind: jsonl, path: {self.folder}/alerts.jsonl}}]",
            more,
        ]
        self.config.write_text("\n".join(lines))

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + 180
        while not condition():
            if time.monotonic() > until or self.process.poll() is not None:
                raise AssertionError(f"{what}; it said:\n{self.said.read_text()}")
            time.sleep(0.05)

    def wait_to_hear(self, pattern: str, times: int = 1) -> None:
        self.wait_for(lambda: len(re.findall(pattern, self.said.read_text())) >= times, f"no `{pattern}`")

    def alerts(self) -> list[dict[str, object]]:
        file = self.folder / "alerts.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def end(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(120) == 0, self.said.read_text()
        return self.said.read_text()


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    started: list[Service] = []

    def start(more: str = "", *arguments: str) -> Service:
        number = len(started)
        service = Service(tmp_path / f"s{number}", f"ks-mark-{os.getpid()}-{number}", more, arguments)
        started.append(service)
        service.wait_to_hear("watching by 1 rules")
        return service

    yield start
    for service in started:
        if service.process.poll() is None:
            service.process.kill()
            service.process.wait()


def run_marked(*words: str) -> None:
    subprocess.run(["/bin/true", *words], check=True)


def test_a_reload_loses_and_doubles_nothing(services: Callable[..., Service]) -> None:
    service = services()
    number = 0
    for reload in (1, 2):
        service.write_rules(RULE.format(mark=service.mark) + "\n" * reload)
        service.process.send_signal(signal.SIGHUP)
        # Programs are executed all the time, before, while and after one session follows the other.
        until = time.monotonic() + 180
        after = 0
        while after < 20 and time.monotonic() < until:
            number += 1
            run_marked(service.mark, f"n{number}.")
            after += service.said.read_text().count("was read again") >= reload
            time.sleep(0.03)
        assert after == 20, service.said.read_text()
    service.wait_for(lambda: bool(service.alerts()), "no alert")
    said = service.end()
    # A file shows the first alerts of an incident; the store has the others too.
    with closing(sqlite3.connect(service.folder / "alerts.db")) as store:
        stored = store.execute("SELECT output, count FROM alerts").fetchall()
    found = {int(output.rpartition("n")[2].rstrip(".")): count for output, count in stored}
    assert number < 1000, "more are not kept"
    assert sorted(found) == list(range(1, number + 1)), said
    assert set(found.values()) == {1}, "some were seen twice"
    assert f"{number:,} matches, no event lost" in said


def test_a_wrong_configuration_changes_nothing(services: Callable[..., Service]) -> None:
    service = services()
    good = service.config.read_text()
    for count, (text, message) in enumerate(
        {
            "rulez: []": "did you mean `rules`",
            "rules: [/no/such]": "cannot read `/no/such`",
            good.replace("kind: jsonl", "kind: jsnl"): "did you mean `jsonl`",
            good + "\nreactions: [{steps: [run: {command: [/no/such]}]}]": "/no/such",
            # Known only when it is made, after the old one has been closed.
            good.replace("alerts.jsonl", "detect.yaml/x.jsonl"): "detect.yaml",
        }.items(),
        1,
    ):
        service.config.write_text(text)
        service.process.send_signal(signal.SIGHUP)
        service.wait_to_hear("the configuration is not changed", count)
        assert message in service.said.read_text()
    service.config.write_text(good)
    service.write_rules("- rule: x\n")
    service.process.send_signal(signal.SIGHUP)
    service.wait_to_hear("the configuration is not changed", 6)
    run_marked(service.mark, "still")
    service.wait_for(lambda: len(service.alerts()) == 1, "the old rules do not go on")
    service.end()


def test_new_rules_and_sinks_are_taken(services: Callable[..., Service]) -> None:
    service = services()
    run_marked(service.mark, "one")
    service.wait_for(lambda: len(service.alerts()) == 1, "no alert")
    service.write_rules(RULE.format(mark="ks-other-mark").replace("marked %", "other %"))
    second = service.folder / "second.jsonl"
    service.config.write_text(service.config.read_text().replace("alerts.jsonl", second.name))
    service.process.send_signal(signal.SIGHUP)
    service.wait_to_hear("watching by 1 rules", 2)
    run_marked(service.mark, "old")
    run_marked("ks-other-mark", "new")
    service.wait_for(
        lambda: second.exists() and "other ks-other-mark new" in second.read_text(), "no new alert"
    )
    service.end()
    assert len(service.alerts()) == 1
    assert service.mark not in second.read_text()
    assert (second.stat().st_mode & 0o777, (service.folder / "alerts.db").stat().st_mode & 0o777) == (
        0o600,
        0o600,
    )


@pytest.mark.parametrize("enforce", [False, True])
def test_a_process_tree_is_killed_where_that_is_allowed(
    services: Callable[..., Service], enforce: bool
) -> None:
    more = "reactions: [{rules: [Marked], steps: [kill]}]"
    service = services(more, *(("--enforce",) if enforce else ()))
    # A session of its own below process 1 is no child of the detector, nor of the test.
    code = "import sys, time; print('here', flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code, service.mark], stdout=subprocess.PIPE)
    assert child.stdout is not None
    if enforce:
        assert child.wait(120) == -signal.SIGKILL
        service.wait_to_hear("killed process")
    else:
        service.wait_to_hear(r"would kill process \d+ .*\(needs --enforce\)")
        assert child.poll() is None
        child.kill()
        child.wait()
    child.stdout.close()
    assert "reaction kill: 1 " in service.end()


def test_a_command_gets_the_alert(services: Callable[..., Service], tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = tmp_path / "script"
    script.write_text(
        f'#!/bin/sh\ncat > "{out}.new" && echo "$KERNSCOPE_RULE" >> "{out}.new" && mv "{out}.new" "{out}"\n'
    )
    script.chmod(0o755)
    service = services(f"reactions: [{{steps: [run: {{command: [{script}]}}]}}]")
    run_marked(service.mark, "$(x);`y`")
    service.wait_for(out.exists, "the command did not run")
    body, rule = out.read_text().splitlines()
    assert rule == "Marked" and json.loads(body)["output"] == f"marked {service.mark} $(x);`y`"
    service.end()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to give up")
def test_privileges_are_given_up_and_a_reload_works_all_the_same(services: Callable[..., Service]) -> None:
    service = services()
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    for name in ("CapEff", "CapPrm", "CapBnd"):
        found = re.search(rf"{name}:\s+(\w+)", status)
        assert found is not None and not int(found.group(1), 16) & (1 << 21 | 1 << 1 | 1 << 12)
    assert re.search(r"NoNewPrivs:\s+1", status)
    service.write_config("reactions: [{steps: [block]}]")
    service.process.send_signal(signal.SIGHUP)
    service.wait_to_hear("CAP_NET_ADMIN was given up: this needs a restart")
    service.write_config("limit: {count: 5}")
    service.process.send_signal(signal.SIGHUP)
    service.wait_to_hear("was read again")
    service.end()


def test_what_cannot_start_says_why(tmp_path: Path) -> None:
    for text, message in {
        "rules: [/no/such]": "cannot read `/no/such`",
        "rulez: [x]": "there is no key `rulez`",
        "rules: []": "none of the rules can fire",
    }.items():
        config = tmp_path / "d.yaml"
        config.write_text(text)
        command = [sys.executable, "-m", "kernscope.cli", "detect", "run", "--config", str(config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr, done.stderr
