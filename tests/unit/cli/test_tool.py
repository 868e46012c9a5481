"""`kernscope tool`: the listing, what it shows of one, and what it hands over to run."""

from typing import Any

import pytest

import kernscope
from kernscope.cli import main


def test_the_listing_has_each_tool_under_its_group(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["tool"]) == 0
    lines = capfd.readouterr().out.splitlines()
    group, found = "", {}
    for line in lines[1:]:
        if line.startswith("  "):
            found[line.split()[0]] = group
        elif line:
            group = line
    assert sorted(found) == kernscope.tools.names()
    assert list(dict.fromkeys(found.values())) == list(kernscope.tools.GROUPS.values())
    assert found["biolatency"].startswith("disks: ")
    assert max(map(len, lines)) <= 120


def test_page_and_source(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["tool", "--page", "runqlat"]) == 0
    assert capfd.readouterr().out == kernscope.tools.find("runqlat").page
    assert main(["tool", "runqlat", "--source"]) == 0
    assert capfd.readouterr().out == kernscope.tools.find("runqlat").text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["opensnop"], "there is no tool `opensnop`; did you mean `opensnoop`?"),
        (["no-such-thing-at-all"], "there is no tool `no-such-thing-at-all`; `kernscope tool` lists them"),
        (["opensnoop", "bash"], "PID is a number (only this process), not `bash`"),
        (["opensnoop", "1", "2"], "unexpected argument `2`: usage: kernscope tool opensnoop [PID]"),
        (["loads", "-d", "never"], "`-d never`: not a number of seconds, nor a time such as `500ms` or `5m`"),
        (["loads", "-c", "'"], "`-c '`: No closing quotation"),
    ],
)
def test_what_cannot_be_understood(
    arguments: list[str], message: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_tool(*_: Any, **__: Any) -> None:
        raise AssertionError("nothing is run")

    monkeypatch.setattr(kernscope, "run_tool", run_tool)
    assert main(["tool", *arguments]) == 2
    assert capfd.readouterr().err.splitlines()[0].endswith(message)


def test_what_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    class Session:
        def run(self, signals: tuple[int, ...]) -> int:
            seen["signals"] = signals
            return 7

    def run_tool(name: str, *args: str, **options: Any) -> Session:
        seen.update(options, name=name, args=args)
        return Session()

    monkeypatch.setattr(kernscope, "run_tool", run_tool)
    arguments = ["tool", "filetop", "5", "-d", "2s", "-c", "ls 'a b'", "-f", "json"]
    assert main(arguments) == 7
    (sink,) = seen.pop("sinks")
    assert isinstance(sink, kernscope.JsonSink)
    assert seen == {
        "name": "filetop",
        "args": ("5",),
        "command": ["ls", "a b"],
        "duration": 2.0,
        "signals": (1, 2, 15),
    }
