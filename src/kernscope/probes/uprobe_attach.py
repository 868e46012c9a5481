"""Attaching to functions of programs and libraries, as far as the kernel allows probes there."""

from kernscope.bundle import Attach
from kernscope.elf import ElfError, ElfFile
from kernscope.kernel.errors import AttachError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program

__all__ = ["attach_each", "attach_together"]

_MOST_REFUSED = 64
"""So many functions of a pattern may be refused; more, and something else is wrong."""


class _Places:
    """What `uprobe._Attached` put into an attachment."""

    def __init__(self, attach: Attach) -> None:
        file, build_id, process, offsets, cookies, exact, names, *rest = attach.target
        assert isinstance(process, int) and isinstance(offsets, tuple) and isinstance(cookies, tuple)
        assert isinstance(exact, tuple) and isinstance(names, tuple)
        self.file, self.build_id, self.process = str(file), str(build_id), process
        self.offsets, self.cookies, self.exact, self.names = offsets, cookies, exact, names
        self.semaphores = rest[0] if rest and isinstance(rest[0], tuple) else (0,) * len(offsets)

    def text(self, first: int, end: int) -> str:
        others = end - first - 1
        return f"{self.names[first]} and {others} others" if others else str(self.names[first])


def attach_together(
    kernel: "KernelAccess", program: "Program", attach: Attach, *, at_return: bool
) -> "list[Link]":
    """Attach to all places of `attach` by one link. Where the kernel refuses, halves are tried: places that only a
    pattern names may be refused.

    Raises:
        AttachError: a place that the program names cannot be probed, or none can.
    """
    places = _Places(attach)
    _check_file(kernel, places, attach.probe)
    links: list[Link] = []
    refused: list[AttachError] = []
    parts = [(0, len(places.offsets))]
    try:
        while parts:
            first, end = parts.pop()
            try:
                links.append(
                    kernel.attach_uprobe_multi(
                        program,
                        places.file,
                        places.offsets[first:end],
                        at_return=at_return,
                        cookies=places.cookies[first:end] if any(places.cookies) else (),
                        semaphores=places.semaphores[first:end],
                        process=places.process,
                        target=places.text(first, end),
                    )
                )
            except AttachError as problem:
                if end - first > 1:
                    middle = (first + end) // 2
                    parts += [(middle, end), (first, middle)]
                    continue
                _refuse(refused, problem, bool(places.exact[first]))
        if not links:
            raise refused[0]
    except BaseException:
        kernel.detach(links)
        raise
    return links


def attach_each(
    kernel: "KernelAccess", program: "Program", attach: Attach, *, at_return: bool, cookies: bool
) -> "list[Link]":
    """The same by one perf event for each place."""
    places = _Places(attach)
    _check_file(kernel, places, attach.probe)
    links: list[Link] = []
    refused: list[AttachError] = []
    try:
        for i, offset in enumerate(places.offsets):
            try:
                links.append(
                    kernel.attach_uprobe(
                        program,
                        places.file,
                        offset,
                        at_return=at_return,
                        cookie=places.cookies[i] if cookies else 0,
                        semaphore=places.semaphores[i],
                        process=places.process,
                        target=str(places.names[i]),
                    )
                )
            except AttachError as problem:
                _refuse(refused, problem, bool(places.exact[i]))
        if not links:
            raise refused[0]
    except BaseException:
        kernel.detach(links)
        raise
    return links


def _refuse(refused: list[AttachError], problem: AttachError, exact: bool) -> None:
    refused.append(problem)
    if exact or len(refused) > _MOST_REFUSED:
        raise problem


def _check_file(kernel: "KernelAccess", places: _Places, probe: str) -> None:
    """The places were found in the file as it was when the program was compiled: another file has other places."""
    import errno

    try:
        build_id = ElfFile(kernel.map_file(places.file)).build_id()
    except OSError as problem:
        number = problem.errno or errno.ENOENT
        raise AttachError(number, "open", probe, f"`{places.file}` cannot be read any more") from None
    except ElfError:
        build_id = ""
    if build_id != places.build_id:
        raise AttachError(
            errno.ESTALE,
            "open",
            probe,
            f"`{places.file}` was replaced since the program was compiled: compile it again",
        )
