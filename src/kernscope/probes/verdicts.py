"""What an action may decide about the event that it is run for: whether the kernel goes on with it.

A kind whose programs' return value means something has `verdicts`. The functions `allow`, `deny`, `accept` and `drop`
(see `kernscope.catalog.functions.verdicts`) ask it for the value that each has there. An action that decides nothing
returns the default: the kernel goes on as if there were no program.
"""

__all__ = ["Verdicts"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Verdicts:
    """The verdicts of one kind of probes.

    Args:
        default: what a program returns that decides nothing.
        values: verdict name → what the program returns. None: the negative of the errno that the verdict is given.
        takes_errno: whether a refusal can say which error the process gets.
        of_processes: whether the events happen in the process that they are about, so that the tracer's own can be
            told from others: those are never refused.
    """

    __slots__ = ("default", "of_processes", "takes_errno", "values")

    def __init__(
        self,
        default: int,
        values: "Mapping[str, int | None]",
        *,
        takes_errno: bool = False,
        of_processes: bool = False,
    ) -> None:
        self.default, self.values = default, values
        self.takes_errno, self.of_processes = takes_errno, of_processes

    def value(self, name: str, errno: int) -> int:
        """What a program returns for a verdict."""
        found = self.values[name]
        return -errno if found is None else found
