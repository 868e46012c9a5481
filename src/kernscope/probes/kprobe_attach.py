"""Attaching to many functions of the kernel by one link, as far as the kernel lets them be traced."""

from collections.abc import Sequence

from kernscope.bundle import Attach
from kernscope.kernel.errors import AttachError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program

__all__ = ["attach_functions"]

_MOST_REFUSED = 64
"""So many functions of a pattern may be refused; more, and something else is wrong."""


def attach_functions(
    kernel: "KernelAccess", program: "Program", attach: Attach, *, at_return: bool
) -> "list[Link]":
    """Attach to all functions of `attach` together. Where the kernel refuses, halves are tried: those that only a
    pattern names may be refused.

    Raises:
        AttachError: a function that the program names cannot be traced, or none can.
    """
    functions, modules, named = attach.target
    assert isinstance(functions, tuple) and isinstance(modules, tuple) and isinstance(named, tuple)
    addresses = _addresses(kernel, functions, modules)
    links: list[Link] = []
    refused: list[AttachError] = []
    parts = [(0, len(functions))]
    try:
        while parts:
            first, end = parts.pop()
            cookies = range(first, end) if len(functions) > 1 else ()
            try:
                links.append(
                    kernel.attach_kprobe_multi(
                        program,
                        functions[first:end],
                        addresses[first:end],
                        at_return=at_return,
                        cookies=cookies,
                    )
                )
            except AttachError as problem:
                if end - first > 1:
                    middle = (first + end) // 2
                    parts += [(middle, end), (first, middle)]
                    continue
                refused.append(problem)
                if first in named or len(refused) > _MOST_REFUSED:
                    raise
        if not links:
            raise refused[0]
    except BaseException:
        kernel.detach(links)
        raise
    return links


def _addresses(kernel: "KernelAccess", functions: Sequence[str], modules: Sequence[str]) -> list[int]:
    """Where the functions are, if modules say whose they are: names alone may mean another one's."""
    if not modules:
        return []
    found = kernel.functions()
    places = {module: found.places(module) for module in set(modules)}
    return [places[module].get(name, 0) for name, module in zip(functions, modules, strict=True)]
