"""Control groups: `cgroupid` when compiling, `cgroup_path` when shown."""

from kernscope.catalog.base import CheckContext, Function, LowerContext
from kernscope.catalog.functions.checks import literal_text, wants_integer
from kernscope.diagnostics import error
from kernscope.syntax.ast import Call
from kernscope.types import UINT64, Symbolic, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.ssa import Value

__all__ = ["FUNCTIONS"]


class _CgroupId(Function):
    name = "cgroupid"
    usage = ("cgroupid(FOLDER)",)
    doc = "Id of the control group (version 2) that a folder stands for, as `cgroup` gives it."
    arity = (1, 1)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        cx.type_of(call.args[0])
        path = literal_text(cx, call, call.args[0], "a folder")
        if path is None:
            return UINT64
        found = cx.kernel.cgroup_id(path)
        if found is None:
            cx.report(
                error(
                    "wrong-arguments",
                    f"`{path}` is not the folder of a control group",
                    call.args[0].span,
                    help="write its folder where cgroups of version 2 are mounted, such as `/sys/fs/cgroup/…`",
                )
            )
        cx.keep(call, found)
        return UINT64

    def constant(self, cx: "CheckContext | LowerContext", call: Call) -> int | None:
        path = cx.constant_string(call.args[0])
        return None if path is None else cx.kernel.cgroup_id(path)

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        found = lo.kept(call)
        assert isinstance(found, int)
        return lo.b.const(found)


class _CgroupPath(Function):
    name = "cgroup_path"
    usage = ("cgroup_path(ID)", 'cgroup_path(ID, "PATTERN")')
    doc = (
        "Where a control group with this id is, looked up when it is shown, for each mounted hierarchy (or those "
        "that match PATTERN): `unified:/system.slice`."
    )
    arity = (1, 2)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        wants_integer(cx, call, call.args[0])
        pattern: str | None = "*"
        if len(call.args) == 2:
            cx.type_of(call.args[1])
            pattern = literal_text(cx, call, call.args[1], "a pattern")
        cx.keep(call, pattern)
        return Symbolic("cgroup_path", 2)

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        b = lo.b
        id = lo.value(call.args[0])
        place = lo.place(Symbolic("cgroup_path", 2))
        b.store(8, place, id)
        b.store(8, place, lo.constant_text(str(lo.kept(call))), 8)
        return place


FUNCTIONS = (_CgroupId(), _CgroupPath())
