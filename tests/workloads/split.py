"""The same as split.c in Python: ``python split.py SECONDS``."""

import random
import sys
import time


def heavy(rounds: int) -> int:
    total = 0
    for i in range(rounds):
        total += i ^ 0x51
    return total


def medium(rounds: int) -> int:
    total = 0
    for i in range(rounds):
        total += i ^ 0x61
    return total


def light(rounds: int) -> int:
    total = 0
    for i in range(rounds):
        total += i ^ 0x71
    return total


PARTS = {heavy: 7, medium: 2, light: 1}


def run(seconds: float, rounds_per_ms: int) -> dict[str, int]:
    taken = {part.__name__: 0 for part in PARTS}
    dice = random.Random(1)
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        part = min(PARTS, key=lambda part: taken[part.__name__] / PARTS[part])
        rounds = rounds_per_ms * dice.randint(10, 40)
        before = time.thread_time_ns()
        part(rounds)
        taken[part.__name__] += time.thread_time_ns() - before
    return taken


def main() -> None:
    before = time.thread_time_ns()
    heavy(100_000)
    rounds_per_ms = 1 + 100_000 * 1_000_000 // (time.thread_time_ns() - before)
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic_ns()
    for name, taken_ns in run(float(sys.argv[1]), rounds_per_ms).items():
        print(name, taken_ns)
    print("elapsed", time.monotonic_ns() - began)


if __name__ == "__main__":
    main()
