"""Each command line does the same under bpftrace, where $BPFTRACE names one: output, and success or failure.

Messages on standard error differ on purpose; where bpftrace exits with 1, ours tells a wrong program (1), a wrong
command line (2) and a kernel that refuses (3) apart.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from command_line import KERNSCOPE, needs_tracing

BPFTRACE = os.environ.get("BPFTRACE", "")

pytestmark = [
    pytest.mark.skipif(not shutil.which(BPFTRACE), reason="needs the real tool: set BPFTRACE to its path"),
    needs_tracing,
]

HELLO = 'begin { printf("hello\\n"); @x = 1; exit(); }'
ARGUMENTS = 'begin { print(($1, $2, getopt("aa", 1), getopt("bb"))); exit(); }'
MAPS = "begin { @a = 1; @b[1] = 2; @c = count(); @h = hist(5); exit(4); }"

LINES: dict[str, list[str]] = {
    "text": ["-e", HELLO],
    "quiet": ["-q", "-e", HELLO],
    "json": ["-f", "json", "-e", HELLO],
    "quiet-json": ["-q", "-f", "json", "-e", HELLO],
    "maps": ["-e", MAPS],
    "maps-json": ["-f", "json", "-e", MAPS],
    "buffering-none": ["-B", "none", "-e", HELLO],
    "buffering-line": ["-B", "line", "-e", HELLO],
    "buffering-full": ["-B", "full", "-e", HELLO],
    "file": ["FILE"],
    "file-arguments": ["FILE", "7", "8"],
    "named-arguments": ["-e", ARGUMENTS, "p1", "--", "--aa=20", "--bb", "p2"],
    "named-arguments-all-behind": ["-e", ARGUMENTS, "--", "p1", "--aa=20", "--bb", "p2"],
    "unknown-named-argument": ["-e", ARGUMENTS, "--", "p1", "p2", "--cc"],
    "bundled": ["-qe", HELLO],
    "no-warnings": ["--no-warnings", "-e", HELLO],
    "warnings": ["-k", "-e", HELLO],
    "unsafe": ["--unsafe", "-e", 'begin { signal("SIGCONT"); exit(); }'],
    "not-unsafe": ["-e", 'begin { signal("SIGCONT"); exit(); }'],
    "dry-run": ["--dry-run", "-e", HELLO],
    "no-feature": ["--no-feature", "uprobe_multi", "-e", HELLO],
    "usdt-file-activation": ["--usdt-file-activation", "-e", HELLO],
    "command": ["-c", "/bin/echo hi", "-e", 'begin { printf("b\\n"); } end { printf("e\\n"); }'],
    "command-that-fails": ["-c", "/bin/false", "-e", "begin { @ = 1; }"],
    "no-such-command": ["-c", "/nonexistent/x", "-e", "begin { }"],
    "command-pid": ["-c", "/bin/true", "-e", 'begin { printf("%d\\n", cpid > 0); }'],
    "no-such-process": ["-p", "99999999", "-e", "begin { }"],
    "bad-process": ["-p", "abc", "-e", "begin { }"],
    "bad-option": ["--nope", "-e", HELLO],
    "bad-format": ["-f", "xml", "-e", HELLO],
    "bad-buffering": ["-B", "bad", "-e", HELLO],
    "bad-feature": ["--no-feature", "x", "-e", HELLO],
    "bad-stage": ["-d", "bogus", "-e", HELLO],
    "bad-mode": ["--mode", "bogus", "-e", HELLO],
    "bad-output": ["-o", "/nonexistent/x", "-e", HELLO],
    "bad-program": ["-e", "begin { foo }"],
    "no-such-file": ["/nonexistent.bt"],
    "nothing": [],
    "list": ["-l", "tracepoint:syscalls:sys_enter_open*"],
    "list-several": ["-l", "tracepoint:syscalls:*openat,tracepoint:syscalls:*execve"],
    "list-short": ["-l", "t:sched:sched_sw*"],
    "list-without-category": ["-l", "tracepoint:sched_switch"],
    "list-none": ["-l", "tracepoint:nope:*"],
    "list-arguments": ["-lv", "tracepoint:sched:sched_process_exec"],
    "list-program": ["-l", "-e", "tracepoint:syscalls:sys_enter_op* { }"],
    "list-program-arguments": ["-lv", "-e", "tracepoint:raw_syscalls:sys_enter { }"],
    "list-struct": ["-lv", "struct list_head"],
    "list-union": ["-lv", "union sigval"],
    "list-enum": ["-lv", "enum cpu_usage_stat"],
    "list-structs": ["-l", "struct list_*"],
    "list-signals": ["-l", "self:*"],
    "bench-json-keys": ["--bench", "-f", "json", "-e", "bench:a { } bench:b { @ = count(); }"],
    "test-none": ["--test", "-e", "begin { exit(); }"],
}


def _run(command: list[str], arguments: list[str], folder: Path) -> tuple[int, str]:
    file = folder / "p.bt"
    file.write_text('#!/usr/bin/env bpftrace\nbegin { printf("%d %d %d\\n", $1, $2, $#); exit(); }\n')
    given = [str(file) if a == "FILE" else a for a in arguments]
    done = subprocess.run([*command, *given], capture_output=True, text=True, timeout=60, cwd="/")
    # Which numbers a benchmark finds is another question.
    return done.returncode, re.sub(r'("average"|"iters"): \d+', r"\1: N", done.stdout)


def _shown(name: str, out: str) -> object:
    """What is compared: not the order of a listing, nor which of two processes writes first."""
    return sorted(out.splitlines()) if name.startswith(("list", "command")) else out


@pytest.mark.parametrize("name", LINES)
def test_same_command_line(name: str, tmp_path: Path) -> None:
    theirs, ours = _run([BPFTRACE], LINES[name], tmp_path), _run([*KERNSCOPE, "run"], LINES[name], tmp_path)
    assert (ours[0] == 0) == (theirs[0] == 0)
    if theirs[0] not in (0, 1, 255):
        assert ours[0] == theirs[0]
    assert _shown(name, ours[1]) == _shown(name, theirs[1])
