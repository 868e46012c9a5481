"""System-call tables against the headers, the running kernel's tracefs and known numbers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kernscope.tables.syscalls import (
    NO_RETURN,
    names,
    numbers,
    syscall_of_tracepoint,
    tracepoint_of_syscall,
)
from kernscope.tables.syscalls.arguments import CALLS

ROOT = Path(__file__).resolve().parents[3]
TOOL = ROOT / "tools" / "generate_syscalls.py"
TRACEFS = Path("/sys/kernel/tracing/events/syscalls")


@pytest.mark.parametrize(
    ("machine", "number", "name"),
    [
        # syscall(2) and the kernel's tables, by hand
        ("x86_64", 0, "read"),
        ("x86_64", 1, "write"),
        ("x86_64", 59, "execve"),
        ("x86_64", 231, "exit_group"),
        ("x86_64", 257, "openat"),
        ("x86_64", 321, "bpf"),
        ("i386", 5, "open"),
        ("i386", 102, "socketcall"),
        ("i386", 295, "openat"),
        ("x86_64", 437, "openat2"),
        ("x86_64", 463, "setxattrat"),
        ("aarch64", 56, "openat"),
        ("aarch64", 63, "read"),
        ("aarch64", 79, "newfstatat"),
        ("aarch64", 80, "fstat"),
        ("aarch64", 221, "execve"),
        ("aarch64", 222, "mmap"),
        ("aarch64", 280, "bpf"),
        ("aarch64", 437, "openat2"),
    ],
)
def test_known_numbers(machine: str, number: int, name: str) -> None:
    assert names(machine)[number] == name
    assert numbers(machine)[name] == number


def test_a_machine_without_a_table_is_an_error() -> None:
    with pytest.raises(KeyError):
        names("vax")


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_regenerating_gives_the_same_file(machine: str) -> None:
    result = subprocess.run([sys.executable, TOOL, machine], capture_output=True, text=True, timeout=60)
    if "FileNotFoundError" in result.stderr:
        pytest.skip("the kernel's UAPI headers are not installed")
    committed = (ROOT / f"src/kernscope/tables/syscalls/{machine}.py").read_text()
    assert result.stdout == committed


def test_tracepoint_names_go_both_ways() -> None:
    assert tracepoint_of_syscall("stat") == "newstat"
    assert syscall_of_tracepoint("newstat") == "stat"
    assert tracepoint_of_syscall("openat") == syscall_of_tracepoint("openat") == "openat"
    assert set(names("x86_64").values()) >= NO_RETURN


def tracepoints() -> list[str]:
    if os.uname().machine != "x86_64" or not os.access(TRACEFS, os.R_OK):
        pytest.skip("needs tracefs of an x86_64 kernel")
    return sorted(p.name.removeprefix("sys_enter_") for p in TRACEFS.glob("sys_enter_*"))


def test_each_tracepoint_of_this_kernel_has_a_number() -> None:
    known = numbers("x86_64")
    assert [t for t in tracepoints() if syscall_of_tracepoint(t) not in known] == []


def test_argument_names_are_those_of_this_kernel() -> None:
    wrong = {}
    for tracepoint in tracepoints():
        text = (TRACEFS / f"sys_enter_{tracepoint}" / "format").read_text()
        theirs = re.findall(r"field:[^;]*?(\w+);", text.partition("__syscall_nr")[2])
        entry = CALLS.get(syscall_of_tracepoint(tracepoint), "").partition("->")[0]
        ours = [word.lstrip("@").partition(":")[0] for word in entry.split()]
        if ours != theirs:
            wrong[tracepoint] = (ours, theirs)
    # Kernels differ; what differs is decoded generically.
    assert len(wrong) < 30, wrong
    if os.uname().release.startswith("6.18."):
        assert wrong == {}


def test_every_entry_is_a_system_call_somewhere() -> None:
    everywhere = set(names("x86_64").values()) | set(names("aarch64").values())
    assert set(CALLS) <= everywhere
    assert len(CALLS) > 300
