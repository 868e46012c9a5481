"""The options of `run`, and the subcommands beside it, without a kernel."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import kernscope
from kernscope.cli import COMMANDS, command_named, completion, main
from kernscope.cli.man import manual
from kernscope.cli.options import parse
from kernscope.cli.run import settings
from kernscope.cli.run_options import DEBUG_STAGES, SECTIONS
from kernscope.cli.tracing import split_command
from kernscope.diagnostics import error

DOCUMENTED = (
    "-B -c -d --dry-run -e -f -h --help -I --include --info -k -l --no-feature --no-warnings -o -p -q --unsafe "
    "--usdt-file-activation -V --version -v"
).split()
"""The options in bpftrace 0.27's manual page."""
LONG = (
    "--list --verbose --pid --cmd --dwarf-pid --output --quiet --warnings --debuginfo --traceable-functions "
    "--mode --test --bench --probe-filter --fmt --verify-llvm-ir --debug --emit-elf --emit-llvm"
).split()
"""Further ones in its --help."""


def options_of_run() -> list[str]:
    return [name for option in command_named("run").options for name in option.names]


def test_every_documented_option_is_there() -> None:
    assert set(DOCUMENTED + LONG) <= set(options_of_run())


def test_options_may_be_repeated_and_bundled() -> None:
    got = parse(
        "-lv -I a -Ib --include x.h --include y.h --unsafe -k -e P".split(), command_named("run").options
    )
    assert got.flag("list") and got.flag("verbose") and got.text("e") == "P"
    assert settings(got) == {
        "unsafe": True,
        "enforce": False,
        "tell_verdicts": True,
        "warn_reads": True,
        "include_dirs": "a\nb",
        "includes": "x.h\ny.h",
        "off_features": "",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-B", "bad"], "`-B` is one of full, line, none, not `bad`"),
        (["-f", "xml"], "`-f` is one of text, json, not `xml`"),
        (["-p", "abc"], "`-p abc`: not a whole number"),
        (["-d", "bogus"], "the stages are ast,"),
        (
            ["--no-feature", "x"],
            "the features are kprobe_multi, kprobe_session, uprobe_multi, steady_syscalls",
        ),
        (["--mode", "x"], "`--mode` is one of codegen,"),
        (["--emit-elf", "x"], "`kernscope compile -o FILE` writes a compiled program"),
        (["--emit-llvm", "x"], "there is no LLVM here"),
        (["--nope"], "unknown option `--nope`"),
    ],
)
def test_usage_errors(arguments: list[str], message: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-e", "begin { exit() }", *arguments]) == 2
    assert message in capfd.readouterr().err


def test_each_stage_shows_something_of_ours() -> None:
    assert {ours for stages in DEBUG_STAGES.values() for ours in stages} == {
        *kernscope.DUMP_STAGES,
        "verifier",
    }


def test_a_command_is_split_as_a_shell_would() -> None:
    assert split_command("") is None
    assert split_command("sh -c 'echo \"a b\"'") == ["sh", "-c", 'echo "a b"']


def test_version_names_both(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-V"]) == 0
    assert f"kernscope {kernscope.__version__}, for programs of bpftrace v0.27" in capfd.readouterr().out


def test_info_is_set_as_bpftrace_sets_it(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sections = [
        ("System", [("OS", "Linux 6"), ("Arch", "x")]),
        ("Build", [("version", "v1")]),
        ("Kernel helpers", [("dpath", "no"), ("loop", "yes"), ("odd", "yes")]),
        ("Kernel features", [("btf", "yes")]),
    ]
    monkeypatch.setattr(kernscope, "machine_info", lambda: sections, raising=False)
    assert main(["run", "--info"]) == 0
    assert capfd.readouterr().out.split("\n") == [
        "System",
        "  OS: Linux 6",
        "  Arch: x",
        "",
        "Build",
        "  version: v1",
        "",
        "Kernel helpers",
        "  dpath: no".ljust(35) + "loop: yes".ljust(35),
        "  odd: yes".ljust(35),
        "",
        "Kernel features".ljust(35),
        "  btf: yes".ljust(35),
        "",
        "",
    ]


def test_listing(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def list_probes(pattern: str, pid: int) -> list[str]:
        asked.append(pattern if not pid else (pattern, pid))
        return [] if "nope" in pattern else ["t:a"]

    monkeypatch.setattr(kernscope, "list_probes", list_probes, raising=False)
    monkeypatch.setattr(kernscope, "probe_fields", lambda name: [("char[16]", "comm")], raising=False)
    monkeypatch.setattr(kernscope, "program_probes", lambda text, name: ["of", "program"], raising=False)
    assert main(["run", "-lv", "t:*,k:*"]) == 0
    assert capfd.readouterr().out == "t:a\n    char comm[16]\n"
    assert main(["run", "-l"]) == 0 and main(["list", "a", "b"]) == 0
    assert main(["list", "-p", "7", "uprobe:*:f"]) == 0
    assert asked == ["t:*,k:*", "*", "a,b", ("uprobe:*:f", 7)]
    capfd.readouterr()
    assert main(["run", "-l", "-e", "x { }"]) == 0
    assert capfd.readouterr().out == "of\nprogram\n"
    assert main(["run", "-l", "nope"]) == 0  # as bpftrace has it
    assert main(["list", "nope"]) == 1


def test_listing_of_nothing_says_why(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def program_probes(text: str) -> list[str]:
        if text == "k:f+4 { }":
            return ["k:f+4"]
        raise kernscope.CompileError([error("unknown-probe", "there is no `nope`", None, notes="the reason")])

    monkeypatch.setattr(kernscope, "list_probes", lambda pattern, pid: [], raising=False)
    monkeypatch.setattr(kernscope, "program_probes", program_probes, raising=False)
    assert main(["list", "k:f+4"]) == 0
    assert capfd.readouterr().out == "k:f+4\n"
    assert main(["list", "k:nope"]) == 1
    assert capfd.readouterr().err == (
        "no probe of this kernel matches `k:nope`\n  = note: there is no `nope`\n  = note: the reason\n"
    )


def test_format(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ugly, pretty = "begin{exit()}", "begin\n{\n  exit();\n}\n"
    file = tmp_path / "p.bt"
    file.write_text(ugly)
    file.chmod(0o750)
    assert main(["fmt", str(file)]) == 0 and main(["fmt", "-e", ugly]) == 0
    assert main(["run", "--fmt", str(file)]) == 0 and main(["run", "--mode", "format", "-e", ugly]) == 0
    assert capfd.readouterr().out == 4 * pretty and file.read_text() == ugly
    assert main(["fmt", "--check", str(file)]) == 1
    assert "would be changed" in capfd.readouterr().err
    assert main(["fmt", "-i", str(file)]) == 0
    assert file.read_text() == pretty and file.stat().st_mode & 0o777 == 0o750
    assert main(["fmt", "--check", str(file)]) == 0
    assert os.listdir(tmp_path) == ["p.bt"]
    assert main(["fmt"]) == 2 and main(["fmt", "-i", "-"]) == 2
    file.write_text("begin {")
    assert main(["fmt", "-i", str(file)]) == 1 and file.read_text() == "begin {"


def test_files_that_cannot_be_used(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    damaged = tmp_path / "x.ks"
    damaged.write_bytes(b"\x7fKSB and nothing")
    assert main(["run", str(damaged)]) == 1
    assert "the compiled program is damaged" in capfd.readouterr().err
    assert main(["run", str(damaged), "argument"]) == 2
    assert "its arguments were given to `kernscope compile`" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("variables", "colored"),
    [({"BPFTRACE_COLOR": "always"}, True), ({"BPFTRACE_COLOR": "never"}, False), ({}, False)],
)
def test_color(variables: dict[str, str], colored: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kernscope.cli", "fmt", "-e", "begin {"],
        env={k: v for k, v in os.environ.items() if k not in ("BPFTRACE_COLOR", "NO_COLOR")} | variables,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 1 and (b"\x1b[" in done.stderr) == colored


# Completion


@pytest.fixture(scope="module")
def fake_command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a `kernscope` that knows three probes."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "kernscope"
    command.write_text(
        "#!/bin/sh\n"
        '[ "$1 $2 $3" = "completion --words probes" ] && printf "%s\\n" tracepoint:sched:sched_switch '
        "tracepoint:sched:sched_wakeup tracepoint:\n"
    )
    command.chmod(0o755)
    return folder


def _bash(fake_command: Path, line: str) -> list[str]:
    """What bash completes at the end of `line`."""
    script = completion_script("bash") + (
        f"COMP_LINE={line!r}; COMP_POINT=${{#COMP_LINE}}; compopt() {{ :; }}; _kernscope\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "-c", script],
        env=os.environ | {"PATH": f"{fake_command}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.stderr == ""
    return done.stdout.split()


def completion_script(shell: str) -> str:
    from kernscope.cli.completion_scripts import SCRIPTS

    return SCRIPTS[shell]()


def test_bash(fake_command: Path) -> None:
    assert _bash(fake_command, "kernscope ru") == ["run"]
    assert set(COMMANDS) <= set(_bash(fake_command, "kernscope "))
    assert _bash(fake_command, "kernscope run --unsa") == ["--unsafe"]
    assert _bash(fake_command, "kernscope run -f ") == ["text", "json"]
    assert _bash(fake_command, "kernscope run -q -B l") == ["line"]
    assert _bash(fake_command, "kernscope run -o ") == []  # files
    assert _bash(fake_command, "kernscope list trace") == [
        "tracepoint:sched:sched_switch",
        "tracepoint:sched:sched_wakeup",
        "tracepoint:",
    ]
    # bash takes what follows the last colon for the word
    assert _bash(fake_command, "kernscope list -v tracepoint:sched:sched_s") == ["sched_switch"]


def test_fish(fake_command: Path, tmp_path: Path) -> None:
    import shutil

    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    file = tmp_path / "script"
    file.write_text(completion_script("fish"))

    def completed(line: str) -> list[str]:
        done = subprocess.run(
            ["fish", "--no-config", "-c", f"source {file}; complete -C '{line}'"],
            env=os.environ | {"PATH": f"{fake_command}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert done.stderr == ""
        return [row.split("\t")[0] for row in done.stdout.splitlines()]

    assert completed("kernscope ru") == ["run"]
    assert completed("kernscope run --unsa") == ["--unsafe"]
    assert completed("kernscope run -f t") == ["text"]
    assert "tracepoint:sched:sched_switch" in completed("kernscope list tracepoint:sched:")


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_scripts_name_every_subcommand_and_option(shell: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capfd.readouterr().out
    for name in COMMANDS:
        assert name in script
        for option in command_named(name).options:
            for spelling in option.names:
                assert (spelling.lstrip("-") if shell == "fish" else spelling) in script


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_scripts_are_good_syntax(shell: str, tmp_path: Path) -> None:
    import shutil

    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    file = tmp_path / "script"
    file.write_text(completion_script(shell))
    done = subprocess.run([shell, "-n", str(file)], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")


def test_words(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["tracepoint:sched:a", "tracepoint:sched:b", "tracepoint:syscalls:sys_enter_open", "interval:s:N"]
    monkeypatch.setattr(
        kernscope,
        "list_probes",
        lambda pattern: [n for n in names if n.startswith(pattern.rstrip("*"))],
        raising=False,
    )

    def words(kind: str, prefix: str) -> list[str]:
        assert main(["completion", "--words", kind, "--", prefix]) == 0
        return capfd.readouterr().out.split()

    assert words("probes", "") == ["tracepoint:", "interval:"]
    assert words("probes", "tracepoint:s") == ["tracepoint:sched:", "tracepoint:syscalls:"]
    assert words("probes", "tracepoint:sched:") == names[:2]
    assert words("syscalls", "o") == ["open"]
    assert "unknown-field" in words("codes", "unknown-f")
    assert words("shells", "b") == ["bash"]


def test_completion_needs_a_shell() -> None:
    assert main(["completion"]) == 2 and main(["completion", "csh"]) == 2


# The manual page


def test_the_manual_has_every_subcommand_and_option() -> None:
    page = manual()
    for name in COMMANDS:
        assert f".SS kernscope {name}\n" in page
        for option in command_named(name).options:
            assert all("\\fB" + n.replace("-", "\\-") + "\\fR" in page for n in option.names)
    assert [title for title in SECTIONS if f"Options, {title}" not in page.replace("\\-", "-")] == []


def test_the_manual_is_good_roff() -> None:
    import shutil

    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww"], input=manual(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and done.stderr == "" and "kernscope run" in done.stdout
