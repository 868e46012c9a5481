"""Python and C in one stack: ``python mixed.py SECONDS LIBRARY``; `through_c` has the C function `in_c` do its part."""

import ctypes
import random
import sys
import time


def in_python(rounds: int) -> int:
    total = 0
    for i in range(rounds):
        total += i ^ 0x61
    return total


def through_c(rounds: int) -> None:
    LIBRARY.in_c(ctypes.c_uint(rounds))


def per_ms(work: object, rounds: int) -> int:
    before = time.thread_time_ns()
    work(rounds)  # type: ignore[operator]
    return 1 + rounds * 1_000_000 // (time.thread_time_ns() - before)


def main() -> None:
    # Each with its share, and how far it gets in a millisecond.
    parts = ((through_c, 7, per_ms(through_c, 1_000_000)), (in_python, 3, per_ms(in_python, 100_000)))
    taken = {part.__name__: 0 for part, _, _ in parts}
    print("ready", flush=True)
    sys.stdin.readline()
    dice = random.Random(1)
    began = time.monotonic_ns()
    end = time.thread_time() + float(sys.argv[1])
    while time.thread_time() < end:
        part, _, rounds_per_ms = min(parts, key=lambda part: taken[part[0].__name__] / part[1])
        before = time.thread_time_ns()
        part(rounds_per_ms * dice.randint(10, 40))
        taken[part.__name__] += time.thread_time_ns() - before
    for name, taken_ns in taken.items():
        print(name, taken_ns)
    print("elapsed", time.monotonic_ns() - began)


if __name__ == "__main__":
    LIBRARY = ctypes.CDLL(sys.argv[2])
    main()
