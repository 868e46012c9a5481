"""What reactions share: kinds of steps, and what a step may use."""

from __future__ import annotations

from typing import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kernscope.detector.alert import Alert
    from kernscope.detector.reactions.protection import Protection
    from kernscope.detector.sinks.base import Setting
    from kernscope.runtime import Session

__all__ = ["Context", "Refused", "Step", "StepKind"]


class Refused(Exception):
    """A step was not done, on purpose; the message says why."""


class Context:
    """What all steps have in common.

    Attributes:
        protection: what must not be touched.
        enforce: whether steps may stop, kill, deny and block.
        dry_run: only say what would be done, whatever the step.
        tell: takes a sentence about something that was done, or went wrong, later than the alert.
        boot_offset_ns: gives what alerts' times differ from times since boot.
        run: `kernscope.run`; None where no step may run a program in the kernel.
    """

    def __init__(
        self,
        protection: Protection,
        *,
        enforce: bool = False,
        dry_run: bool = False,
        tell: Callable[[str], None] = lambda text: None,
        boot_offset_ns: Callable[[], int] | None = None,
        run: Callable[..., Session] | None = None,
    ) -> None:
        from kernscope.kernel.process_table import boot_offset_ns as read_offset

        self.protection, self.enforce, self.dry_run, self.tell = protection, enforce, dry_run, tell
        self.run = run
        self.boot_offset_ns = boot_offset_ns if boot_offset_ns is not None else read_offset


class Step(Protocol):
    """One step of a ladder. Methods do not wait for long and raise Refused or OSError only."""

    def would(self, alert: Alert) -> str:
        """What `act` would do, as the end of a sentence that begins with `would`."""

    def act(self, alert: Alert, incident: int) -> str:
        """Do it; what was done, as a sentence without a full stop."""

    def prepare(self) -> None:
        """Called once, before anything is watched: a step that cannot work here raises."""

    def tick(self) -> None:
        """Called about every second: what was done for a time is undone."""

    def close(self) -> None:
        """Undo what can be undone."""


class StepKind:
    """One kind of step: its name in a configuration, what it does, its settings.

    Args:
        enforces: whether it changes what the machine does, which needs `--enforce`.
        make: makes a step from the settings' values. Raises ValueError with a message for people.
    """

    __slots__ = ("doc", "enforces", "make", "name", "settings")

    def __init__(
        self,
        name: str,
        doc: str,
        settings: Sequence[Setting],
        make: Callable[[Mapping[str, object], Context], Step],
        *,
        enforces: bool,
    ) -> None:
        self.name, self.doc, self.settings, self.make, self.enforces = name, doc, settings, make, enforces
