"""Exceptions as messages and exit codes."""

import errno
import os

from kernscope.cli.options import UsageError
from kernscope.cli.terminal import complain, terminal_width, use_color

__all__ = ["DONE", "INTERRUPTED", "KERNEL_REFUSED", "OUR_BUG", "PROGRAM_WRONG", "USAGE", "report"]

DONE, PROGRAM_WRONG, USAGE, KERNEL_REFUSED = 0, 1, 2, 3
OUR_BUG = 70
"""EX_SOFTWARE of sysexits.h."""
INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""

_AS_ROOT = "run it as root, for instance with sudo; `kernscope doctor` shows what is missing here"


def report(error: BaseException, command: str) -> int:
    """Say what went wrong, in one place for all subcommands, and return the exit code.

    With KERNSCOPE_DEBUG set the traceback comes first, whatever it was.
    """
    if os.environ.get("KERNSCOPE_DEBUG"):
        import traceback

        complain("".join(traceback.format_exception(error)))
    if isinstance(error, UsageError):
        help = f"\n  = help: `kernscope {command} --help` shows how" if command else ""
        complain(f"kernscope: {error}{help}")
        return USAGE
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    import kernscope

    if isinstance(error, kernscope.CompileError):
        text = kernscope.render_text(error.diagnostics, color=use_color(2), width=terminal_width())
        complain(text)
        return PROGRAM_WRONG
    if isinstance(error, kernscope.BundleError):
        _explain(str(error), "", error.help)
        return PROGRAM_WRONG
    if isinstance(error, kernscope.VerifierError):
        return _verifier_refusal(error)
    if isinstance(error, kernscope.NotSupportedError):
        _explain(f"{error.feature} does not work here", f"it needs {error.needs}", error.instead)
        return KERNEL_REFUSED
    if isinstance(error, kernscope.SessionError):
        _explain(str(error), "", error.help)
        return KERNEL_REFUSED
    if isinstance(error, kernscope.KernelError):
        not_allowed = error.errno in (errno.EPERM, errno.EACCES) and os.geteuid() != 0
        _explain(str(error), "", _AS_ROOT if not_allowed else error.hint)
        return KERNEL_REFUSED
    if isinstance(error, OSError) and error.errno is not None:
        where = f"{error.filename}: " if error.filename else ""
        complain(f"error: {where}{error.strerror}")
        return KERNEL_REFUSED
    return _our_bug(error)


def _explain(message: str, note: str, help: str) -> None:
    lines = [f"error: {message}"]
    if note:
        lines.append(f"  = note: {note}")
    if help:
        lines.append(f"  = help: {help}")
    complain("\n".join(lines))


def _verifier_refusal(error: Exception) -> int:
    complain(
        f"error[verifier]: {error}\n"
        "  = note: the kernel's verifier refused a program that we compiled: a defect of Kernscope\n"
        "  = help: KERNSCOPE_DEBUG=1 shows the whole log; please report it with the program"
    )
    if os.environ.get("KERNSCOPE_DEBUG"):
        complain(str(getattr(error, "log", "")))
    return OUR_BUG


def _our_bug(error: BaseException) -> int:
    complain(
        f"error[our-bug]: {type(error).__name__}: {error}\n"
        "  = note: this is a defect of Kernscope, not of your program\n"
        "  = help: run the same with KERNSCOPE_DEBUG=1 for the details, and please report them"
    )
    return OUR_BUG
