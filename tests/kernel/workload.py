"""A program that makes a known number of system calls: ``python workload.py NAME PROCESSES THREADS TIMES``.

Each thread of each process names itself NAME, and calls getpriority, times and sched_get_priority_max,
which nothing else on a machine is likely to call, TIMES, 2 * TIMES and 3 * TIMES times.
"""

import ctypes
import os
import sys
import threading

__all__ = ["CALLS"]

CALLS = {"getpriority": 1, "times": 2, "sched_get_priority_max": 3}
_PR_SET_NAME = 15


def _work(name: str, times: int) -> None:
    # The name of a thread is its `comm`.
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode())
    for _ in range(times):
        os.getpriority(os.PRIO_PROCESS, 0)
    for _ in range(2 * times):
        os.times()
    for _ in range(3 * times):
        os.sched_get_priority_max(os.SCHED_OTHER)


def _process(name: str, threads: int, times: int) -> None:
    workers = [threading.Thread(target=_work, args=(name, times)) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def main(name: str, processes: int, threads: int, times: int) -> None:
    children = []
    for _ in range(processes):
        pid = os.fork()
        if pid == 0:
            _process(name, threads, times)
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
