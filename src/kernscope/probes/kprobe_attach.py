"""Attaching to many functions of the kernel by one link, as far as the kernel lets them be traced."""

from collections.abc import Sequence

from kernscope.bundle import Attach

from .partial_attach import attach_parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program

__all__ = ["attach_functions"]


def attach_functions(
    kernel: "KernelAccess", program: "Program", attach: Attach, *, at_return: bool
) -> "list[Link]":
    """Attach to all functions of `attach` together.

    Raises:
        AttachError: a function that the program names cannot be traced, or none can.
    """
    functions, modules, named = attach.target
    assert isinstance(functions, tuple) and isinstance(modules, tuple) and isinstance(named, tuple)
    addresses = _addresses(kernel, functions, modules)

    def attach_range(first: int, end: int) -> "Link":
        return kernel.attach_kprobe_multi(
            program,
            functions[first:end],
            addresses[first:end],
            at_return=at_return,
            cookies=range(first, end) if len(functions) > 1 else (),
        )

    return attach_parts(kernel, [(0, len(functions))], attach_range, lambda place: place in named)


def _addresses(kernel: "KernelAccess", functions: Sequence[str], modules: Sequence[str]) -> list[int]:
    """Where the functions are, if modules say whose they are: names alone may mean another one's."""
    if not modules:
        return []
    found = kernel.functions()
    places = {module: found.places(module) for module in set(modules)}
    return [places[module].get(name, 0) for name, module in zip(functions, modules, strict=True)]
