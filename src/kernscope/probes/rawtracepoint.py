"""`rawtracepoint:NAME`: a tracepoint's own arguments, before the kernel formats them into a record."""

from collections.abc import Sequence

from kernscope.bundle import Attach
from kernscope.diagnostics import Diagnostic, error, suggest
from kernscope.tables.bpf import ProgramType
from kernscope.types import UINT64, Bool, Integer, Pointer, Struct, StructField

from .base import EventReader, ProbeKind, ProgramShape, Report, Target, has_wildcard, match_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess, KernelFacts
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program
    from kernscope.ssa import Value
    from kernscope.syntax.ast import AttachPoint
    from kernscope.types.from_btf import KernelTypes

__all__ = ["RAWTRACEPOINT"]

_KERNEL = "vmlinux"
"""What the kernel itself is called where modules have a name."""


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
        wanted, name = (point.args[0] if len(point.args) == 2 else ""), point.args[-1]
        found = [
            Target(self, f"{self.providers[0]}:{module}:{n}", (n, module))
            for module in _modules(kernel, wanted, name)
            for n in match_names(name, _names(kernel, module))
        ]
        if not found:
            report(_unknown(point, kernel, wanted, name))
        return found

    def list_names(self, kernel: "KernelFacts") -> Sequence[str]:
        modules = (_KERNEL, *kernel.btf_modules())
        return [f"{self.providers[0]}:{m}:{name}" for m in modules for name in _names(kernel, m)]

    def args(self, kernel: "KernelFacts", target: Target) -> Struct | None:
        """The arguments as BTF describes them, each in a 64-bit word of the context."""
        from kernscope.types.from_btf import kernel_types  # loads the reader of BTF

        types: KernelTypes | None = kernel_types(kernel)
        if target.key[1] != _KERNEL and types is not None:
            types = types.module(str(target.key[1]))
        found = types.btf.raw_tracepoint(str(target.key[0])) if types is not None else None
        if found is None or types is None:
            return None
        parameters = found.parameters
        fields = {}
        for i, (name, type_id) in enumerate(parameters):
            t = types.convert(type_id)
            if not isinstance(t, Integer | Bool | Pointer):
                t = UINT64
            fields[name] = StructField(name, t, 8 * i, type_text=types.c_text(type_id))
        return Struct(target.name, 8 * len(parameters), fields)

    def describe(self, kernel: "KernelFacts", name: str) -> list[tuple[str, str]]:
        module, _, event = name.partition(":")[2].rpartition(":")
        args = self.args(kernel, Target(self, name, (event, module or _KERNEL)))
        return [(field.type_text, field.name) for field in args.fields.values()] if args is not None else []

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        attach = tuple(Attach(self.providers[0], t.name, t.key) for t in targets)
        return ProgramShape(str(targets[0].key[0]), ProgramType.RAW_TRACEPOINT, attach)

    def arg_count(self, kernel: "KernelFacts", target: Target) -> int:
        args = self.args(kernel, target)
        return min(self.most_args, len(args.fields)) if args is not None else self.most_args

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


def _names(kernel: "KernelFacts", module: str) -> list[str]:
    """The raw tracepoints of a module, or of the kernel itself."""
    if module == _KERNEL:
        return kernel.raw_tracepoints()
    btf = kernel.module_btf(module)
    return btf.raw_tracepoint_names() if btf is not None else []


def _modules(kernel: "KernelFacts", wanted: str, name: str) -> Sequence[str]:
    """Where to look: a name without a module is looked for in modules only if the kernel itself does not have it."""
    if wanted and not has_wildcard(wanted):
        return (wanted,)
    if not wanted and not has_wildcard(name) and name in kernel.raw_tracepoints():
        return (_KERNEL,)
    return match_names(wanted or "*", [_KERNEL, *kernel.btf_modules()])


def _unknown(point: "AttachPoint", kernel: "KernelFacts", module: str, name: str) -> Diagnostic:
    if module and not has_wildcard(module) and module not in (_KERNEL, *kernel.btf_modules()):
        return error(
            "unknown-probe",
            f"the module `{module}` is not loaded, or does not describe its types",
            point.span,
            help=f"what is part of the kernel itself has the module `{_KERNEL}`",
        )
    near = suggest(name, _names(kernel, module or _KERNEL))
    return error(
        "unknown-probe",
        f"this kernel has no raw tracepoint `{name}`",
        point.span,
        help=f"did you mean `rawtracepoint:{near}`?"
        if near
        else "`kernscope list 'rawtracepoint:*'` shows what there is",
    )


KINDS: tuple[ProbeKind, ...] = (RAWTRACEPOINT,)
