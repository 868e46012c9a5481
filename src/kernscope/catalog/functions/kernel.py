"""What the kernel has: per-CPU variables, functions for programs."""

from kernscope.catalog.base import CheckContext, Function, LowerContext
from kernscope.catalog.functions.checks import literal_text, wants_integer
from kernscope.diagnostics import error
from kernscope.ssa import Cond
from kernscope.syntax.ast import Call
from kernscope.tables.helpers import HELPER_IDS
from kernscope.types import BOOL, UINT64, Pointer, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.ssa import Value

__all__ = ["FUNCTIONS"]

_OFFSETS = "__per_cpu_offset"
"""The kernel's array of what to add to a per-CPU variable's address for each CPU (mm/percpu.c)."""


class _PercpuKaddr(Function):
    name = "percpu_kaddr"
    usage = ("percpu_kaddr(NAME)", "percpu_kaddr(NAME, CPU)")
    doc = "Address of a per-CPU variable of the kernel, for this CPU or another; 0 if there is no such CPU."
    arity = (1, 2)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        cx.type_of(call.args[0])
        if len(call.args) == 2:
            wants_integer(cx, call, call.args[1])
        name = literal_text(cx, call, call.args[0], "a name")
        if name is not None:
            address = cx.kernel.symbol_address(name, absolute=True)
            offsets = cx.kernel.symbol_address(_OFFSETS)
            if address is None or offsets is None:
                missing = name if address is None else _OFFSETS
                cx.report(
                    error("unknown-symbol", f"this kernel has no symbol `{missing}`", call.args[0].span)
                )
            cx.keep(call, (address, offsets))
        return Pointer(UINT64, "kernel")

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        b = lo.b
        kept = lo.kept(call)
        assert isinstance(kept, tuple)
        address, offsets = kept
        if len(call.args) == 2:
            cpu = lo.value(call.args[1])
        else:
            cpu = b.call(HELPER_IDS["get_smp_processor_id"], pure=True)
        limit = lo.kernel.possible_cpus
        bounded = b.select(b.cmp(Cond.ULT, cpu, limit), cpu, 0)
        base = lo.read_kernel(b.add(b.const(offsets), b.shl(bounded, 3)), 8, False)
        return b.select(b.cmp(Cond.ULT, cpu, limit), b.add(base, b.const(address)), 0)


class _KfuncExist(Function):
    name = "kfunc_exist"
    usage = ("kfunc_exist(NAME)",)
    doc = "Whether the kernel's types (BTF) know a function of this name."
    arity = (1, 1)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        cx.type_of(call.args[0])
        literal_text(cx, call, call.args[0], "a name")
        return BOOL

    def constant(self, cx: "CheckContext | LowerContext", call: Call) -> int | None:
        from kernscope.btf import Kind  # programs without kernel types do without it

        name = cx.constant_string(call.args[0])
        return None if name is None else int(cx.kernel.btf().find(Kind.FUNC, name) is not None)

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        return lo.b.const(self.constant(lo, call) or 0)


class _KfuncAllowed(_KfuncExist):
    name = "kfunc_allowed"
    usage = ("kfunc_allowed(NAME)",)
    doc = (
        "Whether the kernel's types (BTF) know a function of this name and the probe's programs run in the kernel's "
        "events; of `begin`, `end` and the like it is false."
    )

    def constant(self, cx: "CheckContext | LowerContext", call: Call) -> int | None:
        known = super().constant(cx, call)
        return known and int(not any(target.kind.runs_in_tracer for target in cx.targets))


FUNCTIONS = (_PercpuKaddr(), _KfuncExist(), _KfuncAllowed())
