"""`iter:NAME`: the kernel's objects of one kind, one run of the action for each, once."""

from collections.abc import Sequence

from kernscope.bundle import Attach
from kernscope.diagnostics import error, suggest
from kernscope.ssa import Cond
from kernscope.tables.bpf import AttachType, ProgramType
from kernscope.tables.helpers import HELPER_IDS
from kernscope.types import Pointer, Type

from .base import EventReader, ProbeKind, ProgramShape, Report, Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess, KernelFacts
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program
    from kernscope.ssa import Block
    from kernscope.syntax.ast import AttachPoint

__all__ = ["ITER"]

_FUNCTION = "bpf_iter_"
"""What the kernel calls the function that stands for an iterator; its context is ``struct bpf_iter__NAME``
(DEFINE_BPF_ITER_FUNC of include/linux/bpf.h)."""

_OBJECT_OFFSET = 8
"""The context begins with `meta`, then comes what is iterated over: NULL in a last call, behind all objects."""

_OF_A_MAP = frozenset(("bpf_map_elem", "bpf_sk_storage_map", "sockmap"))
"""These go over the elements of a map that has to be named by a file descriptor when they are attached."""


class _Iterator(ProbeKind):
    """A program that the kernel runs while the tracer reads from a file.

    To the file it writes one byte for each object: so a read of N bytes ends after N objects, and what they have sent
    is handed over before the next read (`kernscope.kernel.iterator`).
    """

    providers = ("iter", "it")
    syntax = ("iter:NAME",)
    doc = (
        "Runs once for each of the kernel's objects of a kind, then the run ends: `iter:task` for each thread, "
        "`iter:task_file` for each open file. The objects are members of `ctx`: `ctx.task->comm`."
    )
    of_processes = False
    hidden_frames = most_hidden_frames = 0

    def expand(self, point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
        if len(point.args) == 2 and all(point.args):
            report(
                error(
                    "not-yet",
                    "iterators cannot be pinned yet",
                    point.span,
                    help=f"write `iter:{point.args[0]}`, whose action runs at once",
                )
            )
            return []
        if len(point.args) != 1 or not point.args[0]:
            report(
                error(
                    "bad-target",
                    f"`{point.text}` does not name an iterator",
                    point.span,
                    help="write `iter:task`, for instance",
                )
            )
            return []
        name = point.args[0]
        if not kernel.has_feature("btf"):
            report(error("no-kernel-types", "iterators need the kernel's types (BTF)", point.span))
            return []
        names = _names(kernel)
        if name not in names:
            near = suggest(name, names)
            note = (
                f"`{name}` goes over the elements of a map, and no map can be named here"
                if name in _OF_A_MAP
                else f"it has {', '.join(f'`{n}`' for n in names)}"
            )
            report(
                error(
                    "unknown-probe",
                    f"this kernel has no iterator `{name}`",
                    point.span,
                    notes=note,
                    help=f"did you mean `iter:{near}`?" if near else None,
                )
            )
            return []
        # `-p` alone chooses what is seen: a command (`-c`) may want to be looked at among others
        return [Target(self, f"iter:{name}", (name, point.files_of))]

    def list_names(self, kernel: "KernelFacts") -> Sequence[str]:
        return [f"iter:{name}" for name in _names(kernel)]

    def describe(self, kernel: "KernelFacts", name: str) -> list[tuple[str, str]]:
        from kernscope.btf import Kind
        from kernscope.types.from_btf import kernel_types

        types = kernel_types(kernel)
        struct = types.btf.find(Kind.STRUCT, f"{_FUNCTION}_{name.partition(':')[2]}")
        members = types.btf.named_members(struct) if struct is not None else []
        return [(types.c_text(member.type_id), member.name) for member in members]

    def context_type(self, kernel: "KernelFacts", target: Target) -> Type | None:
        from kernscope.types.from_btf import kernel_types  # other kinds do without BTF

        struct = kernel_types(kernel).struct("struct", f"{_FUNCTION}_{target.key[0]}")
        # Read as any memory of the kernel: what it leads to may be NULL, or of no type that the verifier follows.
        return Pointer(struct, "kernel") if struct is not None else None

    def may_resolve_paths(self, kernel: "KernelFacts", target: Target) -> bool:
        return True

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        name = str(targets[0].key[0])
        attach = tuple(Attach(self.providers[0], t.name, t.key) for t in targets)
        return ProgramShape(
            f"iter_{name}",
            ProgramType.TRACING,
            attach,
            expected_attach_type=AttachType.TRACE_ITER,
            attach_btf=_FUNCTION + name,
        )

    def begin_program(self, reader: EventReader, leave: "Block") -> object:
        b = reader.builder
        found = b.block("object")
        b.branch_cmp(Cond.NE, b.load(8, reader.context, _OBJECT_OFFSET), 0, found, leave)
        b.seal(found)
        b.position(found)
        # `meta->seq`, the file's; both are first members
        file = b.load(8, b.load(8, reader.context, pointer_result=True), pointer_result=True)
        byte = b.frame_addr(b.frame(8))
        b.store(8, byte, 0)
        b.call(HELPER_IDS["seq_write"], file, byte, 1)
        return None

    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        name, process = attach.target
        assert isinstance(process, int)
        return [kernel.attach_iterator(program, str(name), process=process, target=attach.probe)]


ITER = _Iterator()


def _names(kernel: "KernelFacts") -> list[str]:
    """The iterators that this kernel has and that need no map."""
    from kernscope.btf import Kind

    btf = kernel.btf()
    names = (text.removeprefix(f"{_FUNCTION}_") for text in btf.strings(f"{_FUNCTION}_"))
    return sorted(
        name
        for name in names
        if name not in _OF_A_MAP
        and btf.find(Kind.FUNC, _FUNCTION + name) is not None
        and btf.find(Kind.STRUCT, f"{_FUNCTION}_{name}") is not None
    )


KINDS: tuple[ProbeKind, ...] = (ITER,)
