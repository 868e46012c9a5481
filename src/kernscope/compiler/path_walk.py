"""The path of a file where the kernel refuses bpf_d_path(): emits a walk from its dentry to the root of all mounts.

Each round reads one dentry, with the short name that lies in it, and puts the name in front of what there is. A name is
copied in whole words that end where it ends: what a word has too much lies in front of the name, and is overwritten by
the next one. At a mount's root the walk goes on where that is mounted, up to the mount that is mounted nowhere. So a
path is whole also for a process in a chroot. The walk is a callback of bpf_loop(), or a bounded loop on kernels before
5.17; what goes from round to round lies in the scratch area, so that every round looks the same to the verifier.

A weakness: nothing is locked. While a directory is renamed, the path may be one that never was, but ends all the same.
"""

from kernscope.catalog.base import StringSource
from kernscope.ssa import Block, Builder, Cond, Function, Value
from kernscope.tables.helpers import HELPER_IDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.btf import Btf

    from .statements import Statements

__all__ = ["CUT_PATH", "MOST_ROUNDS", "walked_path"]

MOST_ROUNDS = 48
"""Components, and mounts between them."""
CUT_PATH = "…"
"""Stands for what is missing at the beginning: more rounds or bytes than there is room for, or unreadable memory."""

_DENTRY, _MOUNT, _AT, _LEAST, _COMPLETE = 0, 8, 16, 24, 32
"""The state: where the walk is, where in the room the path begins, the least of that, whether the root is reached."""
_STATE_BYTES = 40
_MOUNT_BYTES = 64
_DENTRY_BYTES = 128
_SLACK_BYTES = 48
"""In front of what is copied in words, and the most that is copied so."""
_NAMELESS_BYTES = 16
"""Of less room even a short path may fill all, without a NUL."""
_NAME_MAX = 255
"""uapi linux/limits.h"""
_DELETED = b" (deleted)"
"""As d_path() marks files without a name (fs/d_path.c)."""


def walked_path(lo: "Statements", path: Value, size: int) -> StringSource:
    """Emit the walk that begins at a copy of a `struct path`. The result, with its NUL, has at most `size` bytes."""
    return _PathWalk(lo, size).emit(path)


def _go(b: Builder, block: Block) -> None:
    """Continue in a block to which all jumps have been made."""
    b.seal(block)
    b.position(block)


class _Layout:
    """Where in the kernel's structs the walk finds what it reads, and from where to where it copies them."""

    def __init__(self, btf: "Btf") -> None:
        def offset(struct: str, member: str) -> int:
            return btf.struct_member(struct, member).byte_offset

        self.mount = offset("mount", "mnt")
        self.root, self.mountpoint = offset("mount", "mnt.mnt_root"), offset("mount", "mnt_mountpoint")
        self.parent_mount = offset("mount", "mnt_parent")
        self.unhashed, self.parent = offset("dentry", "d_hash.pprev"), offset("dentry", "d_parent")
        self.name, self.length = offset("dentry", "d_name.name"), offset("dentry", "d_name.len")
        dentry = btf.find_composite("dentry")
        assert dentry is not None
        inline = btf.member(dentry, "d_shortname") or btf.member(dentry, "d_iname")  # before 6.14
        self.inline = inline.byte_offset if inline is not None else 0
        self.inline_bytes = min(btf.size_of(inline.type_id), _SLACK_BYTES) if inline is not None else 0
        mounts = self.root, self.parent_mount, self.mountpoint
        self.first_mount, self.mount_bytes = min(mounts), max(mounts) + 8 - min(mounts)
        dentries = self.unhashed, self.parent, self.name, self.length & -8
        self.first_dentry = min(dentries)
        self.dentry_bytes = max(*dentries, self.inline + self.inline_bytes - 8) + 8 - self.first_dentry
        assert self.mount_bytes <= _MOUNT_BYTES and self.dentry_bytes <= _DENTRY_BYTES


class _PathWalk:
    """One walk. Its memory: state, a copy of a mount and one of a dentry, room where the path grows to the front."""

    def __init__(self, lo: "Statements", size: int) -> None:
        self.lo, self.size = lo, size
        self.layout = _Layout(lo.kernel.btf())
        self.room = max(256, 1 << (size - 1).bit_length())
        self.mount_copy = _STATE_BYTES - self.layout.first_mount
        self.dentry_copy = _STATE_BYTES + _MOUNT_BYTES + _SLACK_BYTES - self.layout.first_dentry
        self.path = _STATE_BYTES + _MOUNT_BYTES + _SLACK_BYTES + _DENTRY_BYTES + _SLACK_BYTES
        self.bytes = self.path + self.room + _NAME_MAX + 1

    def emit(self, path: Value) -> StringSource:
        lo, b = self.lo, self.lo.b
        area = lo.scratch(self.bytes)
        done, file, walk = b.block("path_done"), b.block("file"), b.block("walk")
        cut, mark = b.block("path_cut", likely=False), b.block("mark")
        b.store(8, area, self.room, _AT)
        b.store(1, area, 0, self.path + self.room)
        dentry = b.load(8, path, lo.member_offset("path", "dentry"))
        b.branch_cmp(Cond.NE, dentry, 0, file, done)
        _go(b, file)
        b.store(8, area, dentry, _DENTRY)
        b.store(8, area, self.room - self.size + 1 + len(CUT_PATH.encode()), _LEAST)
        b.store(8, area, 0, _COMPLETE)
        mount = b.sub(b.load(8, path, lo.member_offset("path", "mnt")), self.layout.mount)
        self._enter_mount(b, area, mount, walk, cut)
        _go(b, walk)
        self._walk(area)
        b.branch_cmp(Cond.NE, b.load(8, area, _COMPLETE), 0, done, cut)
        _go(b, cut)
        at = b.load(8, area, _AT)
        b.branch_cmp(Cond.ULE, at, self.room, mark, done)
        _go(b, mark)
        self._mark_cut(area, at)
        b.jump(done)
        _go(b, done)
        at = b.load(8, area, _AT)
        at = b.select(b.cmp(Cond.ULE, at, self.room), at, self.room)
        length = b.sub(self.room + 1, at)
        length = b.select(b.cmp(Cond.ULE, length, self.size), length, self.size)
        return StringSource(
            b.ptr_add(b.ptr_add(area, self.path), at), "kernel", length, exact=self.size >= _NAMELESS_BYTES
        )

    def _mark_cut(self, area: Value, at: Value) -> None:
        b, mark = self.lo.b, CUT_PATH.encode()
        start = b.ptr_add(b.ptr_add(area, self.path), at)
        for i, byte in enumerate(mark):
            b.store(1, start, byte, i - len(mark))
        b.store(8, area, b.sub(at, len(mark)), _AT)

    def _walk(self, area: Value) -> None:
        """All rounds: the callback is shared by the walks of a program that have as much room."""
        lo, b = self.lo, self.lo.b
        if not lo.kernel.has_feature("bpf_loop"):
            self._bounded_loop(area)
            return
        callback = lo.path_callbacks.get(self.room)
        if callback is None:
            callback = lo.path_callbacks[self.room] = self._callback()
        handed = b.frame_addr(b.frame(8))
        b.store(8, handed, area)
        b.call(HELPER_IDS["loop"], MOST_ROUNDS, b.function_ref(callback), handed, 0)

    def _callback(self) -> Function:
        """long path_component(u64 index, void **area)"""
        function = self.lo.module.new_function(f"path_{len(self.lo.module.functions)}", params=2)
        b = Builder(function)
        b.at(self.lo.b.tag)
        goon, stop = b.block("goon"), b.block("stop")
        self._round(b, b.load(8, b.param(1, pointer=True), 0, pointer_result=True), goon, stop)
        for block, result in ((goon, 0), (stop, 1)):
            _go(b, block)
            b.ret(result)
        return function

    def _bounded_loop(self, area: Value) -> None:
        b, rounds = self.lo.b, object()
        head, inside, goon, stop = b.block("head"), b.block("round"), b.block("goon"), b.block("stop")
        b.write_var(rounds, 0)
        b.jump(head)
        b.position(head)
        done = b.read_var(rounds)
        b.write_var(rounds, b.add(done, 1))
        b.branch_cmp(Cond.ULT, done, MOST_ROUNDS, inside, stop)
        _go(b, inside)
        self._round(b, area, goon, stop)
        _go(b, goon)
        b.jump(head)
        b.seal(head)
        _go(b, stop)

    # --- one round ------------------------------------------------------------------------------------------

    def _round(self, b: Builder, area: Value, goon: Block, stop: Block) -> None:
        at, dentry = b.load(8, area, _AT), b.load(8, area, _DENTRY)
        sane, mounted, component = b.block("sane"), b.block("mounted"), b.block("component")
        b.branch_cmp(Cond.ULE, at, self.room, sane, stop)
        _go(b, sane)
        root = b.load(8, area, self.mount_copy + self.layout.root)
        b.branch_cmp(Cond.EQ, dentry, root, mounted, component)
        _go(b, mounted)
        self._leave_mount(b, area, at, goon, stop)
        _go(b, component)
        self._component(b, area, at, dentry, goon, stop)

    def _enter_mount(self, b: Builder, area: Value, mount: Value, entered: Block, failed: Block) -> None:
        b.store(8, area, mount, _MOUNT)
        first = self.layout.first_mount
        copy = b.ptr_add(area, self.mount_copy + first)
        status = b.call(HELPER_IDS["probe_read_kernel"], copy, self.layout.mount_bytes, b.add(mount, first))
        b.branch_cmp(Cond.EQ, status, 0, entered, failed)

    def _leave_mount(self, b: Builder, area: Value, at: Value, goon: Block, stop: Block) -> None:
        """On to where the mount is mounted; the mount that is in itself is the end, a lone `/` if it is all."""
        parent = b.load(8, area, self.mount_copy + self.layout.parent_mount)
        top, up, alone, end = b.block("top"), b.block("up"), b.block("root"), b.block("end")
        b.branch_cmp(Cond.EQ, parent, b.load(8, area, _MOUNT), top, up)
        _go(b, top)
        b.branch_cmp(Cond.EQ, at, self.room, alone, end)
        _go(b, alone)
        b.store(1, area, ord("/"), self.path + self.room - 1)
        b.store(8, area, self.room - 1, _AT)
        b.jump(end)
        _go(b, end)
        b.store(8, area, 1, _COMPLETE)
        b.jump(stop)
        _go(b, up)
        b.store(8, area, b.load(8, area, self.mount_copy + self.layout.mountpoint), _DENTRY)
        self._enter_mount(b, area, parent, goon, stop)

    def _component(self, b: Builder, area: Value, at: Value, dentry: Value, goon: Block, stop: Block) -> None:
        layout, copied = self.layout, self.dentry_copy
        read, short, fits = b.block("dentry"), b.block("short"), b.block("fits")
        put, pseudo, following = b.block("put"), b.block("pseudo"), b.block("parent")
        copy = b.ptr_add(area, copied + layout.first_dentry)
        status = b.call(
            HELPER_IDS["probe_read_kernel"], copy, layout.dentry_bytes, b.add(dentry, layout.first_dentry)
        )
        b.branch_cmp(Cond.EQ, status, 0, read, stop)
        _go(b, read)
        parent = b.load(8, area, copied + layout.parent)
        at = self._after_deleted(b, area, at, parent, dentry)
        length = b.load(4, area, copied + layout.length)
        b.branch_cmp(Cond.ULE, length, _NAME_MAX, short, stop)
        _go(b, short)
        start = b.sub(b.sub(at, length), 1)
        b.branch_cmp(Cond.SGE, start, b.load(8, area, _LEAST), fits, stop)
        _go(b, fits)
        b.branch_cmp(Cond.ULT, start, self.room, put, stop)
        _go(b, put)
        path = b.ptr_add(area, self.path)
        self._put_name(b, area, dentry, (path, at, start, length), stop)
        b.store(1, b.ptr_add(path, start), ord("/"))
        b.store(8, area, parent, _DENTRY)
        b.branch_cmp(Cond.EQ, parent, dentry, pseudo, following)
        _go(b, pseudo)  # no directory has it: a socket, a pipe, a file in memory
        b.store(8, area, b.add(start, 1), _AT)
        b.store(8, area, 1, _COMPLETE)
        b.jump(stop)
        _go(b, following)
        b.store(8, area, start, _AT)
        b.jump(goon)

    def _after_deleted(self, b: Builder, area: Value, at: Value, parent: Value, dentry: Value) -> Value:
        """Where the path's first component ends: before the mark of deleted files, which is put behind it here."""
        result = object()
        first, unhashed, deleted, other = (
            b.block(n) for n in ("first", "unhashed", "deleted", "not_deleted")
        )
        b.write_var(result, at)
        b.branch_cmp(Cond.EQ, at, self.room, first, other)
        _go(b, first)
        b.branch_cmp(Cond.EQ, b.load(8, area, self.dentry_copy + self.layout.unhashed), 0, unhashed, other)
        _go(b, unhashed)
        b.branch_cmp(Cond.NE, parent, dentry, deleted, other)
        _go(b, deleted)
        for i, byte in enumerate(_DELETED):
            b.store(1, area, byte, self.path + self.room - len(_DELETED) + i)
        b.write_var(result, self.room - len(_DELETED))
        b.jump(other)
        _go(b, other)
        return b.read_var(result)

    def _put_name(
        self, b: Builder, area: Value, dentry: Value, place: tuple[Value, Value, Value, Value], stop: Block
    ) -> None:
        """Copy a name to `start` + 1 … `at` of the path: out of the dentry's copy, or from where long ones are."""
        layout, copied = self.layout, self.dentry_copy
        path, at, start, length = place
        near, inline, elsewhere, named = (b.block(n) for n in ("near", "inline", "elsewhere", "named"))
        name = b.load(8, area, copied + layout.name)
        b.branch_cmp(Cond.EQ, b.sub(name, dentry), layout.inline, near, elsewhere)
        _go(b, near)
        b.branch_cmp(Cond.ULE, length, layout.inline_bytes & -8, inline, elsewhere)
        _go(b, inline)
        source = b.ptr_add(b.ptr_add(area, copied + layout.inline), length)
        end = b.ptr_add(path, at)
        for back in range(8, (layout.inline_bytes & -8) + 1, 8):
            b.store(8, end, b.load(8, source, -back), -back)
        b.jump(named)
        _go(b, elsewhere)
        to = b.ptr_add(b.ptr_add(path, start), 1)
        status = b.call(HELPER_IDS["probe_read_kernel"], to, length, name)
        b.branch_cmp(Cond.EQ, status, 0, named, stop)
        _go(b, named)
