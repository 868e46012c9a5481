"""Attaching to functions of programs and libraries, as far as the kernel allows probes there."""

from kernscope.bundle import Attach
from kernscope.elf import ElfError, ElfFile
from kernscope.kernel.errors import AttachError

from .partial_attach import attach_parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program

__all__ = ["attach_each", "attach_together"]


class _Places:
    """What `uprobe._Attached` put into an attachment."""

    def __init__(self, attach: Attach) -> None:
        file, build_id, process, offsets, cookies, exact, names, *rest = attach.target
        assert isinstance(process, int) and isinstance(offsets, tuple) and isinstance(cookies, tuple)
        assert isinstance(exact, tuple) and isinstance(names, tuple)
        self.file, self.build_id, self.process = str(file), str(build_id), process
        self.offsets, self.cookies, self.exact, self.names = offsets, cookies, exact, names
        self.semaphores = rest[0] if rest and isinstance(rest[0], tuple) else (0,) * len(offsets)

    def is_named(self, place: int) -> bool:
        return bool(self.exact[place])

    def text(self, first: int, end: int) -> str:
        others = end - first - 1
        return f"{self.names[first]} and {others} others" if others else str(self.names[first])


def attach_together(
    kernel: "KernelAccess", program: "Program", attach: Attach, *, at_return: bool
) -> "list[Link]":
    """Attach to all places of `attach` by one link.

    Raises:
        AttachError: a place that the program names cannot be probed, or none can.
    """
    places = _Places(attach)
    _check_file(kernel, places, attach.probe)

    def attach_range(first: int, end: int) -> "Link":
        return kernel.attach_uprobe_multi(
            program,
            places.file,
            places.offsets[first:end],
            at_return=at_return,
            cookies=places.cookies[first:end] if any(places.cookies) else (),
            semaphores=places.semaphores[first:end],
            process=places.process,
            target=places.text(first, end),
        )

    return attach_parts(kernel, [(0, len(places.offsets))], attach_range, places.is_named)


def attach_each(
    kernel: "KernelAccess", program: "Program", attach: Attach, *, at_return: bool, cookies: bool
) -> "list[Link]":
    """The same by one perf event for each place."""
    places = _Places(attach)
    _check_file(kernel, places, attach.probe)

    def attach_one(place: int, _: int) -> "Link":
        return kernel.attach_uprobe(
            program,
            places.file,
            places.offsets[place],
            at_return=at_return,
            cookie=places.cookies[place] if cookies else 0,
            semaphore=places.semaphores[place],
            process=places.process,
            target=str(places.names[place]),
        )

    singly = [(place, place + 1) for place in range(len(places.offsets))]
    return attach_parts(kernel, singly, attach_one, places.is_named)


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
