"""The command as a whole, with a stand-in for the kernel."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import kernscope
from kernscope.cli import COMMANDS, command_named, main
from kernscope.output.histogram import Stats
from kernscope.tables.syscalls import numbers


def run_process(*arguments: str, **kwargs: Any) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "kernscope.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **kwargs)


def test_overview(capfd: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--help"], ["help"], ["-h"]):
        assert main(arguments) == 0
        out = capfd.readouterr().out
        assert all(f"\n  {name} " in out for name in COMMANDS)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_each_command_has_help(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    out = capfd.readouterr().out
    assert out.startswith(f"usage: kernscope {name}") and "--help" in out
    assert max(map(len, out.splitlines())) <= 110
    assert main(["help", name]) == 0
    assert capfd.readouterr().out == out


def test_option_names_are_unique() -> None:
    for name in COMMANDS:
        names = [n for option in command_named(name).options for n in option.names]
        assert len(names) == len(set(names))


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capfd.readouterr().out == f"kernscope {kernscope.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tarce"], "there is no command `tarce`; did you mean `trace`?"),
        (["--frobnicate"], "unknown option `--frobnicate`"),
        (["trace"], "which system calls?"),
        (["trace", "openat", "--comm", "x" * 16], "process names have at most 15 bytes"),
        (["trace", "opennat"], "did you mean `openat`?"),
        (["syscalls", "ls"], "put a command to run after `--`"),
        (["syscalls", "--pid", "0"], "must be above 0"),
        (["run"], "no program"),
        (["run", "begin { exit() }"], "put `-e` before it"),
        (["run", "/does/not/exist"], "cannot read `/does/not/exist`: No such file or directory"),
        (["run", "-e", "begin {}", "-o", "/does/not/exist"], "cannot write `/does/not/exist`"),
        (["run", "-e", "begin {}", "-c", "'"], "No closing quotation"),
        (["compile", "-e", "begin {}", "--dump", "regsters"], "did you mean `registers`?"),
        (["explain", "no-such-code"], "no-such-code"),
    ],
)
def test_usage_errors(
    arguments: list[str], message: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        kernscope, "list_probes", lambda pattern: ["tracepoint:syscalls:sys_enter_openat"], raising=False
    )
    monkeypatch.setattr(kernscope, "probe_fields", lambda name: [("int", "__syscall_nr")], raising=False)
    assert main(arguments) == 2
    out, err = capfd.readouterr()
    assert out == "" and message in err and "Traceback" not in err


class FakeSession:
    """Stands in for a session: hands events to the sinks, then ends."""

    maps = {
        "@calls": {0: 7},
        "@time": {0: Stats(7, 1000, 7000)},
        "@longest": {0: 4000},
        "@errors": {(0, -9): 2},
        "@call": {},
    }

    bundle = kernscope.Bundle()

    def __init__(self, text: str, sinks: list[Any], events: list[object]) -> None:
        self.text, self.sinks, self.events = text, sinks, events
        self.stopped = False

    def __enter__(self) -> "FakeSession":
        return self

    def __exit__(self, *_: object) -> None:
        for sink in self.sinks:
            sink.close()

    def start(self) -> "FakeSession":
        return self

    def wait(self, timeout: float | None = None) -> bool:
        for sink in self.sinks:
            for event in self.events:
                sink.event(event)
            sink.flush()
        return True

    def run(self, *, signals: object = ()) -> int:
        self.wait()
        return 5

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def fake_run(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Replaces `kernscope.run`; the dict holds its arguments, and `events` and `raises` to act on."""
    seen: dict[str, Any] = {"events": [], "raises": None}

    def run(text: str, **kwargs: Any) -> FakeSession:
        seen.update(kwargs, text=text)
        if seen["raises"] is not None:
            raise seen["raises"]
        return FakeSession(text, kwargs["sinks"], seen["events"])

    monkeypatch.setattr(kernscope, "run", run, raising=False)
    monkeypatch.setattr(
        kernscope, "list_probes", lambda pattern: ["tracepoint:syscalls:sys_enter_openat"], raising=False
    )
    fields = [
        ("int", "__syscall_nr"),
        ("int", "dfd"),
        ("const char *", "filename"),
        ("int", "flags"),
        ("umode_t", "mode"),
    ]
    monkeypatch.setattr(kernscope, "probe_fields", lambda name: fields, raising=False)
    yield seen


def test_syscalls_as_table_json_and_csv(fake_run: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["syscalls", "-d", "1"]) == 0
    out = capfd.readouterr().out
    assert "EBADF 2" in out and "\x1b" not in out
    assert fake_run["duration"] == 1.0 and fake_run["command"] is None
    assert main(["syscalls", "-f", "json", "--", "ls", "-l"]) == 0
    assert json.loads(capfd.readouterr().out)["rows"][0]["errors"] == {"EBADF": 2}
    assert fake_run["command"] == ["ls", "-l"] and "@tree[cpid]" in fake_run["text"]
    assert main(["syscalls", "--format=csv"]) == 0
    assert capfd.readouterr().out.splitlines()[1].endswith("EBADF:2")


def test_trace_prints_lines(fake_run: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    number = numbers(os.uname().machine)["openat"]
    value = (number, 1000, 2000, 7, 7, "cat", -2, 4, -100, 1, 0, 0, "/nope")
    fake_run["events"] = [kernscope.ValueEvent(value)]
    assert main(["trace", "openat", "--failed", "-p", "7"]) == 0
    line = capfd.readouterr().out
    assert line.endswith('"/nope", O_RDONLY) = -1 ENOENT (No such file or directory) <0.000002>\n')
    assert fake_run["pid"] == 7 and "pid == 7" in fake_run["text"]


def test_run_returns_the_programs_exit_code(fake_run: dict[str, Any]) -> None:
    assert main(["run", "-e", "begin { exit(5) }", "--", "a", "b"]) == 5
    assert fake_run["args"] == ["a", "b"]
    assert fake_run["text"] == "begin { exit(5) }" and fake_run["command"] is None
    assert main(["run", "-c", "ls '-l x'", "-e", "p"]) == 5
    assert fake_run["command"] == ["ls", "-l x"]


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (kernscope.KernelError(1, "BPF_PROG_LOAD", "x"), 3, "BPF_PROG_LOAD for `x`: Operation not permitted"),
        (kernscope.NotSupportedError("ring buffer", "Linux 5.8"), 3, "it needs Linux 5.8"),
        (kernscope.SessionError("no such command", "check"), 3, "= help: check"),
        (kernscope.VerifierError(13, "p", "log", ""), 70, "a defect of Kernscope"),
        (OSError(28, "No space left on device", "/tmp/x"), 3, "/tmp/x: No space left on device"),
        (ZeroDivisionError("oops"), 70, "ZeroDivisionError: oops"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(32, "Broken pipe"), 0, ""),
    ],
)
def test_failures_have_exit_codes_and_no_traceback(
    error: BaseException, code: int, text: str, fake_run: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import kernscope.cli.failures as failures
    import kernscope.cli.terminal as terminal

    said: list[str] = []
    monkeypatch.setattr(failures, "complain", said.append)
    monkeypatch.setattr(terminal, "close_quietly", lambda: None)
    monkeypatch.delenv("KERNSCOPE_DEBUG", raising=False)
    fake_run["raises"] = error
    assert main(["run", "-e", "begin {}"]) == code
    assert text in "\n".join(said) and "Traceback" not in "\n".join(said)
    monkeypatch.setenv("KERNSCOPE_DEBUG", "1")
    main(["run", "-e", "begin {}"])
    assert code in (0,) or "Traceback" in "\n".join(said)


def test_compile_errors_are_rendered(fake_run: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    from kernscope.diagnostics import Source, Span, error

    source = Source("<command line>", "begin { nope }")
    fake_run["raises"] = kernscope.CompileError(
        [error("unknown-name", "there is no `nope`", Span(source, 8, 12))]
    )
    assert main(["run", "-e", "begin { nope }"]) == 1
    err = capfd.readouterr().err
    assert "error[unknown-name]: there is no `nope`" in err and "^^^^" in err


def test_a_closed_pipe_is_quiet() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    result = subprocess.run(
        [sys.executable, "-m", "kernscope.cli", "--help"],
        stdout=write_end,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    os.close(write_end)
    assert (result.returncode, result.stderr) == (0, b"")


def test_the_module_runs_as_a_program() -> None:
    result = run_process("--version")
    assert (result.returncode, result.stdout) == (0, f"kernscope {kernscope.__version__}\n")
    result = run_process("nonsense")
    assert result.returncode == 2 and result.stderr.count("\n") == 1


def test_the_command_line_uses_only_the_public_api() -> None:
    """Beyond its own room it imports nothing but `kernscope`."""
    import ast
    from pathlib import Path

    import kernscope.cli

    foreign = set()
    for file in Path(kernscope.cli.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                foreign.add(node.module)
            elif isinstance(node, ast.Import):
                foreign.update(alias.name for alias in node.names)
    ours = {name for name in foreign if name.split(".")[0] == "kernscope"}
    assert {name for name in ours if not name.startswith("kernscope.cli")} == {"kernscope"}


def test_nothing_slow_is_imported_to_start() -> None:
    code = (
        "import sys; from kernscope.cli import main; main(['run', '-e', 'x', '-o', '/does/not/exist'])\n"
        "slow = ('argparse', 're', 'typing', 'dataclasses', 'enum', 'pathlib', 'json')\n"
        "print(*[m for m in slow if m in sys.modules])"
    )
    before = subprocess.run(
        [sys.executable, "-c", code.replace("main(", "(lambda x: 0)(")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    # What the interpreter's own start-up imports (through .pth files, say) is not ours.
    assert set(result.stdout.split()) <= set(before.stdout.split())


def test_a_compiled_program_does_not_take_the_place_of_what_is_no_file(tmp_path: Path) -> None:
    """`-o /dev/null` as root would leave the machine without it."""
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert main(["compile", "-e", "begin { exit(); }", "-o", str(pipe)]) == 0
        sent = os.read(reader, 1 << 16)
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    link.symlink_to(tmp_path / "file")
    assert main(["compile", "-e", "begin { exit(); }", "-o", str(link)]) == 0
    assert link.is_symlink() and link.read_bytes() == sent
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link", "pipe"]
