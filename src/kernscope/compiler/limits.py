"""What the kernel takes of one program: its own words for each limit, before it is asked."""

from kernscope.asm.encode import Assembled
from kernscope.diagnostics import CompileError, Diagnostic, Span, error
from kernscope.ssa import Function, Module
from kernscope.ssa.frame import called_functions

__all__ = ["check_limits", "too_large"]

_MOST_INSTRUCTIONS = 1_000_000
"""BPF_COMPLEXITY_LIMIT_INSNS of the kernel's include/linux/bpf.h, which bounds the size of programs too."""

_MOST_FRAMES = 8
"""MAX_CALL_FRAMES of include/linux/bpf_verifier.h."""


def check_limits(assembled: Assembled, module: Module, place: Span) -> None:
    """Raise CompileError where a program is larger or deeper than any kernel, or this one, takes."""
    size = len(assembled.code) // 8
    if size > _MOST_INSTRUCTIONS:
        reason = f"it has {size:,} instructions, the kernel takes {_MOST_INSTRUCTIONS:,}"
        raise CompileError([too_large(reason, place)])
    if assembled.long_jumps and "v4" not in module.features:
        reason = "it jumps farther than this kernel can (longer jumps came with Linux 6.6)"
        raise CompileError([too_large(reason, place)])
    if len(module.functions) > _MOST_FRAMES and _depth(module.functions[0], {}) > _MOST_FRAMES:
        raise CompileError(
            [
                error(
                    "nesting-too-deep",
                    f"loops over maps, `len()` and functions are nested deeper than {_MOST_FRAMES - 1} levels",
                    place,
                    notes=f"each is a function of its own, and the kernel takes {_MOST_FRAMES} at once",
                    help="split the action, or keep results in variables and maps between its parts",
                )
            ]
        )


def _depth(function: Function, known: dict[Function, int]) -> int:
    """Frames that are active at once from here on."""
    if function not in known:
        known[function] = _MOST_FRAMES  # one that calls itself is as deep as can be
        known[function] = 1 + max((_depth(f, known) for f in called_functions(function)), default=0)
    return known[function]


def too_large(reason: str, place: Span | None) -> Diagnostic:
    """The finding that an action is more than the kernel takes."""
    return error(
        "program-too-large",
        f"the program is too large for the kernel: {reason}",
        place,
        notes="what the kernel checks grows with the statements, and with branches that test many things",
        help="split the action into several probes, or write repeated parts as a loop",
    )
