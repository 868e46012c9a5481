"""`kernscope compile`: what a program becomes, stage by stage, or as a file to run later."""

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.files import write_file
from kernscope.cli.options import Arguments, Option, UsageError
from kernscope.cli.program import read_program
from kernscope.cli.terminal import complain, use_color, write, write_bytes

__all__ = ["COMMAND"]


def _run(arguments: Arguments) -> int:
    program = read_program(arguments)
    if program.bundle is not None:
        raise UsageError(f"`{program.name}` is compiled already")
    stage = arguments.text("dump")
    if stage:
        _check_stage(stage)
        shown = kernscope.dump(program.text, stage, name=program.name, args=program.arguments)
        write(shown.rstrip("\n") + "\n")
        return 0
    bundle = kernscope.compile(
        program.text,
        name=program.name,
        args=program.arguments,
        settings={
            "unsafe": arguments.flag("unsafe"),
            "enforce": arguments.flag("enforce"),
            "include_dirs": "\n".join(arguments.texts("I")),
            "includes": "\n".join(arguments.texts("include")),
        },
    )
    if bundle.warnings:
        complain(kernscope.render_text(bundle.warnings, color=use_color(2)))
    if arguments.given("o"):
        _save(arguments.text("o"), kernscope.save(bundle))
    return 0


def _check_stage(stage: str) -> None:
    if stage not in kernscope.DUMP_STAGES:
        near = kernscope.suggest(stage, kernscope.DUMP_STAGES)
        hint = f"; did you mean `{near}`?" if near else ""
        raise UsageError(f"the stages are {', '.join(kernscope.DUMP_STAGES)}, not `{stage}`{hint}")


def _save(path: str, data: bytes) -> None:
    if path == "-":
        write_bytes(data, 1)
        return
    try:
        write_file(path, data)
    except OSError as error:
        raise UsageError(f"cannot write `{path}`: {error.strerror}") from None


COMMAND = Command(
    "compile",
    [
        "[FILE] [--dump STAGE | -o FILE] [-- ARGUMENT ...]",
        "-e PROGRAM [--dump STAGE | -o FILE] [-- ARGUMENT ...]",
    ],
    "Compile a program without running it: show what it has become after a stage, or write it to a file that\n"
    "`kernscope run` loads without compiling, on this kernel or one whose events are the same. Without either\n"
    "it is only checked.",
    [
        Option("-e", "PROGRAM", "the program's text"),
        Option("-o --output", "FILE", "write the compiled program there", name="o"),
        Option("--dump", "STAGE", "ast, types, ir, registers, asm, bundle"),
        Option("-I", "DIR", "look for headers there too", many=True),
        Option("--include", "FILE", "include this header before the program", many=True),
        Option("--unsafe", "", "allow functions that change the system, such as system()"),
        Option("--enforce", "", "allow verdicts about events: deny(), drop()"),
    ],
    _run,
    examples=[
        ("-e 'begin { @ = count(); }' --dump asm", "the eBPF instructions"),
        ("opens.bt -o opens.ks", "then `kernscope run opens.ks`"),
    ],
)
