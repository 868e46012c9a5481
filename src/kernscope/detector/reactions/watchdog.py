"""Continues stopped processes when their time is over, or when the detector is gone, however it ended.

Runs as a process of its own, as a script (nothing of the package is imported): its memory stays small. On standard
input: `PID START DEADLINE` (start as in /proc/PID/stat, deadline by CLOCK_MONOTONIC) for a process that was stopped,
`-PID` for one that must not be continued any more. The end of the input means that the detector has ended.
"""

import os
import select
import signal
import sys
import time


def _start_of(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    return int(text[text.rindex(b")") + 2 :].split()[19])


def _continue(pid: int, start: int) -> None:
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return
    try:
        if _start_of(pid) == start:
            signal.pidfd_send_signal(fd, signal.SIGCONT)
    except OSError:
        pass
    finally:
        os.close(fd)


def main() -> None:
    # Signals for the detector's terminal or service must not take this with them.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    stopped: dict[int, tuple[int, float]] = {}
    rest, open_ = b"", True
    poll = select.poll()
    poll.register(0, select.POLLIN | select.POLLHUP)
    while open_:
        wait = min((deadline for _, deadline in stopped.values()), default=None)
        if poll.poll(None if wait is None else max(0.0, wait - time.monotonic()) * 1000):
            text = os.read(0, 65536)
            open_ = bool(text)
            *lines, rest = (rest + text).split(b"\n")
            for line in lines:
                words = line.split()
                if len(words) == 3:
                    stopped[int(words[0])] = (int(words[1]), float(words[2]))
                elif line.startswith(b"-"):
                    stopped.pop(int(line[1:]), None)
        now = time.monotonic()
        for pid in [pid for pid, (_, deadline) in stopped.items() if deadline <= now or not open_]:
            _continue(pid, stopped.pop(pid)[0])


if __name__ == "__main__":
    main()
    sys.exit(0)
