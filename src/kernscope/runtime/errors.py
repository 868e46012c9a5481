"""What can go wrong with a session, beyond what the kernel refuses."""

import errno

from kernscope.kernel.errors import VerifierError

__all__ = ["RefusedError", "SessionError"]


class SessionError(Exception):
    """The session cannot do what was asked: `message` says what, `help` what to do instead."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.help = help


class RefusedError(VerifierError):
    """The verifier refused a program that we made, which is our defect.

    `span` holds the `(start, end)` offsets of the source that the refused instruction came from, or None.
    """

    def __init__(self, error: VerifierError, span: tuple[int, int] | None) -> None:
        super().__init__(error.errno or 22, error.program, error.log, error.hint)
        self.span = span

    @property
    def too_large(self) -> bool:
        """Whether the kernel gave up checking, by its limits on the length and number of the program's paths."""
        # The log of so many steps may end before its reason.
        reasons = ("BPF program is too large", "The sequence of")
        return self.errno == errno.E2BIG or self.reason.startswith(reasons)
