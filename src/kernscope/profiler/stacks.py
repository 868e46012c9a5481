"""From the stacks of a program's maps, which are words, to frames.

A stack in the form `raw` is text: one hexadecimal word per line, the leaf first. `kernscope.output.words` says what
words there are besides addresses.
"""

from __future__ import annotations

from kernscope.output.words import incomplete_text, python_frame
from kernscope.profiler.profile import Frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.output.symbolic import SymbolFacts

__all__ = ["GENERATED", "UNKNOWN", "Stacks"]

UNKNOWN = "[unknown]"
GENERATED = "[generated code]"
"""Code that a process made itself, of which it says nothing."""

_NO_ADDRESS = 1 << 62


class Stacks:
    """Turns words into frames, each once. `symbols` are `Session.facts`.

    With `lines`, native frames have their files and lines, and behind each come the functions that were inlined there;
    `problems` then tells why nothing is known of a file, by its path.
    """

    def __init__(self, symbols: SymbolFacts, *, lines: bool = False) -> None:
        self._symbols, self._lines = symbols, lines
        self.problems: dict[str, str] = {}
        self._kernel: dict[int, Frame] = {}
        self._user: dict[tuple[int, int], tuple[Frame, ...]] = {}
        self._cgroups: dict[int, str] = {}
        self._boot_offset_ns: int | None = None

    def frames(self, pid: int, kernel: str, user: str) -> list[Frame]:
        """The whole stack of a thread, the root first: what the process did, then what the kernel did for it.

        Of callers it is the call that counts, which is before the address to return to: that may belong to the next
        function already.
        """
        in_process = [int(word, 16) for word in user.split()]
        in_kernel = [int(word, 16) for word in kernel.split()]
        found: list[Frame] = []
        for at in range(len(in_process) - 1, -1, -1):
            word = in_process[at]
            found += self._user_frames(pid, word - 1 if at and word < _NO_ADDRESS else word)
        callee = [self._kernel_frame(word - 1 if at else word) for at, word in enumerate(in_kernel)]
        callee.reverse()
        return found + callee

    def cgroup(self, id: int) -> str:
        """The path of a control group below the root of its hierarchy; empty where it has none (any more)."""
        path = self._cgroups.get(id)
        if path is None:
            # As `cgroup_path` shows it: `unified:/system.slice/ssh.service`.
            path = self._cgroups[id] = self._symbols.cgroup_path(id, "unified").partition(":")[2]
        return path

    def realtime_ns(self, since_boot_ns: int) -> int:
        """CLOCK_REALTIME of a time by CLOCK_BOOTTIME."""
        if self._boot_offset_ns is None:
            offset = self._symbols.boot_offset_ns
            self._boot_offset_ns = offset if isinstance(offset, int) else offset()
        return since_boot_ns + self._boot_offset_ns

    def _kernel_frame(self, address: int) -> Frame:
        frame = self._kernel.get(address)
        if frame is None:
            symbol = self._symbols.kernel_symbol(address)
            frame = Frame(symbol[0] if symbol else UNKNOWN, "kernel", address=address)
            self._kernel[address] = frame
        return frame

    def _user_frames(self, pid: int, word: int) -> tuple[Frame, ...]:
        """What a word stands for: one frame, and behind it what was inlined."""
        frames = self._user.get((pid, word))
        if frames is None:
            if word >= _NO_ADDRESS:
                frames = (self._special(pid, word),)
            else:
                frame = self._native(pid, word)
                with_lines = self._lines and frame.kind == "native" and frame.module
                frames = self._with_lines(pid, word, frame) if with_lines else (frame,)
            self._user[pid, word] = frames
        return frames

    def _with_lines(self, pid: int, address: int, frame: Frame) -> tuple[Frame, ...]:
        """A frame with its file and line, and what was inlined there, the innermost last."""
        source, problem = self._symbols.user_source(pid, address)
        if problem:
            self.problems[frame.module] = problem
        if not source:
            return (frame,)
        compiled, *inlined = source
        if frame.name == UNKNOWN and compiled.name:
            frame.name = compiled.name
        frame.file, frame.line = compiled.file, compiled.line if compiled.file else 0
        return (
            frame,
            *(
                Frame(
                    one.name or UNKNOWN,
                    "inlined",
                    frame.module,
                    one.file,
                    one.line if one.file else 0,
                    frame.address,
                )
                for one in inlined
            ),
        )

    def _special(self, pid: int, word: int) -> Frame:
        place = python_frame(word)
        if place is None:
            return Frame(incomplete_text(word) or UNKNOWN, "mark")
        code = self._symbols.python_code(pid, place[0])
        if code is None:
            return Frame(UNKNOWN, "python")
        return Frame(code.name, "python", code.file, code.file, code.line(place[1]))

    def _native(self, pid: int, address: int) -> Frame:
        symbol = self._symbols.user_symbol(pid, address)
        if symbol is None:
            return Frame(UNKNOWN, "native", address=address)
        kind = "jit" if not symbol.path or symbol.path.startswith("/tmp/perf-") else "native"
        name = symbol.name if symbol.path else GENERATED
        if not name and symbol.start:  # a function without a name is told by where it begins
            name = f"{symbol.path.rpartition('/')[2]}+{symbol.start:#x}"
        not_read = self._symbols.python_not_read(pid, address)
        if not_read:
            name = f"{name} [functions of {not_read} are not read]"
        return Frame(name or UNKNOWN, kind, symbol.path, address=symbol.file_address)
