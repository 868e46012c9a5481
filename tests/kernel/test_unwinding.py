"""Stacks by unwind tables, of programs whose answer is known."""

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from command_line import needs_tracing
from profile_needs import needs_gcc, needs_tables

import kernscope

pytestmark = [needs_tracing, needs_tables]

PROGRAM = """
config = { unwind = "tables"; python_frames = true; max_map_keys = 65536 }
profile:hz:499 /pid == cpid/ { @[ustack] = count(); }
"""

# Without frame pointers, and with a call back through the C library; a signal comes in while it works.
SOURCE = r"""
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#define OWN __attribute__((noinline, noclone))
static volatile unsigned sum;
OWN static void work(void) { for (unsigned i = 0; i < 20000; i++) sum += i * i; }
OWN static int compare(const void *a, const void *b) { work(); return *(const int *)a - *(const int *)b; }
OWN static void sorted(void) { int n[] = {3, 1, 2}; qsort(n, 3, sizeof *n, compare); sum += n[0]; }
OWN static void aligned(int n) {
    __attribute__((aligned(64))) char wide[128];
    char *more = __builtin_alloca(n);
    memset(wide, n, sizeof wide); memset(more, n, n);
    work();
    sum += wide[n & 127] + more[0];
}
OWN static void in_signal(void) { for (unsigned i = 0; i < 300000; i++) sum += i * i; }
static void on_alarm(int number) { in_signal(); sum += number; }
int main(int argc, char **argv) {
    struct itimerval often = {{0, 5000}, {0, 5000}};
    time_t end = time(NULL) + 3;
    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &often, NULL);
    while (time(NULL) < end) { sorted(); aligned(argc * 100); }
    return sum == 1;
}
"""

THREADS = """
import threading, time
end = time.monotonic() + 2.5
def spin():
    while time.monotonic() < end: sum(i * i for i in range(2000))
def first_worker(): spin()
def second_worker(): spin()
def third():
    while time.monotonic() < end: sorted([str(i) for i in range(500)], key=shown)
def shown(text): return text[::-1]
threads = [threading.Thread(target=f) for f in (first_worker, second_worker, third)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


JAVASCRIPT = """
function inner(n) { let s = 0; for (let i = 0; i < n; i++) s += Math.sqrt(i) * i % 7; return s }
function outer(n) { return inner(n) + 1 }
const end = Date.now() + 1500
let sum = 0
while (Date.now() < end) sum += outer(10000) + [3, 1, 2].map(x => inner(x * 500)).length
"""


def stacks(command: Sequence[str | Path], runs: int = 2) -> Counter[str]:
    """Samples by stack. The command runs twice: the first time its libraries' tables may have to be read."""
    for _ in range(runs):
        with kernscope.run(PROGRAM, command=[str(word) for word in command]) as session:
            session.wait()
    # In the middle of exec there is no stack.
    return Counter({str(stack): count for stack, count in session.maps["@"].items() if str(stack).strip()})


def share(found: Counter[str], *texts: str) -> float:
    """Which part of the samples has all these texts in its stack."""
    return (
        sum(count for stack, count in found.items() if all(text in stack for text in texts)) / found.total()
    )


def order(stack: str, *names: str) -> bool:
    """Whether a stack has these functions in this order, the leaf first."""
    at = -1
    for name in names:
        at = stack.find(name, at + 1)
        if at < 0:
            return False
    return True


@needs_gcc
def test_c_without_frame_pointers(tmp_path: Path) -> None:
    (tmp_path / "p.c").write_text(SOURCE)
    subprocess.run(["gcc", "-O2", "-fomit-frame-pointer", "-o", tmp_path / "p", tmp_path / "p.c"], check=True)
    found = stacks([tmp_path / "p"])
    assert found.total() > 50
    assert share(found, "_start") > 0.95, found
    assert share(found, "incomplete") < 0.05, found
    assert any(order(s, "work+", "compare+", "sorted+", "main+", "_start+") for s in found), found
    assert any(order(s, "work+", "aligned+", "main+", "_start+") for s in found), found
    assert any(order(s, "in_signal+", "on_alarm+", "main+", "_start+") for s in found), found


def test_python_functions(tmp_path: Path) -> None:
    script = tmp_path / "threads.py"
    script.write_text(THREADS)
    found = stacks([sys.executable, script])
    if share(found, "threads.py:") == 0:
        pytest.skip("this interpreter has no symbols, or is not one whose frames can be read")
    assert found.total() > 50
    assert share(found, "incomplete") < 0.1, found
    for name in ("first_worker", "second_worker"):
        assert any(order(s, "spin (", f"{name} (", "Thread.run (", "Thread._bootstrap (") for s in found), (
            found
        )
    # A call from C in between: sorted() calls the key function.
    assert any(order(s, "shown (", "list_sort_impl", "third (", "Thread.run (") for s in found) or any(
        order(s, "shown (", "third (", "Thread.run (") for s in found
    ), found


def test_a_program_that_becomes_another_one(tmp_path: Path) -> None:
    """After exec the old mappings must not be used."""
    script = tmp_path / "spin.py"
    script.write_text("import time\nend = time.monotonic() + 1.5\nwhile time.monotonic() < end: pass\n")
    shell = f"i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exec {sys.executable} {script}"
    found = stacks(["/bin/sh", "-c", shell])
    assert found.total() > 30
    assert share(found, "incomplete") < 0.2, found
    assert share(found, "spin.py:", "_start+") > 0.2, found


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_node_names_what_it_generates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Generated code, between it code of the program that no table describes, and native code in one stack."""
    monkeypatch.chdir(tmp_path)  # it writes a log into the folder where it is started
    script = tmp_path / "loop.js"
    script.write_text(JAVASCRIPT)
    found: Counter[str] = Counter()
    for _ in range(6):  # the table of a program of 100 MB takes seconds to be read for the first time
        found = stacks(["node", "--perf-basic-prof", script], runs=1)
        if share(found, "loop.js", "main+") > 0.6:
            break
    # Which of the script's functions have frames is the compiler's choice: it puts one into another as it likes.
    assert share(found, "loop.js", "main+", "_start+") > 0.6, found
    assert any(order(s, "loop.js", "Builtins_JSEntry", "main+") for s in found), found
