"""`uprobe` and `uretprobe`: any function of a program or a library, when it is entered or when it returns.

All targets of an action in one file go to one `uprobe_multi` link, which attaches and detaches once; kernels without
such links take one perf event per place. How targets are read is in `uprobe_targets`, how they are attached in
`uprobe_attach`.
"""

from collections.abc import Sequence

from kernscope.bundle import Attach
from kernscope.kernel.errors import NotSupportedError
from kernscope.tables.bpf import AttachType, ProgramType
from kernscope.tables.helpers import HELPER_IDS
from kernscope.types import Struct, StructField

from .base import EventReader, ProbeKind, ProgramShape, Report, Target
from .cookies import CookieKind, in_order
from .registers import RegisterKind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess, KernelFacts
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program
    from kernscope.ssa import Value
    from kernscope.syntax.ast import AttachPoint

    from .base import TargetTypes

__all__ = ["SERVERS", "UPROBE", "URETPROBE", "server"]


class _Attached(CookieKind, RegisterKind):
    """What all ways of attaching share.

    A target's key is `(file, build id, process, offsets, exact)`: the path that the kernel gets, the process that the
    run is for or 0, the places in the file (several where functions of one name are), and whether it was named exactly.
    """

    pointer_space = "user"
    has_func = func_by_name = True
    cookies = True

    def __init__(self, provider: str, at_return: bool) -> None:
        self.providers = (provider,)
        self.at_return = at_return
        self.most_args = 0 if at_return else 10
        self.without_args = (
            "when a function returns, its arguments are gone: keep them in a map when it is entered"
            if at_return
            else "they are known from debug information (`gcc -g`), which this function has none of"
        )

    def group(self, target: Target, *, needs_args: bool, needs_probe: bool) -> tuple[object, ...]:
        return (*self.providers, target.name if needs_probe and not self.cookies else "")

    def function_name(self, target: Target, demangled: bool) -> str:
        name = target.name.rpartition(":")[2].partition("+")[0]
        if name.isdecimal():
            return f"{int(name):#x}"
        if not demangled or not name.startswith("_"):
            return name
        from kernscope.symbols.demangle import demangle

        return demangle(name)

    def entry_address(self, reader: EventReader, event: object, target: Target) -> "Value":
        if self.at_return:
            return reader.builder.call(HELPER_IDS["get_func_ip"], reader.context)
        return self.register(reader, reader.kernel.arch.program_counter)

    def user_symbol(self, kernel: "KernelFacts", target: Target, name: str) -> tuple[int, int] | None:
        from .uprobe_targets import symbol_in_file

        if self.at_return and not kernel.has_feature("uprobe_multi"):
            # bpf_get_func_ip() knows return probes in user space since the same version
            raise NotSupportedError("uaddr() when a function returns", "Linux 6.6")
        return symbol_in_file(kernel, target, name)

    def args(self, kernel: "KernelFacts", target: Target) -> Struct | None:
        """What debug information says of the function's parameters; nothing when it returns."""
        if self.at_return:
            return None
        from .user_arguments import target_arguments  # loads the reader of debug information

        return target_arguments(kernel, target)

    def absent_arg(self, kernel: "KernelFacts", target: Target, name: str) -> str:
        from .user_arguments import absent_argument

        return absent_argument(kernel, target, name)

    def types(self, kernel: "KernelFacts", target: Target) -> "TargetTypes | None":
        from .user_arguments import program_types

        opened, _, _, offsets, *_ = target.key
        assert isinstance(opened, str) and isinstance(offsets, tuple)
        return program_types(kernel, opened, target.name.split(":")[1], offsets[0])

    def load_arg(self, reader: EventReader, event: object, field: StructField, target: Target) -> "Value":
        from .user_arguments import load_argument

        return load_argument(reader, field)

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        """One attachment per file and process; its places carry the numbers of their targets as cookies."""
        files: dict[tuple[object, ...], list[tuple[int, int, bool, str]]] = {}
        for index, target in enumerate(in_order(targets)):
            *file, offsets, exact = target.key
            assert isinstance(offsets, tuple)
            files.setdefault(tuple(file), []).extend((o, index, bool(exact), target.name) for o in offsets)
        first = targets[0].name
        return ProgramShape(
            first.rpartition(":")[2],
            ProgramType.KPROBE,
            tuple(self._attachment(file, places) for file, places in files.items()),
            expected_attach_type=self.attach_type,
        )

    attach_type = 0

    def _attachment(self, file: tuple[object, ...], places: Sequence[tuple[int, int, bool, str]]) -> Attach:
        offsets, cookies, exact, names = (tuple(part) for part in zip(*places, strict=True))
        count = len(set(names))
        text = names[0] if count == 1 else f"{names[0]} … ({count} functions)"
        return Attach(self.providers[0], str(text), (*file, offsets, cookies, exact, names))


class _Multi(_Attached):
    """One link for all places of a file."""

    attach_type = AttachType.TRACE_UPROBE_MULTI

    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        from .uprobe_attach import attach_together

        return attach_together(kernel, program, attach, at_return=self.at_return)


class _Single(_Attached):
    """A perf event for each place."""

    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        from .uprobe_attach import attach_each

        return attach_each(kernel, program, attach, at_return=self.at_return, cookies=self.cookies)


class _Uncounted(_Single):
    """The same on kernels without cookies (before 5.15): an action that names its probe takes a program per target."""

    cookies = False


_MULTI = (_Multi("uprobe_multi", False), _Multi("uretprobe_multi", True))
_SINGLE = (_Single("uprobe_single", False), _Single("uretprobe_single", True))
_UNCOUNTED = (_Uncounted("uprobe_uncounted", False), _Uncounted("uretprobe_uncounted", True))

SERVERS: tuple[ProbeKind, ...] = (*_MULTI, *_SINGLE, *_UNCOUNTED)
"""The kinds that attach for the two kinds that a program names."""


def server(kernel: "KernelFacts", at_return: bool) -> ProbeKind | None:
    """The kind that attaches here; None where the kernel has no probes in user space."""
    if kernel.has_feature("uprobe_multi"):
        return _MULTI[at_return]
    if not kernel.has_feature("uprobe"):
        return None
    return (_SINGLE if kernel.has_feature("attach_cookie") else _UNCOUNTED)[at_return]


class _Named(ProbeKind):
    """What a program names; `uprobe_targets` finds the functions."""

    pointer_space = "user"

    def __init__(self, providers: tuple[str, ...], at_return: bool, doc: str) -> None:
        self.providers, self.at_return, self.doc = providers, at_return, doc
        name = providers[0]
        places = () if at_return else (f"{name}:FILE:FUNCTION+OFFSET", f"{name}:FILE:ADDRESS")
        self.syntax = (
            f"{name}:FILE:FUNCTION",
            f"{name}:LIBRARY:FUNCTION",
            f"{name}:FILE:cpp:FUNCTION",
            *places,
        )

    def expand(self, point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
        from .uprobe_targets import expand  # few programs get here

        return expand(point, kernel, report, self.providers[0], at_return=self.at_return)

    def describe(self, kernel: "KernelFacts", name: str) -> list[tuple[str, str]]:
        if self.at_return:
            return []
        from .user_arguments import describe_function

        return describe_function(kernel, name)

    def list_matching(self, point: "AttachPoint", kernel: "KernelFacts") -> list[str] | None:
        from .uprobe_targets import list_matching

        return list_matching(point, kernel, self.providers[0])


UPROBE = _Named(
    ("uprobe", "u"),
    False,
    "A function of a program or library is entered, for instance `uprobe:libc:malloc`.",
)
URETPROBE = _Named(
    ("uretprobe", "ur"),
    True,
    "A function of a program or library returns, for instance `uretprobe:libc:malloc`.",
)

KINDS: tuple[ProbeKind, ...] = (UPROBE, URETPROBE)
