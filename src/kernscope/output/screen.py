"""A block of lines at the end of a terminal's output that is replaced in place."""

import os

__all__ = ["Screen"]

_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
_CLEAR_LINE, _CLEAR_BELOW = "\x1b[K", "\x1b[J"


class Screen:
    """Draws on the terminal `fd`. Each drawing replaces the one before; the last one stays.

    The lines must be harmless and fit the width; a line that wraps would leave its remains behind. No
    alternate screen is used, so that what was on the terminal before stays above and the final table can be
    scrolled to.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._drawn = 0
        self._hidden = False

    def size(self) -> tuple[int, int]:
        """Columns and lines now; 80 and 24 where the terminal does not say."""
        try:
            columns, lines = os.get_terminal_size(self._fd)
        except OSError:
            columns, lines = 80, 24
        return columns or 80, lines or 24

    def draw(self, lines: list[str]) -> None:
        """Show `lines` instead of what was drawn before."""
        parts = [] if self._hidden else [_HIDE_CURSOR]
        self._hidden = True
        parts.append(self._rewind())
        # One line less than the terminal has, or its first line would scroll away on the last newline.
        lines = lines[: self.size()[1] - 1]
        parts += [f"{line}{_CLEAR_LINE}\n" for line in lines]
        parts.append(_CLEAR_BELOW)
        self._drawn = len(lines)
        self._write("".join(parts))

    def clear(self) -> None:
        """Remove what was drawn and give the cursor back. May be called more than once."""
        if self._drawn or self._hidden:
            self._write(self._rewind() + _CLEAR_BELOW + _SHOW_CURSOR)
        self._drawn, self._hidden = 0, False

    def _rewind(self) -> str:
        # A terminal that was made smaller has fewer lines above the cursor; moving stops at the top.
        return f"\r\x1b[{self._drawn}A" if self._drawn else "\r"

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "surrogateescape")
        while data:
            data = data[os.write(self._fd, data) :]
