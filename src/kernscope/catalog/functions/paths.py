"""`path`: the name of a file as the kernel knows it, by bpf_d_path()."""

from kernscope.catalog.base import CheckContext, Function, LowerContext
from kernscope.catalog.functions.checks import string_limit
from kernscope.diagnostics import error
from kernscope.ssa import Cond
from kernscope.syntax.ast import Call
from kernscope.tables.helpers import HELPER_IDS
from kernscope.types import Pointer, String, Struct, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.ssa import Value

__all__ = ["FUNCTIONS"]

_STRUCT = "struct path"


class _Path(Function):
    name = "path"
    usage = ("path(PATH)", "path(PATH, SIZE)")
    doc = (
        "The full path of a `struct path` of the kernel, SIZE - 1 bytes of it at most (`max_strlen` without SIZE), in "
        "iterators and in `fentry`, `fexit` of the few functions where the kernel allows it: "
        "`path(ctx.file.f_path)`. Empty where it is longer than that, or where a pointer on the way is NULL."
    )
    arity = (1, 2)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        source = call.args[0]
        t = cx.type_of(source)
        for target in cx.targets:
            if not target.kind.may_resolve_paths(cx.kernel, target):
                cx.report(
                    error(
                        "not-available-here",
                        f"`path()` does not work in `{target.name}`",
                        call.span,
                        label="only in `iter`, and in `fentry` and `fexit` of some functions",
                        notes="the kernel lets only these programs ask for paths (`fentry:filp_close`, for instance)",
                    )
                )
                return None
        struct = t.target if isinstance(t, Pointer) else t
        if t is None:
            return None
        if not isinstance(struct, Struct) or struct.name != _STRUCT:
            cx.report(error("type-mismatch", f"`path()` wants a `{_STRUCT}`, this is `{t}`", source.span))
            return None
        if not cx.begins_known(source):
            cx.report(
                error(
                    "type-mismatch",
                    "`path()` follows members of `ctx` or `args` only",
                    source.span,
                    help="write the whole way: `path(ctx.file.f_path)`, `path(args.filp.f_path)`",
                )
            )
            return None
        size = string_limit(cx)
        if len(call.args) == 2:
            cx.type_of(call.args[1])
            given = cx.constant(call.args[1])
            if given is None or given < 1:
                cx.report(
                    error("constant-needed", "the size of a path is a number above 0", call.args[1].span)
                )
                return None
            size = min(size, given)
        return String(size)

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        b, t = lo.b, lo.type_of(call)
        # The kernel composes the path at the buffer's end and moves it to the front: what is behind it stays there.
        work = lo.scratch(t.size)
        result = lo.place(t)
        lo.clear(result, t.size)
        without, done = b.block("no_path", likely=False), b.block("path_done")
        place = lo.known_place(call.args[0], without)
        length = b.call(HELPER_IDS["d_path"], place, work, t.size)
        found = b.block("path_found")
        b.branch_cmp(Cond.SGT, length, 0, found, without)
        b.seal(found)
        b.position(found)
        lo.read_string(work, "kernel", result, t.size)
        b.jump(done)
        b.seal(without)
        b.position(without)
        b.jump(done)
        b.seal(done)
        b.position(done)
        return result


FUNCTIONS = (_Path(),)
