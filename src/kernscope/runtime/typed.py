"""Programs that are loaded for one kernel function each: one assembled program, loaded again for every target."""

from kernscope.bundle import Attach, ProgramSpec
from kernscope.kernel.errors import AttachError, VerifierError
from kernscope.runtime.load import load_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess
    from kernscope.kernel.map import Map
    from kernscope.kernel.program import Program

__all__ = ["load_for_targets"]

_NO_TARGET = -1
"""The instruction that a refusal names when it is about the function and not about the program."""


def load_for_targets(
    spec: ProgramSpec, kernel: "KernelAccess", maps: "dict[str, Map]", license: str
) -> "tuple[list[tuple[Attach, Program]], list[AttachError]]":
    """The program of each target, and what the kernel refused of targets that only a pattern names.

    Raises:
        AttachError: the kernel lets no program of this type be attached to a function that the user named.
        RefusedError: the verifier refused the program.
    """
    loaded: list[tuple[Attach, Program]] = []
    refused: list[AttachError] = []
    try:
        for attach in spec.attach:
            try:
                loaded.append((attach, load_program(spec, kernel, maps, license, function=attach.function)))
            except VerifierError as problem:
                if problem.instruction != _NO_TARGET:
                    raise
                refused.append(_target_refused(problem, attach))
                if attach.named:
                    raise refused[-1] from None
        if refused and not loaded:
            raise refused[0]
    except BaseException:
        for _, program in loaded:
            program.close()
        raise
    return loaded, refused


def _target_refused(problem: VerifierError, attach: Attach) -> AttachError:
    reason = f"the kernel says: {problem.reason}" if problem.reason else None
    return AttachError(problem.errno or 0, "BPF_PROG_LOAD", attach.probe, reason)
