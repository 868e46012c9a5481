"""From the stacks of a program's maps, which are numbers, to frames.

A stack in the form `raw` is text: one hexadecimal word per line, the leaf first. The words are addresses; a stack that
could not be followed to its root ends with a mark (`kernscope.tables.unwinding`).
"""

from __future__ import annotations

from kernscope.profiler.profile import Frame
from kernscope.tables.unwinding import INCOMPLETE, Reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class UserSymbol(Protocol):
        """What is used of `kernscope.symbols.UserSymbol`."""

        name: str
        path: str
        file_address: int

    class Symbols(Protocol):
        """What is used of `Session.facts`."""

        def kernel_symbol(self, address: int) -> tuple[str, int] | None: ...

        def user_symbol(self, pid: int, address: int) -> UserSymbol | None: ...


__all__ = ["INCOMPLETE_FRAMES", "UNKNOWN", "Stacks"]

UNKNOWN = "[unknown]"

INCOMPLETE_FRAMES = {
    Reason.NO_RULE: Frame("[incomplete: code without unwind information]", "mark"),
    Reason.NOT_MAPPED: Frame("[incomplete: code that was new]", "mark"),
    Reason.BAD_MEMORY: Frame("[incomplete: the stack could not be read]", "mark"),
    Reason.TOO_DEEP: Frame("[incomplete: too deep]", "mark"),
}
"""What stands in the place of the root of a stack that was not followed to its end, by reason."""


class Stacks:
    """Turns addresses into frames, each once."""

    def __init__(self, symbols: Symbols) -> None:
        self._symbols = symbols
        self._kernel: dict[str, Frame] = {}
        self._user: dict[tuple[int, str], Frame] = {}

    def frames(self, pid: int, kernel: str, user: str) -> list[Frame]:
        """The whole stack of a thread, the root first: what the process did, then what the kernel did for it."""
        found = [self._user_frame(pid, word) for word in reversed(user.split())]
        found += [self._kernel_frame(word) for word in reversed(kernel.split())]
        return found

    def _kernel_frame(self, word: str) -> Frame:
        frame = self._kernel.get(word)
        if frame is None:
            address = int(word, 16)
            symbol = self._symbols.kernel_symbol(address)
            frame = Frame(symbol[0] if symbol else UNKNOWN, "kernel", address=address)
            self._kernel[word] = frame
        return frame

    def _user_frame(self, pid: int, word: str) -> Frame:
        frame = self._user.get((pid, word))
        if frame is None:
            address = int(word, 16)
            mark = INCOMPLETE_FRAMES.get(address ^ INCOMPLETE)
            if mark is not None:
                return mark
            symbol = self._symbols.user_symbol(pid, address)
            if symbol is None:
                frame = Frame(UNKNOWN, "native", address=address)
            else:
                name = symbol.name or UNKNOWN
                kind = "jit" if symbol.path.startswith("/tmp/perf-") else "native"
                frame = Frame(name, kind, symbol.path, address=symbol.file_address)
            self._user[pid, word] = frame
        return frame
