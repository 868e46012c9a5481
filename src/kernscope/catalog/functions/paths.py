"""`path`: the name of a file as the kernel knows it, by bpf_d_path() or by a walk to the root of all mounts."""

from kernscope.catalog.base import CheckContext, Function, LowerContext, StringSource
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
_LONGEST = 4096
"""PATH_MAX in uapi linux/limits.h"""


class _Path(Function):
    name = "path"
    usage = ("path(PATH)", "path(PATH, SIZE)")
    doc = (
        "The full path of a `struct path` of the kernel, SIZE - 1 bytes of it at most (`max_strlen` without SIZE): "
        "`path(((struct task_struct *)curtask)->fs->pwd)`, `path(ctx.file.f_path)`. Empty where a pointer on the "
        "way is NULL. Where the kernel composes paths (iterators, and `fentry`, `fexit` of a few functions, of what "
        "begins with `ctx` or `args`) it is as the process sees it, and empty where it is too long. Everywhere else "
        "directories are followed up to the root of all mounts, also out of a chroot, and of a path with more than "
        "SIZE - 1 bytes or 48 components there is the end, behind `…`. Deleted files end with ` (deleted)`; files in "
        "no directory have their name alone: sockets (`TCP`), memfd_create() (`memfd:NAME`), pipes an empty one."
    )
    arity = (1, 2)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        source = call.args[0]
        t = cx.type_of(source)
        struct = t.target if isinstance(t, Pointer) else t
        if t is None:
            return None
        if not isinstance(struct, Struct) or struct.name != _STRUCT:
            cx.report(error("type-mismatch", f"`path()` wants a `{_STRUCT}`, this is `{t}`", source.span))
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
        by_kernel = all(target.kind.may_resolve_paths(cx.kernel, target) for target in cx.targets)
        cx.keep(call, by_kernel and cx.begins_known(source))
        return String(min(size, _LONGEST))

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        t = lo.type_of(call)
        result = lo.place(t)
        lo.clear(result, t.size)
        if lo.kept(call):
            self._ask(lo, call, result, t)
        else:
            walked = self._walk(lo, call)
            lo.read_bytes(walked.address, walked.space, result, walked.size)
        return result

    def string_source(self, lo: LowerContext, call: Call) -> StringSource | None:
        return None if lo.kept(call) else self._walk(lo, call)

    @staticmethod
    def _walk(lo: LowerContext, call: Call) -> StringSource:
        source = call.args[0]
        address = lo.value(source)
        if isinstance(lo.type_of(source), Pointer):
            pointer, address = address, lo.scratch(16)
            lo.read_bytes(pointer, "kernel", address, 16)
        return lo.walked_path(address, lo.type_of(call).size)

    @staticmethod
    def _ask(lo: LowerContext, call: Call, result: "Value", t: Type) -> None:
        """By bpf_d_path(), which composes the path at the buffer's end and moves it to the front: what is behind it
        stays there.
        """
        b = lo.b
        work = lo.scratch(t.size)
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


FUNCTIONS = (_Path(),)
