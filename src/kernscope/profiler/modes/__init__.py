"""What can be profiled: one module per mode, and the table here.

A mode is a program of our language, and what its maps mean; `kernscope.profiler.modes.base.Mode` says what a module
provides.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.profiler.modes.base import Mode

__all__ = ["MODES", "mode_named"]

MODES: dict[str, str] = {
    "cpu": "what runs on the processors",
    "offcpu": "what waits, for how long, and for what",
    "syscalls": "time in system calls, by call and by who made it",
    "io": "requests to disks: how long they take, how large they are, who made them",
    "faults": "page faults: who touches memory for the first time, or has to read it from a disk",
    "alloc": "memory that is asked for, and what of it was never given back",
}
"""Name → what it shows. Each lives in the module of its name, with its `MODE`."""


def mode_named(name: str) -> Mode:
    """The entry; KeyError if there is none."""
    if name not in MODES:
        raise KeyError(name)
    mode: Mode = import_module(f"kernscope.profiler.modes.{name}").MODE
    return mode
