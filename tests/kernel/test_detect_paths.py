"""Paths of calls where security hooks work: alerts name what the kernel worked on, not what memory says by then."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import KERNSCOPE, Tracer, eventually, kernscope, needs_tracing
from known_work import build

import kernscope as api

pytest.importorskip("yaml", reason="rules are YAML")
pytestmark = [
    needs_tracing,
    pytest.mark.skipif(
        not api.detector.hooks_here(api),
        reason="this kernel has no security hooks for programs (feature `lsm`)",
    ),
]

RULES = """
- rule: file
  desc: files in the watched folder
  condition: >
    evt.type in (unlink, unlinkat, rename, chmod, truncate, mkdir, symlink, link) and
    (fs.path.name startswith {folder}/w/ or fs.path.source startswith {folder}/w/ or
    fs.path.target startswith {folder}/w/)
  output: >
    %evt.type %evt.res %proc.pid %fs.path.name %fs.path.nameraw %fs.path.source %fs.path.target %proc.cmdline
  priority: WARNING
- rule: program
  desc: programs in the watched folder
  condition: evt.type in (execve, execveat) and fs.path.name startswith {folder}/w/
  output: "%evt.type %evt.res %fs.path.name %fs.path.nameraw %proc.exepath"
  priority: WARNING
"""
Alert = dict[str, object]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In it `w` is watched, `link` leads to `w`, and `h` and `t` are harmless."""
    folder = tmp_path_factory.mktemp("paths").resolve()
    for name in "wht":
        (folder / name).mkdir()
    (folder / "link").symlink_to("w")
    return folder


@pytest.fixture(scope="module")
def detector(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracer]:
    rules = tmp_path_factory.mktemp("rules") / "rules.yaml"
    rules.write_text(RULES.format(folder=folder))
    command = [*KERNSCOPE, "detect", "run", str(rules), "-f", "json", "--no-store"]
    with Tracer(command=command, ready="watching by") as tracer:
        yield tracer


def alerts(detector: Tracer, word: str, least: int = 1) -> list[Alert]:
    """The fields of all alerts whose text holds a word, when there are so many."""

    def found() -> list[Alert]:
        lines = detector.out.split("\n")[:-1]
        return [json.loads(line)["fields"] for line in lines if word in line]

    assert eventually(lambda: len(found()) >= least, 30), (word, found(), detector.err[-2000:])
    return found()


def python(text: str, *arguments: object) -> None:
    subprocess.run([sys.executable, "-c", text, *map(str, arguments)], check=True, timeout=120)


def end_of_work(detector: Tracer, folder: Path, mark: str) -> None:
    """An alert behind all others of what was done before."""
    python("import os, sys; os.mkdir(sys.argv[1])", folder / "w" / mark)
    alerts(detector, mark)


@pytest.mark.parametrize(("call", "key"), [("unlink", "fs.path.name"), ("rename", "fs.path.source")])
def test_a_path_that_another_thread_changes(
    detector: Tracer, folder: Path, tmp_path: Path, call: str, key: str
) -> None:
    """The program itself tells what has gone, whatever it was called."""
    program = build("path_race", tmp_path)
    if isinstance(program, str):
        pytest.skip(program)
    done = subprocess.run(
        [program, call, folder, "60"], capture_output=True, text=True, timeout=120, check=True
    )
    taken = done.stdout.split()
    end_of_work(detector, folder, f"end-of-{call}")
    found = [
        fields for fields in alerts(detector, f"path_race {call}", len(taken)) if fields["evt.type"] == call
    ]
    assert [fields[key] for fields in found] == taken
    assert {fields["evt.res"] for fields in found} <= {"SUCCESS"}


def test_directories_that_are_links(detector: Tracer, folder: Path) -> None:
    text = """
import os, sys
os.chdir(sys.argv[1])
open("link/one", "w").close()
os.chmod("link/one", 0o600)
os.truncate(sys.argv[1] + "/link/../link/one", 0)
os.rename("link/one", "h/../link/two")
os.link("link/two", "link/three")
os.symlink("../w/two", "link/four")
os.mkdir("link/five")
for name in ("two", "three", "four"):
    os.unlink("link/" + name)
"""
    python(text, folder)
    end_of_work(detector, folder, "end-of-links")
    watched = folder / "w"
    found = [
        (one["evt.type"], one["fs.path.name"] or one["fs.path.source"], one["fs.path.target"])
        for one in alerts(detector, "os.chmod")
    ]
    assert found == [
        ("chmod", f"{watched}/one", None),
        ("truncate", f"{watched}/one", None),
        ("rename", f"{watched}/one", f"{watched}/two"),
        ("link", f"{watched}/two", f"{watched}/three"),
        ("symlink", f"{folder.parent}/w/two", f"{watched}/four"),  # the text, from the working directory
        ("mkdir", f"{watched}/five", None),
        *(("unlink", f"{watched}/{name}", None) for name in ("two", "three", "four")),
    ]


def test_what_fails_before_the_hook_has_no_path_of_another_call(detector: Tracer, folder: Path) -> None:
    text = """
import os, sys
open("/".join((sys.argv[1], "w", "there")), "w").close()
for name in ("w/there", "w/never", "h/never", "w/there/below"):
    try: os.unlink(sys.argv[1] + "/" + name)
    except OSError: pass
"""
    python(text, folder)
    end_of_work(detector, folder, "end-of-failures")
    found = [(one["evt.res"], one["fs.path.name"]) for one in alerts(detector, "w/never")]
    assert found == [
        ("SUCCESS", f"{folder}/w/there"),
        ("ENOENT", f"{folder}/w/never"),
        ("ENOENT", f"{folder}/w/there/below"),
    ]


def test_scripts_and_what_cannot_be_executed(detector: Tracer, folder: Path) -> None:
    script, bad = folder / "w" / "script", folder / "w" / "bad"
    script.write_text("#!/bin/sh\ntrue\n")
    bad.write_bytes(b"\0\1\2")
    for file in (script, bad):
        file.chmod(0o755)
    subprocess.run(["link/script"], cwd=folder, check=True, timeout=60)
    text = """
import os, sys
try: os.execv("link/bad", ["bad"])
except OSError: pass
with open("/bin/true", "rb") as source, open("link/program", "wb") as program:
    program.write(source.read())
os.chmod("link/program", 0o755)
os.execve(os.open("link/program", os.O_RDONLY), ["x"], {})
"""
    subprocess.run([sys.executable, "-c", text], cwd=folder, check=True, timeout=60)
    end_of_work(detector, folder, "end-of-programs")
    found = {
        str(one["fs.path.name"]): (one["evt.type"], one["evt.res"], one["fs.path.nameraw"])
        for one in alerts(detector, "exec")
        if str(one["evt.type"]).startswith("exec")
    }
    assert found.pop(f"{folder}/w/program")[:2] == ("execveat", "SUCCESS")
    assert found == {
        str(script): ("execve", "SUCCESS", "link/script"),
        str(bad): ("execve", "ENOEXEC", "link/bad"),
    }


def test_what_operations_of_io_uring_work_on(detector: Tracer, folder: Path, tmp_path: Path) -> None:
    program = build("uring", tmp_path)
    if isinstance(program, str):
        pytest.skip(program)
    for name, path in (("by-ring", folder / "link" / "by-ring"), ("plain-ring", folder / "w" / "plain-ring")):
        (folder / "w" / name).write_text("")
        done = subprocess.run([program, "unlink", path], capture_output=True, text=True, timeout=60)
        if done.returncode == 3 or done.stdout.strip() == "-22":
            pytest.skip("no io_uring here that removes files")
        assert done.stdout.strip() == "0"
    end_of_work(detector, folder, "end-of-rings")
    for name in ("by-ring", "plain-ring"):
        found = [(one["evt.type"], one["fs.path.name"]) for one in alerts(detector, name)]
        assert found == [("unlinkat", f"{folder}/w/{name}")]


def test_32_bit_programs(detector: Tracer, folder: Path, tmp_path: Path) -> None:
    program = build("compat", tmp_path)
    if isinstance(program, str):
        pytest.skip(program)
    (folder / "w" / "by-interrupt").write_text("")
    done = subprocess.run([program, "unlink", folder / "link" / "by-interrupt"], timeout=60)
    if done.returncode == 3:
        pytest.skip("this kernel runs no 32-bit programs")
    found = [(one["evt.type"], one["fs.path.name"]) for one in alerts(detector, "compat unlink")]
    assert found == [("unlink", f"{folder}/w/by-interrupt")]


def test_it_is_said(detector: Tracer, tmp_path: Path) -> None:
    assert "security hooks (LSM)" in detector.err
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES.format(folder="/watched"))
    explained = kernscope("detect", "explain", "file", str(rules))
    assert explained.returncode == 0 and "lsm:path_rename" in explained.stdout
