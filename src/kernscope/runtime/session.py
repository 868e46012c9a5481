"""The life of a running program.

    start    maps are created and filled, programs loaded; `begin` programs run; the others are attached; a command
             that was given is let go
    run      records are drained and handed to the sinks, until exit(), stop(), a signal, the end of the command or of
             the process `pid`, or the end of `duration`
    end      the others are detached; `end` programs run; the last records are drained; the maps' contents are kept
             (`session.maps`) and handed to the sinks; everything is closed

A session is used from one thread; only `stop()` may be called from anywhere, also from a signal handler.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

from kernscope.bundle import Attach, Bundle
from kernscope.kernel.interface import KernelAccess
from kernscope.output.events import Event
from kernscope.output.sink import Sink

__all__ = ["Session"]


class Session:
    """Runs `bundle` on `kernel`.

    Args:
        sinks: where output goes, as it comes. Iterating over the session adds one of its own.
        command: arguments of a child process to start; it waits until all is attached, and its end ends the session.
        pid: a process whose end ends the session.
        duration: seconds from attached to end; None: no limit.
        print_maps: hand the maps to the sinks at the end.
        attach: replaces `kernscope.probes.attach`, for tests.

    Raises (from `start`): KernelError, AttachError, NotSupportedError; RefusedError, SessionError.
    """

    def __init__(
        self,
        bundle: Bundle,
        kernel: KernelAccess,
        *,
        sinks: Sequence[Sink] = (),
        command: Sequence[str] | None = None,
        pid: int | None = None,
        duration: float | None = None,
        print_maps: bool = True,
        attach: Callable[..., object] | None = None,
    ) -> None: ...

    def start(self) -> "Session":
        """Create, load, run `begin`, attach. A failure undoes what was done. Called by `with` and by the loops."""

    def run(self, *, signals: Sequence[int] = ()) -> int:
        """Go on until the end, then return the exit code of `exit()` (0 without). These `signals` end it cleanly."""

    def wait(self, timeout: float | None = None) -> bool:
        """Handle what comes for `timeout` seconds, or until the end. True if the session has ended."""

    def stop(self) -> None:
        """End the session soon: the loop that drains it finishes with `end` probes and maps."""

    def close(self) -> None:
        """End now, if it has not ended; nothing stays attached. Called by `with`."""
