"""`fentry` and `fexit`: functions of the kernel with the arguments and results of their C types.

A program is loaded for one function, whose types the verifier then knows (BPF trampolines, kernel/bpf/trampoline.c).
One assembled program serves all functions of an action; the loader hands it to the kernel once for each. What a
function's arguments are, and which functions a target names, is in `function_targets`.
"""

from collections.abc import Sequence

from kernscope.bundle import Attach
from kernscope.tables.bpf import AttachType, ProgramType
from kernscope.tables.helpers import HELPER_IDS
from kernscope.types import UINT64, Array, Bool, Integer, Pointer, String, Struct, StructField, Type

from .base import EventReader, KnownPointer, ProbeKind, ProgramShape, Report, Target
from .cookies import CookieKind, in_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess, KernelFacts
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program
    from kernscope.ssa import Value
    from kernscope.syntax.ast import AttachPoint

    from .function_targets import Parameter

__all__ = ["FENTRY", "FEXIT", "TypedFunctionKind"]


class TypedFunctionKind(CookieKind):
    """Base of the kinds whose programs are loaded for one kernel function.

    A target's key: the module (`vmlinux` for the kernel itself), the function, whether the program names it without a
    pattern, the number of 64-bit words that its arguments take in the program's context, and whether this kernel can
    tell one program which of its functions was hit (by a cookie).
    """

    program_type: int = ProgramType.TRACING
    attach_type: int
    at_return = False

    # --- what there is -------------------------------------------------------------------------------------

    def args(self, kernel: "KernelFacts", target: Target) -> Struct | None:
        from .function_targets import arguments

        return arguments(kernel, target)

    def retval(self, kernel: "KernelFacts", target: Target) -> Type | None:
        if not self.at_return:
            return None
        from .function_targets import result

        return result(kernel, target)

    # --- programs ------------------------------------------------------------------------------------------

    def group(self, target: Target, *, needs_args: bool, needs_probe: bool) -> tuple[object, ...]:
        """One program for all that have their results in the same place, behind the arguments; where the kernel does
        not say which function was hit, one for each.
        """
        which = "" if target.key[4] else target.name
        return (*self.providers[:1], target.key[3] if self.at_return else 0, which)

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        cookies = len(targets) > 1 and targets[0].key[4]
        return ProgramShape(
            str(targets[0].key[1]),
            self.program_type,
            tuple(
                Attach(
                    self.providers[0],
                    t.name,
                    (i if cookies else 0,),
                    function=f"{t.key[0]}:{t.key[1]}",
                    named=bool(t.key[2]),
                )
                for i, t in enumerate(in_order(targets))
            ),
            expected_attach_type=self.attach_type,
        )

    # --- reading -------------------------------------------------------------------------------------------

    def load_arg(self, reader: EventReader, event: object, field: StructField, target: Target) -> "Value":
        from .function_targets import parameter

        found = [parameter(reader.kernel, t, field.name) for t in reader.targets]
        return _word(reader, found, field.type)

    def load_positional(self, reader: EventReader, event: object, index: int, target: Target) -> "Value":
        from .function_targets import function_of

        found = [function_of(reader.kernel, t).parameters[index] for t in reader.targets]
        return _word(reader, found, UINT64)

    def load_retval(self, reader: EventReader, event: object, target: Target) -> "Value":
        from .function_targets import function_of

        t = self.retval(reader.kernel, target)
        assert t is not None
        return _word(reader, [function_of(reader.kernel, t).result for t in reader.targets], t)

    def func_address(self, reader: EventReader, event: object, target: Target) -> "Value":
        if target.key[4] and reader.kernel.has_feature("get_func_ip"):
            return reader.builder.call(HELPER_IDS["get_func_ip"], reader.context)
        return reader.builder.const(reader.kernel.symbol_address(str(target.key[1])) or 0)

    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        from .function_targets import attach_function

        return [attach_function(kernel, attach, program, self.attach_type)]


def _word(reader: EventReader, places: "Sequence[Parameter]", t: Type) -> "Value":
    """A value of the context: 64-bit words, of which an integer fills the lower part; for types kept in memory, the
    address of a copy. `places` has it for each function that the code is for: they are at the same offset, but the
    verifier may know more of some.
    """
    b, offset = reader.builder, 8 * places[0].slot
    if isinstance(t, Struct | Array | String):
        copy = reader.place(t)
        for at in range(0, t.size, 8):
            b.store(8, copy, b.load(8, reader.context, offset + at), at)
        return copy
    if not all(place.is_plain for place in places):
        # A pointer that the verifier has no type for, such as `char **`: it refuses the load, but not the address.
        value = reader.read_kernel(b.ptr_add(reader.context, offset), 8, False)
    elif any(place.struct for place in places):
        return b.opaque(b.load(8, reader.context, offset, pointer_result=True))
    else:
        value = b.load(8, reader.context, offset)
    if isinstance(t, Bool):
        return b.and_(value, 0xFF)
    return b.ext(value, t.bits, t.signed) if isinstance(t, Integer) and t.bits < 64 else value


_WITH_PATHS = frozenset(
    """
    security_file_permission security_inode_getattr security_file_open security_path_truncate vfs_truncate
    vfs_fallocate dentry_open vfs_getattr filp_close
    """.split()
)
"""Where the kernel allows bpf_d_path() (btf_allowlist_d_path of kernel/trace/bpf_trace.c)."""


class _Function(TypedFunctionKind):
    """`fentry` and `fexit`."""

    has_func = may_ask_sockets = True
    hidden_frames, most_hidden_frames = 2, 3

    def __init__(self, providers: tuple[str, ...], at_return: bool, doc: str) -> None:
        self.providers, self.at_return, self.doc = providers, at_return, doc
        self.attach_type = AttachType.TRACE_FEXIT if at_return else AttachType.TRACE_FENTRY
        self.syntax = (f"{providers[0]}:FUNCTION", f"{providers[0]}:MODULE:FUNCTION")

    def expand(self, point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
        from .function_targets import expand  # few programs get here

        return expand(point, kernel, report, self)

    def list_names(self, kernel: "KernelFacts") -> Sequence[str]:
        if not kernel.has_feature("fentry"):
            return ()
        from .function_targets import all_names

        return all_names(kernel, self.providers[0])

    def describe(self, kernel: "KernelFacts", name: str) -> list[tuple[str, str]]:
        from .function_targets import describe

        return describe(kernel, name, with_result=self.at_return)

    def may_resolve_paths(self, kernel: "KernelFacts", target: Target) -> bool:
        return target.key[1] in _WITH_PATHS

    def known_pointer(
        self, reader: EventReader, event: object, field: StructField, target: Target
    ) -> KnownPointer | None:
        from .function_targets import function_of, parameter

        found = parameter(reader.kernel, target, field.name)
        known = all(parameter(reader.kernel, t, field.name).struct for t in reader.targets)
        if not known or not isinstance(field.type, Pointer):
            return None
        value = reader.builder.load(8, reader.context, 8 * found.slot, pointer_result=True)
        return KnownPointer(value, function_of(reader.kernel, target).btf, found.struct)


FENTRY = _Function(
    ("fentry", "f", "kfunc"),
    False,
    "A function of the kernel is entered; `args` has its arguments, with their types: `fentry:vfs_read`.",
)
FEXIT = _Function(
    ("fexit", "fr", "kretfunc"),
    True,
    "A function of the kernel returns; `args` has its arguments and `retval` what it returns: `fexit:vfs_read`.",
)

KINDS: tuple[ProbeKind, ...] = (FENTRY, FEXIT)
