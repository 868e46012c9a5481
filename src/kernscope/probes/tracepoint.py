"""`tracepoint:CATEGORY:NAME`: the kernel's stable events, as tracefs lists them.

System-call tracepoints are taken over by `kernscope.probes.syscalls`, which attaches to them far cheaper.
"""

from collections.abc import Sequence

from kernscope.bundle import Attach
from kernscope.diagnostics import Diagnostic, error, suggest
from kernscope.tables.bpf import ProgramType
from kernscope.types import NONE, Array, Bool, Integer, Pointer, String, Struct, StructField, Type

from . import syscalls
from .base import EventReader, ProbeKind, ProgramShape, Report, Target, has_wildcard, match_names
from .c_integers import c_integer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess, KernelFacts
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program
    from kernscope.kernel.tracefs import Field
    from kernscope.ssa import Value
    from kernscope.syntax.ast import AttachPoint

__all__ = ["BARE_TRACEPOINT", "PERF_TRACEPOINT", "TRACEPOINT", "field_type"]

_COMMON_BYTES = 8
"""The first 8 bytes of a tracepoint's record are the kernel's own: programs may not read them."""


class _BareTracepoint(ProbeKind):
    """A tracepoint whose action does not read `args`: a raw tracepoint, which attaches and detaches at once."""

    hidden_frames, most_hidden_frames = 3, 4
    providers = ("bare_tracepoint",)

    def group(self, target: Target, *, needs_args: bool, needs_probe: bool) -> tuple[object, ...]:
        return (self.providers[0], target.name) if needs_probe else (self.providers[0],)

    def args(self, kernel: "KernelFacts", target: Target) -> Struct:
        return PERF_TRACEPOINT.args(kernel, target)

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        attach = tuple(Attach(self.providers[0], t.name, t.key) for t in targets)
        return ProgramShape(str(targets[0].key[1]), ProgramType.RAW_TRACEPOINT, attach)

    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        return [kernel.attach_raw_tracepoint(program, str(attach.target[1]))]


BARE_TRACEPOINT = _BareTracepoint()


class _PerfTracepoint(ProbeKind):
    """One perf event per tracepoint: works for all of them, slow to detach."""

    most_hidden_frames = 1
    providers = ("perf_tracepoint",)

    def refine(
        self, target: Target, kernel: "KernelFacts", *, needs_args: bool, needs_registers: bool
    ) -> Target:
        if needs_args or not (kernel.has_feature("raw_tracepoint") and kernel.has_feature("btf")):
            return target
        if kernel.btf().raw_tracepoint(str(target.key[1])) is None:
            return target  # of a module, or an event that is no tracepoint of its own
        return Target(BARE_TRACEPOINT, target.name, target.key)

    def args(self, kernel: "KernelFacts", target: Target) -> Struct:
        category, name = (str(part) for part in target.key)
        return tracepoint_args(kernel, category, name, "kernel")

    def group(self, target: Target, *, needs_args: bool, needs_probe: bool) -> tuple[object, ...]:
        if needs_args or needs_probe:
            return (self.providers[0], target.name)
        return (self.providers[0],)

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        attach = tuple(Attach(self.providers[0], t.name, t.key) for t in targets)
        return ProgramShape(str(targets[0].key[1]), ProgramType.TRACEPOINT, attach)

    def load_arg(self, reader: EventReader, event: object, field: StructField, target: Target) -> "Value":
        b = reader.builder
        if field.data_loc:
            where = b.load(4, reader.context, field.offset)
            base = field.offset + 4 if field.data_loc == "rel_loc" else 0
            return b.ptr_add(b.ptr_add(reader.context, base), b.and_(where, 0xFFFF))
        if isinstance(field.type, Integer | Bool | Pointer):
            signed = isinstance(field.type, Integer) and field.type.signed
            return b.load(field.type.size, reader.context, field.offset, signed=signed)
        if field.offset % 8 == 0:
            return b.ptr_add(reader.context, b.const(field.offset))
        return _aligned_copy(reader, field)

    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        category, name = (str(part) for part in attach.target)
        return [kernel.attach_tracepoint(program, category, name)]


PERF_TRACEPOINT = _PerfTracepoint()


def _aligned_copy(reader: EventReader, field: StructField) -> "Value":
    """A text or array member in memory of our own: lowering reads words, and the verifier wants words of a
    tracepoint's record to be aligned, which a member at offset 34 is not.
    """
    b = reader.builder
    copy = reader.place(field.type)
    size, start = field.type.size, field.offset
    offset = 0
    while offset < size:
        width = next(w for w in (4, 2, 1) if start % w == 0 and offset % w == 0 and offset + w <= size)
        b.store(width, copy, b.load(width, reader.context, start + offset), offset)
        offset += width
    return copy


class _Tracepoint(ProbeKind):
    """Reads the target and hands it to the cheapest kind that can serve it."""

    providers = ("tracepoint", "t")
    syntax = ("tracepoint:CATEGORY:NAME", "t:CATEGORY:NAME")
    doc = "A static event of the kernel, for instance `tracepoint:sched:sched_process_exec`."

    def expand(self, point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
        if len(point.args) != 2 or not all(point.args):
            report(
                error(
                    "bad-target",
                    f"`{point.text}` does not name a tracepoint",
                    point.span,
                    help="write `tracepoint:CATEGORY:NAME`, for instance `tracepoint:sched:sched_switch`",
                )
            )
            return []
        category, name = point.args
        categories = match_names(category, kernel.tracepoint_categories())
        found = [(c, n) for c in categories for n in match_names(name, kernel.tracepoints(c))]
        if not found:
            report(_unknown(point, category, name, categories, kernel))
        return [self.target(kernel, c, n) for c, n in found]

    def describe(self, kernel: "KernelFacts", name: str) -> list[tuple[str, str]]:
        _, _, rest = name.partition(":")
        category, _, event = rest.partition(":")
        if not event:
            return []
        return [
            (_listed_type(field), field.name)
            for field in kernel.tracepoint_format(category, event).own_fields
        ]

    def target(self, kernel: "KernelFacts", category: str, name: str) -> Target:
        text = f"tracepoint:{category}:{name}"
        number = syscalls.number_of(kernel, category, name)
        if number is not None:
            return Target(syscalls.kind_for(name, kernel), text, (category, name, number))
        return Target(PERF_TRACEPOINT, text, (category, name))

    def list_names(self, kernel: "KernelFacts") -> Sequence[str]:
        return [f"tracepoint:{c}:{n}" for c in kernel.tracepoint_categories() for n in kernel.tracepoints(c)]


TRACEPOINT = _Tracepoint()


def _unknown(
    point: "AttachPoint", category: str, name: str, categories: list[str], kernel: "KernelFacts"
) -> Diagnostic:
    notes: tuple[str, ...] = ()
    if not categories:
        notes = ("those of a module are there when it is loaded",)
        known = kernel.tracepoint_categories()
        near = suggest(category, known)
        message = f"this kernel has no tracepoint category `{category}`"
        hint = f"did you mean `{near}`?" if near else "`kernscope list 'tracepoint:*'` shows them all"
    elif has_wildcard(name) or has_wildcard(category):
        message = f"no tracepoint of this kernel matches `{category}:{name}`"
        hint = f"`kernscope list 'tracepoint:{category}:*'` shows what there is"
    else:
        near = suggest(name, kernel.tracepoints(category))
        message = f"this kernel has no tracepoint `{category}:{name}`"
        hint = (
            f"did you mean `tracepoint:{category}:{near}`?"
            if near
            else f"`kernscope list 'tracepoint:{category}:*'` shows what there is"
        )
    return error("unknown-probe", message, point.span, notes=notes, help=hint)


def _listed_type(field: "Field") -> str:
    if field.dynamic:
        return f"__{field.dynamic} {field.type_text}[]"
    return f"{field.type_text}[{field.count}]" if field.count else field.type_text


def tracepoint_args(kernel: "KernelFacts", category: str, name: str, space: str) -> Struct:
    """The members of a tracepoint's `args`, from its format file."""
    fields = {}
    end = 0
    for field in kernel.tracepoint_format(category, name).fields:
        end = max(end, field.offset + field.size)
        if field.offset < _COMMON_BYTES:
            continue
        fields[field.name] = StructField(
            field.name,
            field_type(field, space),
            field.offset,
            data_loc=field.dynamic or None,
            type_text=field.type_text,
        )
    return Struct(f"tracepoint:{category}:{name}", end, fields)


def field_type(field: "Field", space: str) -> Type:
    """The type of one member, by the C text and size that its format file gives."""
    text = field.type_text
    if field.dynamic:
        return Pointer(Integer(8, True), "kernel")
    if "*" in text:
        return _pointer_type(text, space)
    if field.count:
        size = field.size // field.count
        if "char" in text and size == 1:
            return String(field.size)
        bits = 8 * size if size in (1, 2, 4, 8) else 8
        return Array(Integer(bits, field.signed), field.size * 8 // bits)
    if text == "bool" or text == "_Bool":
        return Bool()
    if field.size in (1, 2, 4, 8):
        return Integer(field.size * 8, field.signed)
    return Array(Integer(8, False), field.size)


def _pointer_type(text: str, space: str) -> Pointer:
    """A pointer as a format file writes it, `const struct sockaddr *`; sema finds the struct by its name."""
    stars = text.count("*")
    base = " ".join(word for word in text.replace("*", " ").split() if word not in ("const", "volatile"))
    tag = base.split(" ", 1)[0]
    target: Type = Struct(base, 0, {}) if tag in ("struct", "union") else c_integer(base) or NONE
    for _ in range(stars - 1):
        target = Pointer(target, space)
    return Pointer(target, space)


KINDS: tuple[ProbeKind, ...] = (TRACEPOINT,)
SERVERS: tuple[ProbeKind, ...] = (BARE_TRACEPOINT, PERF_TRACEPOINT, *syscalls.SERVERS)
