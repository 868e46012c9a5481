"""`kernscope detect explain`: what the kernel decides of a rule, and what is left."""

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.detect_rules import read_rules, show_problems
from kernscope.cli.options import Arguments, Option, UsageError
from kernscope.cli.terminal import write

__all__ = ["COMMAND"]


def _run(arguments: Arguments) -> int:
    name, *files = arguments.words + (arguments.rest or []) or [""]
    if not name:
        raise UsageError("say which rule: `kernscope detect explain RULE`")
    rules = read_rules(files or kernscope.detector.default_rule_files())
    found = kernscope.detector.find_rule(rules.rules, name)
    if isinstance(found, list):
        where = "these files" if files else "the default rules"
        several = "".join(f"\n  {other}" for other in found)
        raise UsageError(
            f"several rules are called so:{several}" if found else f"there is no rule `{name}` in {where}"
        )
    show_problems([problem for problem in rules.diagnostics if problem.severity == "error"])
    explained = kernscope.detector.explain(
        found,
        uring=bool(kernscope.type_text("struct io_open")),
        hooks=kernscope.detector.hooks_here(kernscope),
    )
    write(explained.text)
    if explained.program and (arguments.flag("program") or arguments.flag("asm")):
        write("\nProgram\n" + kernscope.format_program(explained.program, name="<rule>"))
    if explained.program and arguments.flag("asm"):
        write("\nInstructions\n" + kernscope.dump(explained.program, "asm", name="<rule>") + "\n")
    return 0


COMMAND = Command(
    "detect explain",
    ["RULE [FILE ...]"],
    "What becomes of a rule: its condition written out, what the kernel decides for each event, what is left for\n"
    "user space, and where it is attached. RULE is a name or a part of one; without FILE a default rule.",
    [
        Option("--program", "", "also the program that would watch for this rule alone"),
        Option("--asm", "", "also its instructions"),
    ],
    _run,
    examples=[("'scheduled job written' --program", "a default rule, with its program")],
)
