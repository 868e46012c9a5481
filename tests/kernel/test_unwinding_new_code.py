"""Stacks of processes and libraries that had not been there before, by unwind tables."""

import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from command_line import needs_tracing
from test_unwinding import needs_tables, order, share

import kernscope

pytestmark = [
    needs_tracing,
    needs_tables,
    pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed"),
]

# Each process calls once, from five frames down, and ends at once: nobody has time to look at it.
SHORT = r"""
#include <sys/syscall.h>
#include <unistd.h>
#define OWN __attribute__((noinline, noclone))
static volatile int sum;
OWN static void call(void) { syscall(SYS_getpgid, 0); sum++; }
OWN static void third(int n) { call(); sum += n; }
OWN static void second(int n) { third(n + 1); sum += n; }
OWN static void first(int n) { second(n + 1); sum += n; }
int main(int argc, char **argv) { first(argc); return 0; }
"""

# Takes a library when told to, and calls back from it.
TAKER = r"""
#include <dlfcn.h>
#include <sys/syscall.h>
#include <unistd.h>
static void call(void) { syscall(SYS_getpgid, 0); }
int main(int argc, char **argv) {
    syscall(SYS_getpgid, 0);
    void *library = dlopen(argv[1], RTLD_NOW);
    void (*taken)(void (*)(void)) = (void (*)(void (*)(void)))dlsym(library, "taken");
    for (int i = 0; i < 400; i++) { taken(call); usleep(5000); }
    return 0;
}
"""
LIBRARY = "int sum; __attribute__((noinline)) void taken(void (*back)(void)) { back(); sum++; }\n"

PROGRAM = """
config = { unwind = "tables"; python_frames = true }
tracepoint:syscalls:sys_enter_getpgid /comm == "NAME"/ { @[ustack] = count(); }
"""


def built(folder: Path, name: str, source: str, *options: str) -> Path:
    (folder / f"{name}.c").write_text(source)
    command = ["gcc", "-O2", "-fomit-frame-pointer", *options, "-o", folder / name, folder / f"{name}.c"]
    subprocess.run(command, check=True)
    return folder / name


def seen(program: str, command: list[str]) -> Counter[str]:
    with kernscope.run(program, command=command) as session:
        session.wait()
    return Counter({str(stack): count for stack, count in session.maps["@"].items()})


def test_processes_that_are_over_at_once(tmp_path: Path) -> None:
    """All but the first ones are complete and named, though most have ended before anything is read of them."""
    short = built(tmp_path, "ks-short", SHORT)
    found = seen(
        PROGRAM.replace("NAME", "ks-short"),
        [
            "/bin/sh",
            "-c",
            f"for i in 1 2 3; do {short}; sleep 1; done; i=0; while [ $i -lt 60 ]; do {short}; i=$((i+1)); done",
        ],
    )
    assert found.total() == 63
    whole = [
        s for s in found if order(s, "syscall+", "call+", "third+", "second+", "first+", "main+", "_start+")
    ]
    assert sum(found[s] for s in whole) >= 60, found


def test_a_library_that_is_loaded_later(tmp_path: Path) -> None:
    library = built(tmp_path, "libks.so", LIBRARY, "-fPIC", "-shared")
    taker = built(tmp_path, "ks-taker", TAKER)
    found = seen(PROGRAM.replace("NAME", "ks-taker"), [str(taker), str(library)])
    assert found.total() == 401
    assert share(found, "incomplete") < 0.9, found
    assert any(order(s, "syscall+", "call+", "taken+", "main+", "_start+") for s in found), found
