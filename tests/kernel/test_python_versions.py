"""Functions of Python in stacks, for every version of CPython that is installed here."""

import glob
import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from command_line import needs_tracing
from test_unwinding import needs_tables, order, share, stacks

pytestmark = [needs_tracing, needs_tables]

WORKLOAD = Path(__file__).with_name("python_workload.py")


def interpreters() -> list[str]:
    """One per file, by path."""
    found: dict[str, str] = {}
    for pattern in ("/usr/bin/python3.*", os.path.expanduser("~/.pyenv/versions/3.*/bin/python3")):
        for path in sorted(glob.glob(pattern)):
            real = os.path.realpath(path)
            if os.access(real, os.X_OK) and "config" not in real and _is_readable(real):
                found.setdefault(real, path)
    return list(found)


def _is_readable(path: str) -> bool:
    """From 3.11 on, with the global lock."""
    question = (
        "import sys; print(sys.version_info >= (3, 11) and getattr(sys, '_is_gil_enabled', lambda: 1)())"
    )
    done = subprocess.run([path, "-c", question], capture_output=True, text=True, check=False)
    return done.stdout.strip() in ("1", "True")


EXPECTED = [
    ("work (", "in_generator (", "takes_from_generator (", "in_main_thread (", "<module> ("),
    ("work (", "catches (", "in_main_thread (", "<module> ("),
    ("work (", "raises (", "raises (", "catches (", "<module> ("),
    ("work (", "called_by_c (", "calls_c (", "in_main_thread (", "<module> ("),
    ("work (", "in_other_thread (", "Thread.run ("),
    ("in_subinterpreter (", "runs_subinterpreter (", "Thread.run ("),
    ("work (", "deep (", "deep (", "[incomplete: too deep]"),
]


@pytest.mark.parametrize("path", interpreters())
def test_every_kind_of_stack(path: str) -> None:
    found: Counter[str] = Counter()
    for _ in range(
        8
    ):  # the first time the tables of its files may have to be read; a busy machine has few samples
        found += stacks([path, "-S", WORKLOAD, "2"], runs=1)
        missing = [names for names in EXPECTED if not any(order(stack, *names) for stack in found)]
        if not missing:
            break
    if share(found, "python_workload.py") == 0:
        pytest.skip("this interpreter has no symbols")
    assert not missing, found
    whole = Counter({s: n for s, n in found.items() if "work (" in s and "incomplete" not in s})
    rootless = {s: n for s, n in whole.items() if "Thread.run (" not in s and "<module> (" not in s}
    assert sum(rootless.values()) <= 0.1 * whole.total(), rootless
    assert share(whole, "deep (") <= 0.1, whole  # there are more of it than are kept
    assert share(found, "unknown Python function") <= 0.1, found
