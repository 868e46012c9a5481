"""Running the programs of `test:` and `bench:` probes, which no event runs."""

from time import monotonic, monotonic_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.program import Program

__all__ = ["run_often", "run_once"]

BENCH_SECONDS = 0.2
"""About how long a benchmark runs."""
_ROUND = 1000


def run_once(program: "Program") -> tuple[int, int]:
    """What the program returned, as a signed number, and the nanoseconds that took with the system call."""
    start = monotonic_ns()
    status = program.test_run().retval
    took = monotonic_ns() - start
    return (status ^ 1 << 31) - (1 << 31), took


def run_often(program: "Program") -> tuple[int, int]:
    """Nanoseconds of one run, without the system call, and how many runs were measured.

    The kernel counts a program's runs and their time while it is asked to.
    """
    from kernscope.kernel.program import enable_stats

    with enable_stats():
        end = monotonic() + BENCH_SECONDS
        before = program.statistics()
        while monotonic() < end:
            for _ in range(_ROUND):
                program.test_run()
        after = program.statistics()
    runs = after.run_cnt - before.run_cnt
    return (after.run_time_ns - before.run_time_ns) // max(runs, 1), runs
