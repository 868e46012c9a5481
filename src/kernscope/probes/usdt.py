"""`usdt`: static probes that the authors of a program put into it (`sys/sdt.h`, DTrace's user-level probes).

A probe may be at several places, each with its arguments in registers, constants or memory of its own: every place is
a uprobe, and the event's cookie tells which it is. All places of a file go to one `uprobe_multi` link where the kernel
has such. A semaphore, a counter by which the program knows that it is watched, is counted up by the kernel while the
probe is attached. How targets are read is in `usdt_targets`, how arguments are in `usdt_arguments`.
"""

from collections.abc import Sequence

from kernscope.bundle import Attach
from kernscope.tables.bpf import AttachType, ProgramType
from kernscope.types import Type

from .base import EventReader, ProbeKind, ProgramShape, Report, Target
from .cookies import CookieKind, in_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.diagnostics import Span
    from kernscope.kernel.interface import KernelAccess, KernelFacts
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program
    from kernscope.ssa import Value
    from kernscope.syntax.ast import AttachPoint

    from .base import TargetTypes

__all__ = ["SERVERS", "USDT", "server"]

MOST_ARGUMENTS = 10
"""`arg0` to `arg9`."""

TARGET_BITS = 32
"""Of a cookie: the number of the target; above them is that of its arguments' form."""


class _Attached(CookieKind):
    """What both ways of attaching share.

    A target's key is `(file, build id, process, places, exact)`: the path that the kernel gets, the process that the
    run is for or 0, for each place its offset in the file, that of its semaphore or 0, its address and its arguments'
    text, and whether the file was named exactly.
    """

    pointer_space = "user"
    registers = True
    most_args = MOST_ARGUMENTS
    without_args = "its arguments have numbers: `arg0`, `arg1` …"
    cookies = True
    cookie_mask = (1 << TARGET_BITS) - 1

    def __init__(self, name: str) -> None:
        self.providers = (name,)

    def group(self, target: Target, *, needs_args: bool, needs_probe: bool) -> tuple[object, ...]:
        return (*self.providers, "" if self.cookies else target.name)

    def types(self, kernel: "KernelFacts", target: Target) -> "TargetTypes | None":
        from .user_arguments import program_types  # loads the reader of debug information

        opened, _, _, places, _ = target.key
        assert isinstance(opened, str) and isinstance(places, tuple)
        return program_types(kernel, opened, target.name.split(":")[1], places[0][0])

    def user_symbol(self, kernel: "KernelFacts", target: Target, name: str) -> tuple[int, int] | None:
        """Counted from the probe's place; where it has several, an address says nothing of where the file is mapped."""
        _, _, _, places, _ = target.key
        assert isinstance(places, tuple)
        if len(places) > 1:
            raise NotImplementedError
        from .usdt_targets import symbol_in_file

        return symbol_in_file(kernel, target, name)

    def entry_address(self, reader: EventReader, event: object, target: Target) -> "Value":
        arch = reader.kernel.arch
        return reader.builder.load(8, reader.context, arch.register_offsets[arch.program_counter])

    def check_positional(
        self, kernel: "KernelFacts", targets: Sequence[Target], index: int, span: "Span", report: Report
    ) -> Type | None:
        from .usdt_arguments import check

        return check(kernel, targets, index, span, report, cookies=self.cookies)

    def load_positional(self, reader: EventReader, event: object, index: int, target: Target) -> "Value":
        from .usdt_arguments import load

        return load(reader, reader.targets, index)

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        """One attachment per file and process; a place's cookie has its target's number and, above it, that of the
        form of its arguments.
        """
        from .usdt_arguments import forms

        targets = in_order(targets)
        numbers = forms(kernel, targets)
        files: dict[tuple[object, ...], list[tuple[int, int, bool, str, int]]] = {}
        for index, target in enumerate(targets):
            *file, places, exact = target.key
            assert isinstance(places, tuple)
            known = files.setdefault(tuple(file), [])
            for place in places:
                offset, semaphore, *_ = place
                cookie = numbers[place] << TARGET_BITS | index
                known.append((offset, cookie, bool(exact), target.name, semaphore))
        return ProgramShape(
            targets[0].name.rpartition(":")[2],
            ProgramType.KPROBE,
            tuple(self._attachment(file, places) for file, places in files.items()),
            expected_attach_type=self.attach_type,
        )

    attach_type = 0

    def _attachment(
        self, file: tuple[object, ...], places: Sequence[tuple[int, int, bool, str, int]]
    ) -> Attach:
        offsets, cookies, exact, names, semaphores = (tuple(part) for part in zip(*places, strict=True))
        count = len(set(names))
        text = names[0] if count == 1 else f"{names[0]} … ({count} probes)"
        return Attach(self.providers[0], str(text), (*file, offsets, cookies, exact, names, semaphores))


class _Multi(_Attached):
    """One link for all places of a file."""

    attach_type = AttachType.TRACE_UPROBE_MULTI

    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        from .uprobe_attach import attach_together

        return attach_together(kernel, program, attach, at_return=False)


class _Single(_Attached):
    """A perf event for each place."""

    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        from .uprobe_attach import attach_each

        return attach_each(kernel, program, attach, at_return=False, cookies=self.cookies)


class _Uncounted(_Single):
    """The same on kernels without cookies (before 5.15): one program per probe, whose places must look alike."""

    cookies = False


_MULTI, _SINGLE, _UNCOUNTED = _Multi("usdt_multi"), _Single("usdt_single"), _Uncounted("usdt_uncounted")

SERVERS: tuple[ProbeKind, ...] = (_MULTI, _SINGLE, _UNCOUNTED)
"""The kinds that attach for the one that a program names."""


def server(kernel: "KernelFacts") -> ProbeKind | None:
    """The kind that attaches here; None where the kernel has no probes in user space."""
    if kernel.has_feature("uprobe_multi"):
        return _MULTI
    if not kernel.has_feature("uprobe"):
        return None
    return _SINGLE if kernel.has_feature("attach_cookie") else _UNCOUNTED


class _Usdt(ProbeKind):
    """What a program names."""

    providers = ("usdt", "U")
    pointer_space = "user"
    syntax = ("usdt:FILE:NAME", "usdt:FILE:PROVIDER:NAME", "usdt:LIBRARY:NAME", "usdt:*:NAME")
    doc = (
        "A static probe that a program's authors put into it, for instance `usdt:./server:request__start`; its "
        "arguments are `arg0` to `arg9`."
    )

    def expand(self, point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
        from .usdt_targets import expand  # few programs get here

        return expand(point, kernel, report)

    def list_matching(self, point: "AttachPoint", kernel: "KernelFacts") -> list[str] | None:
        from .usdt_targets import list_matching

        return list_matching(point, kernel)

    def describe(self, kernel: "KernelFacts", name: str) -> list[tuple[str, str]]:
        from .usdt_targets import describe

        return describe(kernel, name)


USDT = _Usdt()

KINDS: tuple[ProbeKind, ...] = (USDT,)
