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
}
"""Name → what it shows. Each lives in the module of its name, with its `MODE`."""


def mode_named(name: str) -> Mode:
    """The entry; KeyError if there is none."""
    if name not in MODES:
        raise KeyError(name)
    mode: Mode = import_module(f"kernscope.profiler.modes.{name}").MODE
    return mode
