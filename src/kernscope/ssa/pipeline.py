"""The back end on one screen: SSA form in, BPF instructions out."""

from __future__ import annotations

from kernscope.asm.instruction import Insn, Label
from kernscope.ssa import analysis
from kernscope.ssa.allocate import Allocation, allocate
from kernscope.ssa.emit import emit
from kernscope.ssa.frame import Frame, called_functions, check_call_chains, layout
from kernscope.ssa.ir import Function, Module
from kernscope.ssa.liveness import find_liveness
from kernscope.ssa.passes import cfg, dce, gvn, legalize, narrow, order, shape, simplify

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` and `collections.abc` cost as much start-up time as this whole room
    from collections.abc import Callable, Sequence

    Pass = tuple[str, Callable[[Function], None]]
    Dump = Callable[[str, str, str], None]

__all__ = ["DEFAULT", "compile_module", "optimize"]


DEFAULT: Sequence[Pass] = (
    ("order", order.run),  # sorts: all walks below rely on definitions before uses
    ("simplify", simplify.run),  # first, so that equal things look equal to gvn
    ("gvn", gvn.run),
    ("legalize", legalize.run),  # after gvn: a division is expanded once for equal ones
    ("simplify-2", simplify.run),  # what gvn and legalize left: x - x, shifts by constants
    ("narrow", narrow.run),  # late: simplify has turned masks into extensions and merged them
    ("dce", dce.run),  # before cfg, which wants blocks to be empty
    ("cfg", cfg.run),  # with branches that simplify made constant
    ("simplify-3", simplify.run),  # phis that cfg resolved
    ("dce-2", dce.run),
    ("shape", shape.run),  # the form that allocation needs, last because others break it
)


def optimize(
    f: Function, passes: Sequence[Pass] = DEFAULT, verify: bool = False, dump: Dump | None = None
) -> None:
    """Run the passes over one function."""
    if f.builder is not None:
        f.builder.finish()
    if dump is not None:
        _dump_function(f, "ssa", dump)
    if verify:
        _verify(f, "ssa")
    for name, run in passes:
        run(f)
        if dump is not None:
            _dump_function(f, name, dump)
        if verify:
            _verify(f, name)


def compile_module(
    m: Module, *, passes: Sequence[Pass] = DEFAULT, verify: bool = False, dump: Dump | None = None
) -> list[tuple[str, list[Insn | Label]]]:
    """Compile all functions that the main one needs: (name, instructions with labels), for `asm.assemble`.

    `verify` runs the SSA verifier after every pass and the allocation checker at the end. `dump` is called as
    (function, stage, text) with "ssa", each pass's name, and "allocation". Raises FrameTooLarge.
    """
    for f in m.functions:
        optimize(f, passes, verify, dump)
    compiled = []
    frames: dict[Function, Frame] = {}
    for f in _reachable(m):
        loops = analysis.find_loops(f)
        liveness = find_liveness(f)
        allocation = allocate(f, liveness, loops)
        frames[f] = frame = layout(f, liveness, allocation)
        if verify:
            from kernscope.ssa.checker import check

            check(f, allocation, frame.spills)
        if dump is not None:
            _dump_allocation(f, allocation, dump)
        compiled.append((f.name, emit(f, allocation, frame)))
    if len(frames) > 1:
        check_call_chains(m.functions[0], frames)
    return compiled


def _reachable(m: Module) -> list[Function]:
    """The functions that the first one calls or refers to, however indirectly: the kernel refuses others."""
    needed = set(m.functions[:1])
    todo = m.functions[:1]
    while todo:
        for callee in called_functions(todo.pop()):
            if callee not in needed:
                needed.add(callee)
                todo.append(callee)
    return [f for f in m.functions if f in needed]


def _verify(f: Function, stage: str) -> None:
    from kernscope.ssa.verify import verify_function

    verify_function(f, stage)


def _dump_function(f: Function, stage: str, dump: Dump) -> None:
    from kernscope.ssa.print import print_function

    dump(f.name, stage, print_function(f))


def _dump_allocation(f: Function, allocation: Allocation, dump: Dump) -> None:
    from kernscope.ssa.print import print_allocation

    dump(f.name, "allocation", print_allocation(f, allocation))
