"""Run one command and print what it cost, as JSON, on stdout.

Run as its own small process, because Linux counts the memory of the process that spawns towards the peak
memory (``ru_maxrss``) of what it spawns (``exec_mmap`` in fs/exec.c): a large parent would be measured
instead of the command.
"""

import json
import os
import signal
import sys
import time
from types import FrameType


def main() -> int:
    """``spawn.py LIMIT_SECONDS STDOUT STDERR COMMAND …``; both files may be /dev/null."""
    limit, stdout, stderr, *command = sys.argv[1:]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    files = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, stdout, flags, 0o644),
        (os.POSIX_SPAWN_OPEN, 2, stderr, flags, 0o644),
    ]
    start = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=files)

    def end_it(signum: int, frame: FrameType | None) -> None:
        os.kill(pid, signal.SIGKILL)

    signal.signal(signal.SIGALRM, end_it)
    signal.alarm(int(limit))
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    signal.alarm(0)
    cost = {
        "wall_s": wall,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_kib": usage.ru_maxrss,
        "exit": os.waitstatus_to_exitcode(status),
    }
    json.dump(cost, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
