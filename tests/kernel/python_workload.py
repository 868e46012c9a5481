"""Python that runs for some seconds in every way that makes stacks: SECONDS.

The functions' names say what must be in the stacks that have them.
"""

import sys
import threading
import time
from collections.abc import Iterator

END = time.monotonic() + float(sys.argv[1])


def work() -> int:
    total = 0
    for i in range(3000):
        total += i * i
    return total


def in_generator() -> Iterator[int]:
    while True:
        yield work()


def takes_from_generator() -> None:
    generator = in_generator()
    for _ in range(5):
        next(generator)


def raises(depth: int) -> None:
    if depth:
        raises(depth - 1)
    work()
    raise ValueError


def catches() -> None:
    try:
        raises(5)
    except ValueError:
        work()


def called_by_c(text: str) -> int:
    return work()


def calls_c() -> None:
    sorted(["b", "a", "c"], key=called_by_c)


def deep(depth: int) -> None:
    if depth:
        deep(depth - 1)
    else:
        work()


def in_main_thread() -> None:
    takes_from_generator()
    catches()
    calls_c()
    deep(300)


def in_other_thread() -> None:
    while time.monotonic() < END:
        work()


INSIDE = f"""
import time
from collections.abc import Iterator
def in_subinterpreter():
    end = max({END}, time.monotonic() + 0.7)
    while time.monotonic() < end:
        sum(range(3000))
in_subinterpreter()
"""


def runs_subinterpreter() -> None:
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    made = interpreters.create()
    interpreters.exec(made, INSIDE) if hasattr(interpreters, "exec") else interpreters.run_string(
        made, INSIDE
    )


threads = [threading.Thread(target=target) for target in (in_other_thread, runs_subinterpreter)]
for thread in threads:
    thread.start()
while time.monotonic() < END:
    in_main_thread()
for thread in threads:
    thread.join()
