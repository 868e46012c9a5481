"""What the probed program has: addresses of its variables."""

from collections.abc import Sequence

from kernscope.catalog.base import CheckContext, Function, LowerContext
from kernscope.catalog.functions.checks import literal_text
from kernscope.diagnostics import error
from kernscope.kernel.errors import NotSupportedError
from kernscope.syntax.ast import Call
from kernscope.types import UINT64, Integer, Pointer, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.probes import Target
    from kernscope.ssa import Value

__all__ = ["FUNCTIONS"]

_SIZES = (1, 2, 4, 8)


class _Uaddr(Function):
    """The program may be loaded anywhere: the distance from the probed place is what the file tells."""

    name = "uaddr"
    usage = ("uaddr(NAME)",)
    doc = "Address of a variable of the probed program or library; a pointer to a number of the variable's size."
    arity = (1, 1)
    space = "user"

    def needs_probe(self, targets: "Sequence[Target]") -> bool:
        return True

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        cx.type_of(call.args[0])
        name = literal_text(cx, call, call.args[0], "a name")
        if name is None:
            return Pointer(UINT64, "user")
        distances: dict[str, int] = {}
        sizes = set()
        for target in cx.targets:
            try:
                found = target.kind.user_symbol(cx.kernel, target, name)
            except NotImplementedError:
                cx.report(
                    error(
                        "not-available-here",
                        f"`uaddr()` does not work in `{target.name}`",
                        call.span,
                        label="only in `uprobe`, `uretprobe` and `usdt`",
                    )
                )
                return Pointer(UINT64, "user")
            except NotSupportedError as problem:
                cx.report(
                    error(
                        "not-supported-here",
                        f"`uaddr()` does not work in `{target.name}` on this kernel",
                        call.span,
                        notes=f"it needs {problem.needs}",
                        help="keep the address in a map when the function is entered",
                    )
                )
                return Pointer(UINT64, "user")
            if found is None:
                where = ":".join(target.name.split(":")[1:-1])
                cx.report(error("unknown-symbol", f"`{where}` has no symbol `{name}`", call.args[0].span))
                return Pointer(UINT64, "user")
            distances[target.name] = found[0]
            sizes.add(found[1])
        cx.keep(call, distances)
        size = sizes.pop() if len(sizes) == 1 else 8
        return Pointer(Integer(8 * size, False) if size in _SIZES else UINT64, "user")

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        distances = lo.kept(call)
        assert isinstance(distances, dict)
        return lo.b.add(lo.entry_address(), lo.by_target(distances))


FUNCTIONS = (_Uaddr(),)
