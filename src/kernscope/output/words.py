"""The words of a process's stack: addresses, frames of CPython, and a mark at the end of one that is incomplete.

`kernscope.tables.unwinding` and `kernscope.tables.cpython` say how they are told apart. The frames of CPython come
behind the native ones; here they are put where they belong.
"""

from __future__ import annotations

from kernscope.tables.cpython import ENTRY, FRAME_WORD, INDEX_BITS, MOST_PYTHON_FRAMES, NUMBER_BITS
from kernscope.tables.unwinding import INCOMPLETE, Reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["INCOMPLETE_TEXTS", "in_place", "incomplete_text", "python_frame"]

INCOMPLETE_TEXTS = {
    INCOMPLETE | Reason.NO_RULE: "[incomplete: code without unwind information]",
    INCOMPLETE | Reason.NOT_MAPPED: "[incomplete: code that was new]",
    INCOMPLETE | Reason.BAD_MEMORY: "[incomplete: the stack could not be read]",
    INCOMPLETE | Reason.TOO_DEEP: "[incomplete: too deep]",
}
"""What stands in the place of the root of a stack that was not followed to its end, by its last word."""


def incomplete_text(word: int) -> str:
    """The text of a mark; empty for words that are none."""
    return INCOMPLETE_TEXTS.get(word, "")


def python_frame(word: int) -> tuple[int, int] | None:
    """(number of the code object, index of the instruction), or None for other words."""
    if word >> 62 != FRAME_WORD >> 62 or word == ENTRY:
        return None
    return word >> INDEX_BITS & (1 << NUMBER_BITS) - 1, word & (1 << INDEX_BITS) - 1


def in_place(words: Sequence[int], in_loop: Callable[[int], bool]) -> list[int]:
    """The words with CPython's frames in the places of the native frames of the interpreter's loop; leaf first.

    Each call of the loop has one native frame and runs the frames of CPython up to an ENTRY. Where there are more calls
    than ENTRYs the innermost ones are just beginning or ending, and have no frame of CPython. Behind the last frame of
    all there is an ENTRY; without it there are more, which were not reached: a mark at the end says so.
    """
    calls = _calls(words)
    if not calls:
        return list(words)
    native = [word for word in words if word >> 62 != FRAME_WORD >> 62]
    loops = [word not in INCOMPLETE_TEXTS and in_loop(word) for word in native]
    reached = words[-1] == ENTRY
    is_marked = native[-1:] != [] and native[-1] in INCOMPLETE_TEXTS
    runs = sum(now and not before for now, before in zip(loops, [False, *loops], strict=False))
    without_frames = runs - len(calls) if reached and not is_marked else 0
    found: list[int] = []
    calls.reverse()  # so that the next one is the last
    last_was_loop = False
    for word, is_loop in zip(native, loops, strict=True):
        if word in INCOMPLETE_TEXTS:
            while calls:  # the native stack ends early, these are what called it
                found += calls.pop()
        if not is_loop:
            found.append(word)
        elif not last_was_loop:
            without_frames -= 1
            found += calls.pop() if calls and without_frames < 0 else [word]
        last_was_loop = is_loop
    while calls:
        found += calls.pop()
    if not reached and not is_marked:
        deep = len(words) - len(native) >= MOST_PYTHON_FRAMES - 1
        found.append(INCOMPLETE | (Reason.TOO_DEEP if deep else Reason.BAD_MEMORY))
    return found


def _calls(words: Sequence[int]) -> list[list[int]]:
    """CPython's frames by calls of the loop, the innermost call first."""
    calls: list[list[int]] = []
    current: list[int] = []
    for word in words:
        if word == ENTRY:
            calls.append(current)
            current = []
        elif word >> 62 == FRAME_WORD >> 62:
            current.append(word)
    return [*calls, current] if current else calls
