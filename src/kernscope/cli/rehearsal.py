"""What `kernscope run` does instead of running: compile only, load and attach only, measure that, show stages."""

from kernscope.cli.options import Arguments
from kernscope.cli.run_options import DEBUG_STAGES
from kernscope.cli.terminal import complain, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kernscope.cli.program import Program

__all__ = ["rehearse", "stage_writer", "verifier_writer"]


def rehearse(arguments: Arguments, program: "Program", mode: str) -> int:
    """`codegen`, `compiler-bench`, `test` or `bench`."""
    from time import perf_counter

    from kernscope.cli.run import prepare

    start = perf_counter()
    session = prepare(arguments, program)
    compiled = perf_counter()
    if mode in ("test", "bench"):
        session.rehearse()
    else:
        session.close()
    attached = perf_counter()
    if mode in ("bench", "compiler-bench"):
        rows = [("compile", compiled - start)]
        rows += [("load, attach, detach", attached - compiled)] if mode == "bench" else []
        write("".join(f"{what:<21} {1000 * seconds:8.2f} ms\n" for what, seconds in rows))
    return 0


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
