"""The live table on a pseudo-terminal, as a small terminal emulator sees it."""

import os
import pty
import re
from collections.abc import Iterator

import pytest

from kernscope.output.screen import Screen


class Terminal:
    """Understands what Screen sends: text, CR, LF, cursor up, erase line, erase below, cursor visibility."""

    def __init__(self) -> None:
        self.lines = [""]
        self.row = self.column = 0
        self.cursor_visible = True

    def feed(self, text: str) -> None:
        for token in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|[^\x1b]", text):
            self._token(token)

    def _token(self, token: str) -> None:
        if token == "\r":
            self.column = 0
        elif token == "\n":
            self.row += 1
            if self.row == len(self.lines):
                self.lines.append("")
        elif token.endswith("A"):
            self.row = max(0, self.row - int(token[2:-1]))
        elif token == "\x1b[K":
            self.lines[self.row] = self.lines[self.row][: self.column]
        elif token == "\x1b[J":
            self.lines = [*self.lines[: self.row], self.lines[self.row][: self.column]]
        elif token in ("\x1b[?25l", "\x1b[?25h"):
            self.cursor_visible = token.endswith("h")
        else:
            assert token.isprintable(), token
            line = self.lines[self.row]
            self.lines[self.row] = line[: self.column] + token + line[self.column + 1 :]
            self.column += 1


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    master, slave = pty.openpty()
    yield master, slave
    os.close(master)
    os.close(slave)


def read(master: int) -> str:
    os.set_blocking(master, False)
    data = b""
    try:
        while chunk := os.read(master, 65536):
            data += chunk
    except BlockingIOError:
        pass
    return data.decode()


def test_each_drawing_replaces_the_last(ends: tuple[int, int]) -> None:
    master, slave = ends
    screen, terminal = Screen(slave), Terminal()
    screen.draw(["one", "two", "a long line"])
    screen.draw(["ONE", "2"])
    terminal.feed(read(master))
    assert terminal.lines == ["ONE", "2", ""] and not terminal.cursor_visible
    screen.clear()
    screen.clear()
    terminal.feed(read(master))
    assert terminal.lines == [""] and terminal.cursor_visible


def test_never_more_lines_than_the_terminal_has(ends: tuple[int, int]) -> None:
    import fcntl
    import struct
    import termios

    master, slave = ends
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 5, 40, 0, 0))
    screen = Screen(slave)
    assert screen.size() == (40, 5)
    screen.draw([str(n) for n in range(20)])
    assert read(master).count("\n") == 4


def test_size_without_a_terminal() -> None:
    r, w = os.pipe()
    assert Screen(w).size() == (80, 24)
    os.close(r)
    os.close(w)
