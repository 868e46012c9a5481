"""`rawtracepoint:NAME`: a tracepoint's own arguments, before the kernel formats them into a record."""

from collections.abc import Sequence

from kernscope.bundle import Attach
from kernscope.diagnostics import error, suggest
from kernscope.tables.bpf import ProgramType
from kernscope.types import UINT64, Bool, Integer, Pointer, Struct, StructField

from .base import EventReader, ProbeKind, ProgramShape, Report, Target, match_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess, KernelFacts
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program
    from kernscope.ssa import Value
    from kernscope.syntax.ast import AttachPoint

__all__ = ["RAWTRACEPOINT"]


class _RawTracepoint(ProbeKind):
    providers = ("rawtracepoint", "rt")
    most_args = 10
    hidden_frames, most_hidden_frames = 3, 4
    syntax = ("rawtracepoint:NAME", "rawtracepoint:MODULE:NAME")
    doc = (
        "A tracepoint's own arguments, before they are formatted: as numbers `arg0`, `arg1`, …, and by name with the "
        "kernel's types, `args.prev->comm` of `rawtracepoint:sched_switch`."
    )

    def expand(self, point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
        if len(point.args) not in (1, 2) or not all(point.args):
            report(
                error(
                    "bad-target",
                    f"`{point.text}` does not name a raw tracepoint",
                    point.span,
                    help="write `rawtracepoint:sched_switch`, for instance",
                )
            )
            return []
        name = point.args[-1]
        names = kernel.raw_tracepoints()
        found = match_names(name, names)
        if not found:
            near = suggest(name, names)
            report(
                error(
                    "unknown-probe",
                    f"this kernel has no raw tracepoint `{name}`",
                    point.span,
                    help=f"did you mean `rawtracepoint:{near}`?"
                    if near
                    else "`kernscope list 'rawtracepoint:*'` shows what there is",
                )
            )
        prefix = "rawtracepoint:" + (f"{point.args[0]}:" if len(point.args) == 2 else "")
        return [Target(self, prefix + n, (n,)) for n in found]

    def list_names(self, kernel: "KernelFacts") -> Sequence[str]:
        return [f"rawtracepoint:{name}" for name in kernel.raw_tracepoints()]

    def args(self, kernel: "KernelFacts", target: Target) -> Struct | None:
        """The arguments as BTF describes them, each in a 64-bit word of the context."""
        from kernscope.types.from_btf import (
            kernel_types,
        )  # loads the reader of BTF, which other kinds do without

        types = kernel_types(kernel)
        found = types.btf.raw_tracepoint(str(target.key[0]))
        parameters = found.parameters if found is not None else []
        fields = {}
        for i, (name, type_id) in enumerate(parameters):
            t = types.convert(type_id)
            if not isinstance(t, Integer | Bool | Pointer):
                t = UINT64
            fields[name] = StructField(name, t, 8 * i, type_text=types.c_text(type_id))
        return Struct(target.name, 8 * len(parameters), fields)

    def describe(self, kernel: "KernelFacts", name: str) -> list[tuple[str, str]]:
        args = self.args(kernel, Target(self, name, (name.rsplit(":", 1)[-1],)))
        return [(field.type_text, field.name) for field in args.fields.values()] if args is not None else []

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        attach = tuple(Attach(self.providers[0], t.name, t.key) for t in targets)
        return ProgramShape(str(targets[0].key[0]), ProgramType.RAW_TRACEPOINT, attach)

    def load_positional(self, reader: EventReader, event: object, index: int, target: Target) -> "Value":
        return reader.builder.load(8, reader.context, 8 * index)

    def load_arg(self, reader: EventReader, event: object, field: StructField, target: Target) -> "Value":
        b, t = reader.builder, field.type
        value = b.load(8, reader.context, field.offset)
        if isinstance(t, Bool):
            return b.and_(value, 0xFF)
        return b.ext(value, t.bits, t.signed) if isinstance(t, Integer) and t.bits < 64 else value

    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        return [kernel.attach_raw_tracepoint(program, str(attach.target[0]))]


RAWTRACEPOINT = _RawTracepoint()
