"""Small functions for tests, and their text with values and blocks numbered in order of appearance."""

from collections.abc import Callable

from kernscope.asm.disassemble import disassemble
from kernscope.asm.encode import assemble
from kernscope.ssa import Builder, Function, Module, compile_module
from kernscope.ssa.print import print_function
from kernscope.ssa.verify import verify_function

Build = Callable[[Builder], None]


def function(build: Build, params: int = 1, features: frozenset[str] = frozenset()) -> Function:
    """A one-function module built by `build`; blocks sealed."""
    f = Module("test", features).new_function("main", params)
    b = Builder(f)
    build(b)
    b.finish()
    return f


def text_after(
    build: Build, *passes: Callable[[Function], None], params: int = 2, features: frozenset[str] = frozenset()
) -> list[str]:
    """The lines of the function after some passes, each followed by the verifier."""
    f = function(build, params, features)
    verify_function(f, "builder")
    for run in passes:
        run(f)
        verify_function(f, run.__module__)
    return text(f)


def text(f: Function) -> list[str]:
    """The lines of `f`, renumbered; without its header and parameters."""
    for n, value in enumerate(f.values()):
        value.id = n
    for n, block in enumerate(f.blocks):
        block.id = n
    lines = [line.split("  ; from")[0].strip() for line in print_function(f).splitlines()[1:]]
    return [line for line in lines if " = param " not in line and line != "entry.0:"]


def instructions(build: Build, params: int = 2, features: frozenset[str] = frozenset()) -> list[str]:
    """The disassembly of the compiled function, without slot numbers and comments."""
    f = function(build, params, features)
    program = assemble(compile_module(f.module, verify=True))
    lines = disassemble(program.code, program.relocations)
    items = lines.splitlines() if isinstance(lines, str) else list(lines)
    return [line.split(";")[0].split("/*")[0].split(":", 1)[1].strip() for line in items if ":" in line]
