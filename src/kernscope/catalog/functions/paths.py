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

_STRUCT, _MOUNT, _DENTRY = "struct path", "struct vfsmount", "struct dentry"
_LONGEST = 4096
"""PATH_MAX in uapi linux/limits.h"""


class _Path(Function):
    name = "path"
    usage = ("path(PATH)", "path(PATH, SIZE)", "path(MOUNT, DENTRY)", "path(MOUNT, DENTRY, SIZE)")
    doc = (
        "The full path of a `struct path` of the kernel, SIZE - 1 bytes of it at most (`max_strlen` without SIZE): "
        "`path(((struct task_struct *)curtask)->fs->pwd)`, `path(ctx.file.f_path)`. Empty where a pointer on the "
        "way is NULL. Where the kernel composes paths (iterators, and `fentry`, `fexit` of a few functions, of what "
        "begins with `ctx` or `args`) it is as the process sees it, and empty where it is too long. Everywhere else "
        "directories are followed up to the root of all mounts, also out of a chroot, and of a path with more than "
        "SIZE - 1 bytes or 48 components there is the end, behind `…`. Deleted files end with ` (deleted)`; files in "
        "no directory have their name alone: sockets (`TCP`), memfd_create() (`memfd:NAME`), pipes an empty one. "
        "Of a `struct vfsmount *` and a `struct dentry *` it is the path that a name has in a mount: "
        "`path(args.dir->mnt, args.dentry)` of `lsm:path_unlink`."
    )
    arity = (1, 3)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        source = call.args[0]
        t = cx.type_of(source)
        if t is None:
            return None
        pair = _points_to(t, _MOUNT)
        if pair:
            if not _is_dentry(cx, call):
                return None
        elif not (_is_struct(t, _STRUCT) or _points_to(t, _STRUCT)):
            cx.report(error("type-mismatch", f"`path()` wants a `{_STRUCT}`, this is `{t}`", source.span))
            return None
        size = string_limit(cx)
        sizes = call.args[2 if pair else 1 :]
        if len(sizes) > 1:
            cx.report(error("wrong-arguments", "there is nothing behind the size of a path", sizes[1].span))
            return None
        for wanted in sizes:
            cx.type_of(wanted)
            given = cx.constant(wanted)
            if given is None or given < 1:
                cx.report(error("constant-needed", "the size of a path is a number above 0", wanted.span))
                return None
            size = min(size, given)
        by_kernel = not pair and all(t.kind.may_resolve_paths(cx.kernel, t) for t in cx.targets)
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
        if _points_to(lo.type_of(source), _MOUNT):
            mount, dentry, address = address, lo.value(call.args[1]), lo.scratch(16)
            lo.b.store(8, address, mount, lo.member_offset("path", "mnt"))
            lo.b.store(8, address, dentry, lo.member_offset("path", "dentry"))
        elif isinstance(lo.type_of(source), Pointer):
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


def _is_struct(t: Type | None, name: str) -> bool:
    return isinstance(t, Struct) and t.name == name


def _points_to(t: Type | None, name: str) -> bool:
    return isinstance(t, Pointer) and _is_struct(t.target, name)


def _is_dentry(cx: CheckContext, call: Call) -> bool:
    """Whether the second argument is what is looked for in the mount that the first one is."""
    if len(call.args) == 1:
        help = "write `path(args.dir->mnt, args.dentry)`, for instance"
        cx.report(error("wrong-arguments", "of a mount `path()` wants a dentry, too", call.span, help=help))
        return False
    t = cx.type_of(call.args[1])
    if t is None or _points_to(t, _DENTRY):
        return t is not None
    cx.report(
        error("type-mismatch", f"`path()` of a mount wants a `{_DENTRY} *`, this is `{t}`", call.args[1].span)
    )
    return False


FUNCTIONS = (_Path(),)
