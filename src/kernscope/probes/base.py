"""What a kind of probe is to the rest of the compiler and to the runtime.

A kind is one `ProbeKind` in one file. It reads its targets from the text (`expand`), says which targets can share
one program (`group`), describes that program (`shape`), and gives lowering what differs from kind to kind: the
check that an event is for this clause, the reading of `args`, the number of the probe. `attach` makes it live.
"""

from collections.abc import Callable, Collection, Sequence

from kernscope.bundle import Attach
from kernscope.diagnostics import Diagnostic, error
from kernscope.types import UINT64, Struct, StructField, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from kernscope.btf import Btf
    from kernscope.diagnostics import Span
    from kernscope.kernel.interface import KernelAccess, KernelFacts
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program
    from kernscope.ssa import Block, Builder, Value
    from kernscope.syntax.ast import AttachPoint
    from kernscope.tables.packets import Header

    from .verdicts import Verdicts
else:
    Protocol = object

__all__ = [
    "EventReader",
    "KnownPointer",
    "ProbeKind",
    "ProgramShape",
    "Report",
    "Target",
    "has_wildcard",
    "match_names",
]

Report = Callable[[Diagnostic], None]


class Target:
    """One kernel event that one attach point names.

    `name` is what the built-in `probe` says; `key` is the kind's own hashable data.
    """

    __slots__ = ("key", "kind", "name")

    def __init__(self, kind: "ProbeKind", name: str, key: tuple[object, ...] = ()) -> None:
        self.kind, self.name, self.key = kind, name, key

    @property
    def type_name(self) -> str:
        """What the built-in `probetype` says."""
        return "special" if self.kind.runs_in_tracer else self.name.partition(":")[0]

    def __repr__(self) -> str:
        return f"Target({self.name!r}, {self.key!r})"


class ProgramShape:
    """How a program for some targets is loaded and attached (numbers of `kernscope.tables.bpf`)."""

    __slots__ = ("attach", "attach_btf", "expected_attach_type", "name", "type")

    def __init__(
        self,
        name: str,
        type: int,
        attach: tuple[Attach, ...],
        *,
        expected_attach_type: int = 0,
        attach_btf: str | None = None,
    ) -> None:
        self.name, self.type, self.attach = name, type, attach
        self.expected_attach_type, self.attach_btf = expected_attach_type, attach_btf


class KnownPointer:
    """A pointer to the struct `struct` (its BTF id in `btf`), which the verifier knows it to be: what is there can be
    loaded without a helper, as far as `btf.loaded` says how.
    """

    __slots__ = ("btf", "struct", "value")

    def __init__(self, value: "Value", btf: "Btf", struct: int) -> None:
        self.value, self.btf, self.struct = value, btf, struct


class TargetTypes(Protocol):
    """The types of a program that is probed, by name."""

    def struct(self, tag: str, name: str) -> Struct | None: ...

    def enum(self, name: str) -> Type | None: ...

    def typedef(self, name: str) -> Type | None: ...


class EventReader(Protocol):
    """What a kind needs of lowering while it emits code for its programs."""

    @property
    def builder(self) -> "Builder": ...

    @property
    def kernel(self) -> "KernelFacts": ...

    @property
    def context(self) -> "Value":
        """The program's first argument."""

    @property
    def parts(self) -> "Collection[object]":
        """What the program's actions need of the event, as `Builtin.part` of what they use says."""

    def read_kernel(self, address: "Value", size: int, signed: bool) -> "Value":
        """An integer of `size` bytes behind a kernel address that the verifier does not know."""

    @property
    def targets(self) -> Sequence[Target]:
        """The events that the code is for."""

    def read_bytes(self, address: "Value", space: str, destination: "Value", size: "int | Value") -> "Value":
        """Copy bytes from a pointer into the `kernel` or `user` space; returns 0, or a negative error."""

    def place(self, t: Type) -> "Value":
        """Memory for a value, not initialised, until the end of the statement."""

    def constant_table(self, content: bytes) -> int:
        """Put constant bytes into the `globals` map; returns their offset there (a multiple of 8)."""


class ProbeKind:
    """Base of all kinds. `providers` are the names that select it, the first one being the canonical name."""

    providers: tuple[str, ...] = ()
    syntax: tuple[str, ...] = ()
    most_args = 0
    """How many of `arg0`, `arg1`, … it has at most (see `arg_count`)."""

    without_args = ""
    """Why a target may have no `args`, or what there is instead."""

    has_func = False
    """Whether the built-in `func` names the function that was hit (see `func_address`)."""
    func_by_name = False
    """Whether that is the last part of the probe's name: known where no process lives any more that could be asked."""
    doc = ""
    pointer_space = "kernel"
    """Where a number that an action makes a pointer leads: `kernel`, or `user` for probes in user space."""

    tells_targets = False
    """Whether `enter_clause` checks which target an event is of. Where it does not, only clauses with the same
    targets share a program.
    """

    of_processes = True
    """Whether its events happen in processes, so that `-p PID` leaves out those of others."""

    registers = False
    """Whether its context begins with the registers at the event, `struct pt_regs`."""

    overrides = False
    """Whether an action can make the function return at once (`override`); the target's key begins with its name."""

    runs_in_tracer = False
    """Whether the tracer itself runs it: `begin`, `end`."""

    hidden_frames = most_hidden_frames = 0
    """How many of the kernel's functions usually, and at most, lie between the event and the program (`kstack`)."""

    on_demand = False
    """Whether it only runs when it is asked for (`--test`, `--bench`), and what its action returns is its result."""

    limited_helpers = False
    """Whether its programs may call so few of the kernel's helpers that each has to be asked for."""

    has_packets = False
    """Whether its events are packets (see `kernscope.probes.packet`)."""
    headers: "tuple[Header, ...]" = ()
    """The headers that its packets can have."""

    reads_parts = False
    """Whether `begin_program` reads the parts of the event that the program's actions need (`EventReader.parts`)."""

    verdicts: "Verdicts | None" = None
    """What its actions may decide; None where its programs' result means nothing."""

    after_exit = False
    """Whether it runs when `exit()` has ended everything else: `end`."""

    seldom = False
    """Whether it fires so seldom that a small event ring is enough (timers, `begin`)."""

    def expand(self, point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
        """The events that an attach point names; problems go to `report`, and then the list is empty."""
        raise NotImplementedError

    def list_names(self, kernel: "KernelFacts") -> Sequence[str]:
        """All probes of this kind here, for `list` and for wildcards over providers."""
        return ()

    def list_matching(self, point: "AttachPoint", kernel: "KernelFacts") -> list[str] | None:
        """The probes that a pattern of `list` means, where there are too many to list all; None: `list_names` does."""
        return None

    def describe(self, kernel: "KernelFacts", name: str) -> list[tuple[str, str]]:
        """`(C type, name)` of each member of `args` in the probe of this full name, for listings."""
        return []

    def args(self, kernel: "KernelFacts", target: Target) -> Struct | None:
        """The members of `args`, or None where the kind has none."""
        return None

    def absent_arg(self, kernel: "KernelFacts", target: Target, name: str) -> str:
        """Why `args` has no member `name` although the event has an argument of that name; empty if it has none."""
        return ""

    def types(self, kernel: "KernelFacts", target: Target) -> "TargetTypes | None":
        """The types that the probed program itself describes, or None."""
        return None

    def arg_count(self, kernel: "KernelFacts", target: Target) -> int:
        """How many of `arg0`, `arg1`, … the target has."""
        return self.most_args

    def check_positional(
        self, kernel: "KernelFacts", targets: Sequence[Target], index: int, span: "Span", report: Report
    ) -> Type | None:
        """The type of `arg0`, `arg1`, … in an action for `targets`; None after reporting one that does not have it."""
        for target in targets:
            count = self.arg_count(kernel, target)
            if index >= count:
                report(
                    error(
                        "not-available-here",
                        f"`{target.name}` has no `arg{index}`",
                        span,
                        label=f"its arguments end at `arg{count - 1}`" if count else "it has no arguments",
                    )
                )
                return None
        return UINT64

    def load_positional(self, reader: EventReader, event: object, index: int, target: Target) -> "Value":
        """`arg0`, `arg1`, … as a 64-bit word; `index` is below `arg_count`."""
        raise NotImplementedError

    def retval(self, kernel: "KernelFacts", target: Target) -> Type | None:
        """The type of the built-in `retval`, or None where nothing is returned."""
        return None

    def load_retval(self, reader: EventReader, event: object, target: Target) -> "Value":
        """Read the return value, of the type that `retval` gives."""
        raise NotImplementedError

    def func_address(self, reader: EventReader, event: object, target: Target) -> "Value":
        """An address in the function that was hit, in the kernel or the process as `pointer_space` says."""
        raise NotImplementedError

    def context_type(self, kernel: "KernelFacts", target: Target) -> Type | None:
        """The type of the built-in `ctx`, or None where nothing describes what it leads to."""
        return None

    def function_name(self, target: Target, demangled: bool) -> str:
        """The name of the target's function, where `func_by_name`; `demangled`: C++ names as they were written."""
        raise NotImplementedError

    def entry_address(self, reader: EventReader, event: object, target: Target) -> "Value":
        """Where in the process the probed function, or instruction, lies; for kinds with a `user_symbol`."""
        raise NotImplementedError

    def user_symbol(self, kernel: "KernelFacts", target: Target, name: str) -> tuple[int, int] | None:
        """How far behind the probed place a variable or function of the same file lies, and its size in bytes.

        None where the file has none. Raises NotImplementedError for probes that are in no file.
        """
        raise NotImplementedError

    may_ask_sockets = False
    """Whether its programs can hand sockets that they know to helpers."""

    def may_resolve_paths(self, kernel: "KernelFacts", target: Target) -> bool:
        """Whether the kernel lets its programs call bpf_d_path()."""
        return False

    def refine(
        self, target: Target, kernel: "KernelFacts", *, needs_args: bool, needs_registers: bool
    ) -> Target:
        """The target as a cheaper kind serves it, now that it is known whether the action reads `args` or registers."""
        return target

    def group(self, target: Target, *, needs_args: bool, needs_probe: bool) -> tuple[object, ...]:
        """Targets with the same key can run the same program. By default each has its own."""
        return (self.providers[0], target.name, *target.key)

    def section(self, target: Target) -> object:
        """Targets of one clause and one program whose sections differ run the action once each."""
        return None

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        """How the program that serves `targets` is loaded and attached."""
        raise NotImplementedError

    def begin_program(self, reader: EventReader, leave: "Block") -> object:
        """Emit what all clauses of a program need first (jump to `leave` to ignore the event).

        The result is handed to the methods below as `event`.
        """
        return None

    def enter_clause(
        self, reader: EventReader, event: object, targets: Sequence[Target], skip: "Block"
    ) -> None:
        """Emit the check that this event is one of `targets`, jumping to `skip` where it is not."""

    def load_arg(self, reader: EventReader, event: object, field: StructField, target: Target) -> "Value":
        """Read a member of `args`; for types kept in memory, its address."""
        raise NotImplementedError

    def known_pointer(
        self, reader: EventReader, event: object, field: StructField, target: Target
    ) -> KnownPointer | None:
        """A member of `args` that is a pointer which the verifier knows, or None; `load_arg` gives a mere number."""
        return None

    def number(self, names: list[str], targets: Sequence[Target]) -> dict[str, int]:
        """Give each target's name a place in `names` (which grows) and return the places."""
        places = {}
        for target in targets:
            places[target.name] = len(names)
            names.append(target.name)
        return places

    def probe_number(
        self, reader: EventReader, event: object, targets: Sequence[Target], numbers: dict[str, int]
    ) -> "Value":
        """The index of the event's probe name; `numbers` has the index of each target's name."""
        return reader.builder.const(numbers[targets[0].name])

    def has_header(self, reader: EventReader, event: object, header: "Header") -> "Value":
        """1 if the packet has a header, else 0."""
        raise NotImplementedError

    def packet_length(self, reader: EventReader) -> "Value":
        """Bytes of the packet, from the first header that the kind sees."""
        raise NotImplementedError

    def interface(self, reader: EventReader, target: Target) -> "Value":
        """Index of the network interface."""
        raise NotImplementedError

    def header_place(self, reader: EventReader, event: object, name: str) -> "Value":
        """The address of the program's copy of a packet's header, by the name of its type."""
        raise NotImplementedError

    def prepare_refusal(self, reader: EventReader, errno: int) -> None:
        """Emit what a refusal needs besides the program's result, such as noting the error."""

    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        """Attach a loaded program. Raises AttachError or KernelError."""
        raise NotImplementedError


def has_wildcard(pattern: str) -> bool:
    """Whether a target's part is a pattern: `*`, `?` or `[…]`."""
    return any(c in pattern for c in "*?[")


def match_names(pattern: str, names: Sequence[str]) -> list[str]:
    """The names that a pattern matches, in their order."""
    if not has_wildcard(pattern):
        return [pattern] if pattern in names else []
    prefix = pattern[:-1]
    if pattern[-1] == "*" and not has_wildcard(prefix):
        return [name for name in names if name.startswith(prefix)]
    from fnmatch import fnmatchcase  # loads `re`, which the common patterns above do without

    return [name for name in names if fnmatchcase(name, pattern)]
