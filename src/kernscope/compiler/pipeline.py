"""The compiler on one screen: a program's text and a kernel's facts in, a Bundle out. Nothing here touches the kernel
but to ask it questions through `KernelFacts`.
"""

from collections.abc import Callable, Mapping, Sequence

from kernscope import sema, ssa, syntax
from kernscope.asm.encode import FAR, NEAR, Assembled, assemble
from kernscope.asm.instruction import Insn, Label
from kernscope.bundle import Bundle, ProgramSpec, Relocation
from kernscope.diagnostics import CompileError, Diagnostic, Source, Span, error, root_span
from kernscope.ssa import FrameTooLarge

from .collection import without_collection
from .limits import check_limits
from .program import LoweredProgram, lower

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelFacts

__all__ = ["compile_source"]

Dump = Callable[[str, str], None]
"""Called with a stage's name and its text."""


@without_collection
def compile_source(
    source: Source,
    kernel: "KernelFacts",
    *,
    parameters: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    cpid: int = 0,
    pid: int = 0,
    settings: Mapping[str, int | str | bool] | None = None,
    verify: bool = False,
    dump: Dump | None = None,
) -> Bundle:
    """Compile a program.

    `pid`, if not 0, is the only process whose events count (see `compiler.process_filter`). `settings` are
    what the command line decides (see `sema.check`). `verify` checks every intermediate form (slow; for
    tests). `dump` receives the text form of each stage.

    Raises CompileError with all that is wrong in the first stage that finds something.
    """
    program = syntax.parse(source)
    if dump is not None:
        dump("ast", syntax.dump(program))
    if program.imports:
        from kernscope.compiler.imports import with_imports

        program = with_imports(program)
    program = _with_headers(program, settings or {})
    if pid or cpid:
        from kernscope.compiler.process_filter import for_process, only_process

        for_process(program, pid or cpid, own_files=bool((settings or {}).get("own_files")))
        if pid:
            only_process(program, pid)
    try:
        checked = sema.check(
            program, kernel, parameters=parameters, environment=environment, cpid=cpid, settings=settings
        )
    except RecursionError:
        raise CompileError([_nesting_error(source)]) from None
    if dump is not None:
        from kernscope.compiler.dump import types_text

        dump("types", types_text(checked))
    bundle = Bundle(source.name, source.text)
    bundle.warnings = checked.warnings
    bundle.config = dict(checked.config)
    for lowered in lower(checked, kernel, bundle):
        bundle.programs.append(_assemble(lowered, verify, dump))
    if dump is not None:
        from kernscope.compiler.dump import bundle_text

        dump("bundle", bundle_text(bundle))
    return bundle


def _with_headers(
    program: syntax.ast.Program, settings: Mapping[str, int | str | bool]
) -> syntax.ast.Program:
    """`#include`, and `--include` and `-I` of the command line: one path per line of their settings."""
    includes = [line for line in str(settings.get("includes", "")).split("\n") if line]
    if not includes and not program.c_definitions:
        return program
    from kernscope.compiler.includes import with_includes

    dirs = [line for line in str(settings.get("include_dirs", "")).split("\n") if line]
    return with_includes(program, dirs, includes)


def _assemble(lowered: LoweredProgram, verify: bool, dump: Dump | None) -> ProgramSpec:
    module, shape = lowered.module, lowered.shape
    try:
        functions = ssa.compile_module(
            module,
            verify=verify,
            dump=None if dump is None else _pass_dump(module.name, dump),
        )
    except FrameTooLarge as too_large:
        raise CompileError([_stack_error(str(too_large), lowered.place)]) from None
    assembled = assemble(functions, NEAR if "v4" in module.features else FAR)
    check_limits(assembled, module, lowered.place)
    spec = ProgramSpec(
        shape.name,
        shape.type,
        assembled.code,
        tuple(
            Relocation(r.slot, r.kind, r.name, r.addend) for r in assembled.relocations if r.kind != "func"
        ),
        shape.attach,
        expected_attach_type=shape.expected_attach_type,
        attach_btf=shape.attach_btf,
        lines=_lines(functions, assembled),
        functions=tuple(
            (name, slot, len(f.params)) for (name, slot), f in zip(assembled.functions, module.functions)
        ),
    )
    if dump is not None:
        from kernscope.asm.disassemble import disassemble

        dump("asm", f"; {shape.name}\n" + disassemble(spec.code, assembled.relocations))
    return spec


def _pass_dump(program: str, dump: Dump) -> Callable[[str, str, str], None]:
    def receive(function: str, stage: str, text: str) -> None:
        dump(
            "registers" if stage == "allocation" else "ir", f"; {program}, {function}, after {stage}\n{text}"
        )

    return receive


def _lines(
    functions: list[tuple[str, list[Insn | Label]]], assembled: Assembled
) -> tuple[tuple[int, int, int], ...]:
    """The source of each instruction, one entry where it changes."""
    found = []
    last: Span | None = None
    for index, (_, items) in enumerate(functions):
        for i, item in enumerate(items):
            tag = item.tag if isinstance(item, Insn) else None
            if isinstance(tag, Span) and tag is not last:
                place = root_span(tag)
                found.append((assembled.slot_of(i, index), place.start, place.end))
                last = tag
    return tuple(found)


def _nesting_error(source: Source) -> Diagnostic:
    return error(
        "nesting-too-deep",
        "the program is nested deeper than the compiler can follow",
        Span(source, 0, min(len(source.text), 1)),
        help="split long expressions with scratch variables",
    )


def _stack_error(message: str, place: Span) -> Diagnostic:
    return error(
        "too-much-memory",
        f"the program needs more stack than the kernel gives: {message}",
        place,
        help="use fewer variables at once, or split the action into several probes",
    )
