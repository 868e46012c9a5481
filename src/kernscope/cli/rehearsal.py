"""What `kernscope run` does instead of running: compile only, load and attach only, tests, benchmarks; and `-d`."""

import kernscope
from kernscope.cli.options import Arguments, UsageError
from kernscope.cli.run_options import DEBUG_STAGES
from kernscope.cli.terminal import complain, use_color, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kernscope.cli.program import Program

__all__ = ["rehearse", "stage_writer", "verifier_writer"]


def rehearse(arguments: Arguments, program: "Program", mode: str) -> int:
    """`codegen`, `compiler-bench`, `rehearsal`, `test` or `bench`."""
    from time import perf_counter

    from kernscope.cli.run import prepare, trace_program

    if mode in ("test", "bench"):
        return _on_demand(arguments, program, mode)
    start = perf_counter()
    session = prepare(arguments, program, dry_run=mode == "rehearsal")
    if mode == "rehearsal" and session.bundle.has_verdicts:
        session.close()
        return trace_program(arguments, program, dry_run=True)
    if mode == "compiler-bench":
        write(f"compile {1000 * (perf_counter() - start):.2f} ms\n")
    if mode == "rehearsal":
        session.rehearse()
    else:
        session.close()
    return 0


def _on_demand(arguments: Arguments, program: "Program", mode: str) -> int:
    """The `test:` or `bench:` probes of a program, one after the other; `begin` before and `end` after them."""
    from kernscope.cli.run import prepare

    json = arguments.text("format") == "json"
    printed = _Printed()
    sink: kernscope.Sink = kernscope.TextSink(printed if json else 1, 2, quiet=True)
    session = prepare(arguments, program, sinks=[sink], print_maps=False)
    with session:
        accept = _name_filter(arguments.text("probe_filter"))
        names = session.test_names() if mode == "test" else session.bench_names()
        names = [name for name in names if accept(name)]
        if mode == "bench":
            _benchmarks(session, names, json)
            return 0
        report = _JsonTests(printed) if json else _TextTests(len(names))
        for name in names:
            session.hand_over()
            report.start(name)
            status, took_ns = session.run_test(name)
            session.hand_over()
            report.end(name, status == 0, took_ns)
        return 1 if report.finish() else 0


def _name_filter(pattern: str) -> "Callable[[str], bool]":
    if not pattern:
        return lambda name: True
    import re

    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"`--probe-filter {pattern}`: {error}") from None
    return lambda name: compiled.search(name) is not None


def _benchmarks(session: "kernscope.Session", names: "Sequence[str]", json: bool) -> None:
    if names and not json:
        write(f"{'Benchmark':<41}{'Time(ns)':<15}Iterations\n{'-' * 66}\n")
    for name in names:
        each_ns, runs = session.run_bench(name)
        if json:
            _write_json("benchmark_result", {name: {"average": each_ns, "iters": runs}})
        else:
            write(f"{name:<41}{each_ns:<15}{runs}\n")


def _write_json(type: str, data: object) -> None:
    from json import dumps

    write(dumps({"type": type, "data": data}, ensure_ascii=False) + "\n")


class _Printed:
    """Keeps what tests print."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        self._parts.append(data)

    def take(self) -> str:
        parts, self._parts = self._parts, []
        return b"".join(parts).decode("utf-8", "replace")


class _JsonTests:
    """One object per test, as bpftrace writes them, with what the test printed."""

    def __init__(self, printed: _Printed) -> None:
        self._printed = printed
        self._failed: list[str] = []

    def start(self, name: str) -> None:
        self._printed.take()

    def end(self, name: str, passed: bool, took_ns: int) -> None:
        if not passed:
            self._failed.append(name)
        result = {"duration": took_ns, "passed": passed, "output": self._printed.take()}
        _write_json("test_result", {name: result})

    def finish(self) -> list[str]:
        """The names of those that failed."""
        return self._failed


class _TextTests:
    """The lines that bpftrace (and googletest) write."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._failed: list[str] = []
        if count:
            self._line(32, "==========", f"Running {_tests(count)}.")

    def _line(self, color: int, mark: str, text: str) -> None:
        bracket = f"[{mark}]"
        write(f"\x1b[{color}m{bracket}\x1b[0m {text}\n" if use_color(1) else f"{bracket} {text}\n")

    def start(self, name: str) -> None:
        self._line(32, " RUN      ", name)

    def end(self, name: str, passed: bool, took_ns: int) -> None:
        if not passed:
            self._failed.append(name)
        mark = (32, "       OK ") if passed else (31, "  FAILED  ")
        self._line(*mark, f"{name} ({took_ns // 1000} μs)")

    def finish(self) -> list[str]:
        """The names of those that failed."""
        failed = self._failed
        if self._count:
            self._line(32, "==========", f"{_tests(self._count)} ran.")
            self._line(32, "  PASSED  ", f"{_tests(self._count - len(failed))}.")
        if failed:
            self._line(31, "  FAILED  ", f"{_tests(len(failed))}, listed below:")
            for name in failed:
                self._line(31, "  FAILED  ", name)
        return failed


def _tests(count: int) -> str:
    return f"{count} test{'' if count == 1 else 's'}"


def stage_writer(stages: "Sequence[str]") -> "Callable[[str, str], None]":
    """Writes the stages that `-d` names to standard error as the program is compiled."""
    wanted = {ours for stage in stages for ours in DEBUG_STAGES[stage]}

    def show(stage: str, text: str) -> None:
        if stage in wanted:
            complain(f"{stage}\n{'-' * len(stage)}\n{text.rstrip()}\n")

    return show


def verifier_writer(stages: "Sequence[str]") -> "Callable[[str, str], None] | None":
    """Writes the verifier's log of each program, if `-d` names it."""
    if not any("verifier" in DEBUG_STAGES[stage] for stage in stages):
        return None

    def show(program: str, log: str) -> None:
        complain(f"verifier, {program}\n{log.rstrip()}\n")

    return show
