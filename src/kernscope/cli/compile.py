"""`kernscope compile`: what a program becomes, stage by stage."""

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.options import Arguments, Option, UsageError
from kernscope.cli.program import read_program
from kernscope.cli.terminal import write

__all__ = ["COMMAND"]


def _run(arguments: Arguments) -> int:
    name, text, parameters = read_program(arguments)
    stage = arguments.text("dump")
    if not stage:
        kernscope.compile(text, name=name, args=parameters)
        return 0
    if stage not in kernscope.DUMP_STAGES:
        near = kernscope.suggest(stage, kernscope.DUMP_STAGES)
        hint = f"; did you mean `{near}`?" if near else ""
        raise UsageError(f"the stages are {', '.join(kernscope.DUMP_STAGES)}, not `{stage}`{hint}")
    write(kernscope.dump(text, stage, name=name, args=parameters).rstrip("\n") + "\n")
    return 0


COMMAND = Command(
    "compile",
    ["[FILE] [--dump STAGE] [-- ARGUMENT ...]", "-e PROGRAM [--dump STAGE] [-- ARGUMENT ...]"],
    "Compile a program without running it, and show what it has become after a stage. Without --dump it is\n"
    "only checked.",
    [
        Option("-e", "PROGRAM", "the program's text"),
        Option("--dump", "STAGE", "ast, types, ir, registers, asm, bundle"),
    ],
    _run,
    examples=[("-e 'begin { @ = count(); }' --dump asm", "the eBPF instructions")],
)
