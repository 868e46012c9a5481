"""Attaching to many places of which the kernel may refuse some, without saying which."""

from kernscope.kernel.errors import AttachError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kernscope.kernel.interface import KernelAccess
    from kernscope.kernel.link import Link

__all__ = ["attach_parts"]

_MOST_REFUSED = 64
"""So many places of a pattern may be refused; more, and something else is wrong."""


def attach_parts(
    kernel: "KernelAccess",
    parts: list[tuple[int, int]],
    attach: "Callable[[int, int], Link]",
    named: "Callable[[int], bool]",
) -> "list[Link]":
    """Attach to each part, a range of places. Of one that the kernel refuses, halves are tried, down to single places;
    those that only a pattern names may be refused.

    Args:
        attach: makes a link for all places of a range.
        named: whether the program names a place without a pattern.

    Raises:
        AttachError: such a place cannot be probed, or none can.
    """
    links: list[Link] = []
    refused: list[AttachError] = []
    remaining = parts[::-1]
    try:
        while remaining:
            first, end = remaining.pop()
            try:
                links.append(attach(first, end))
            except AttachError as problem:
                if end - first > 1:
                    middle = (first + end) // 2
                    remaining += [(middle, end), (first, middle)]
                    continue
                refused.append(problem)
                if named(first) or len(refused) > _MOST_REFUSED:
                    raise
        if not links:
            raise refused[0]
    except BaseException:
        kernel.detach(links)
        raise
    return links
