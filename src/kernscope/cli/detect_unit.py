"""`kernscope detect unit`: the systemd unit of the service."""

import os
import sys

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.options import Arguments, Option, UsageError
from kernscope.cli.terminal import write

__all__ = ["COMMAND"]


def _command() -> list[str]:
    """What runs this program again: its own file, or the module."""
    program = os.path.abspath(sys.argv[0])
    if os.path.basename(program) == "kernscope" and os.access(program, os.X_OK):
        return [program]
    return [sys.executable, "-m", "kernscope.cli"]


def _run(arguments: Arguments) -> int:
    path = arguments.text("config")
    if not os.path.isabs(path):
        raise UsageError("`--config` is an absolute path in a unit")
    write(kernscope.detector.unit_text(_command(), path))
    return 0


COMMAND = Command(
    "detect unit",
    ["[--config FILE]"],
    "Print a systemd unit that runs the detector, restricted to what it needs.",
    [Option("--config", "FILE", "the configuration of the service", default="/etc/kernscope/detect.yaml")],
    _run,
    examples=[
        ("> /etc/systemd/system/kernscope-detect.service", "install it; then `systemctl daemon-reload`")
    ],
)
