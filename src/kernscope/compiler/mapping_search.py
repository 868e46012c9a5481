"""Where code of the current process comes from: emits a search in the kernel's own tree of its mappings.

So a process need not be known before it runs, and what it maps, unmaps or becomes by exec counts at once. The tree
(include/linux/maple_tree.h, Linux 6.1 and newer) has nodes of 256 bytes. Each divides its part of the address space: up
to 15 *pivots* are the last addresses of ranges, 0 where there are fewer. For each range, and one behind the last pivot,
a *slot* leads on: to another node, or from a leaf to the `vm_area_struct`, or it is 0 where nothing is mapped. The
lowest byte of a pointer to a node tells its kind.

The mapping's file is looked up by what names it in the kernel; user space has put into a map where its unwind table
lies (`kernscope.tables.unwinding`), and is told once of each mapping of each process that is found here, and of each
file that is not known: so it can read that, and name addresses of processes that have ended.

A weakness: nothing is locked. A tree that is just being changed may lead nowhere; that what is found is a mapping of
this process with the address in it is checked.
"""

from kernscope.catalog.task import task_id
from kernscope.ssa import Block, Cond, Value
from kernscope.tables.bpf import MapFlag, MapType
from kernscope.tables.helpers import HELPER_IDS
from kernscope.tables.unwinding import (
    FILE_BYTES,
    FILES_MAP,
    KEY_BYTES,
    MOST_FILES,
    MOST_SEGMENTS,
    MOST_TOLD,
    NO_FILE_KEY,
    SEGMENT_BYTES,
    SEGMENTS_AT,
    TOLD_MAP,
    VDSO_KEY,
)
from kernscope.types import UINT32, UINT64, String, Tuple

from .steps import StepEmitter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .statements import Statements

__all__ = ["MappingSearch"]

_MEMORY, _VDSO, _ROOT, _NODE, _AREA = 0, 8, 16, 24, 32
"""The process's `mm_struct`; where its vDSO begins; the root of the tree; where the search is; what it has found."""
_FILE, _ADDRESS, _START, _END, _BIAS, _TABLE, _BLOCKS = 40, 48, 56, 64, 72, 80, 88
"""The `struct file` that was found last; what is searched for; the mapping that was found last, none at first: its
first address, the one behind its last, an address less the one in the file's unwind table; and that table, without
blocks if there is none."""
_COPY = 96
"""Structures of the kernel are copied to here."""

_NODE_BYTES, _PIVOTS, _MOST_PIVOTS, _MOST_LEVELS = 256, 8, 15, 8
_KIND_SHIFT, _KIND_MASK, _LARGEST_LEAF, _WITH_GAPS = 3, 15, 1, 3
"""Of a pointer to a node: enum maple_type (include/linux/maple_tree.h), of which 3 is maple_arange_64."""
_PAGE_SHIFT = 12
_PATH_BYTES = 256
_KEY = Tuple((UINT64, UINT64, UINT64))


class MappingSearch(StepEmitter):
    """`begin` once per stack, then `find` for each address."""

    def __init__(self, lo: "Statements") -> None:
        member = lo.member_offset
        self.area = {
            name: member("vm_area_struct", f"vm_{name}") for name in ("start", "end", "mm", "pgoff", "file")
        }
        self.inode = {name: member("inode", f"i_{name}") for name in ("ino", "sb", "size")}
        self.inode["changed"] = _changed_offset(lo)
        self.area_bytes, self.inode_bytes = max(self.area.values()) + 8, max(self.inode.values()) + 8
        super().__init__(lo, _COPY + max(_NODE_BYTES, self.area_bytes, self.inode_bytes))
        flags = MapFlag.NO_PREALLOC if lo.storage.grows else 0
        lo.storage.kernel_map(FILES_MAP, MapType.HASH, KEY_BYTES, FILE_BYTES, MOST_FILES, flags=flags)
        lo.storage.kernel_map(TOLD_MAP, MapType.LRU_HASH, KEY_BYTES, KEY_BYTES, MOST_TOLD)
        self._level = self._callback("level", self._descend)

    def begin(self, memory: Value) -> None:
        """Before the first search, in the process with this `mm_struct`."""
        b, member = self.lo.b, self.lo.member_offset
        self._set(_MEMORY, b.opaque(memory))
        self._set(_ROOT, b.load(8, memory, member("mm_struct", "mm_mt.ma_root")))
        self._set(_VDSO, b.load(8, memory, member("mm_struct", "context.vdso")))
        self._set(_START, 0)
        self._set(_END, 0)

    @property
    def bias(self) -> Value:
        """Of the mapping that was found last: its addresses less those in its file's unwind table."""
        return self._get(_BIAS)

    @property
    def table(self) -> Value:
        """Where the table begins, in words."""
        return self._get(_TABLE)

    @property
    def blocks(self) -> Value:
        """Of the table; 0: nothing describes this code."""
        return self._get(_BLOCKS)

    def find(self, address: Value, found: Block, unknown: Block, nowhere: Block) -> None:
        """Jump to `found` with the mapping that an address is in; to `unknown` if its file is not known yet, to
        `nowhere` if nothing is mapped there.
        """
        other = self.lo.b.block("other_mapping")
        self._branch_inside(address, found, other)  # most often it is the same one as for the last address
        self._go(other)
        offset, file = self._find_area(address, nowhere)
        self._open_file(offset, self._key_of(file, nowhere), unknown)
        self.lo.b.jump(found)

    def _branch_inside(self, address: Value, inside: Block, outside: Block) -> None:
        above = self.lo.b.block("above")
        self.lo.b.branch_cmp(Cond.UGE, address, self._get(_START), above, outside)
        self._go(above)
        self.lo.b.branch_cmp(Cond.ULT, address, self._get(_END), inside, outside)

    def _find_area(self, address: Value, nowhere: Block) -> tuple[Value, Value]:
        """Set start and end; what is mapped there: offset in a file, and the `struct file`, or 0."""
        b = self.lo.b
        self._set(_ADDRESS, address)
        self._set(_NODE, self._get(_ROOT))
        self._set(_AREA, 0)
        self._loop(_MOST_LEVELS, self._level)
        some, inside, ours = b.block("some_area"), b.block("inside_area"), b.block("our_area")
        area = self._get(_AREA)
        b.branch_cmp(Cond.EQ, area, 0, nowhere, some)
        self._go(some)
        self._read_kernel(_COPY, self.area_bytes, area, nowhere)
        start, end, memory, page, file = (self._get(_COPY + offset) for offset in self.area.values())
        self._set(_FILE, file)
        self._set(_START, start)
        self._set(_END, end)
        self._branch_inside(address, inside, nowhere)
        self._go(inside)
        b.branch_cmp(Cond.EQ, memory, self._get(_MEMORY), ours, nowhere)
        self._go(ours)
        return b.shl(page, _PAGE_SHIFT), file

    def _descend(self, _: Value, goon: Block, stop: Block) -> None:
        """One level of the tree: as many slots are passed as there are pivots below the address."""
        b = self.lo.b
        node, address = self._get(_NODE), self._get(_ADDRESS)
        self._read_kernel(_COPY, _NODE_BYTES, b.and_(node, -_NODE_BYTES), stop)
        passed: Value = b.const(0)
        wanted = b.sub(address, 1)
        for number in range(_MOST_PIVOTS):
            # Without branches. A pivot of 0 comes out above all addresses; so do slots, where a node has fewer pivots.
            pivot = b.sub(self._get(_COPY + _PIVOTS + 8 * number), 1)
            below = b.and_(b.not_(pivot), b.sub(pivot, wanted))
            passed = b.add(passed, b.lshr(below, 63))
        kind = b.and_(b.lshr(node, _KIND_SHIFT), _KIND_MASK)
        member = self.lo.member_offset
        slots = b.select(
            b.cmp(Cond.EQ, kind, _WITH_GAPS),
            member("maple_arange_64", "slot"),
            member("maple_range_64", "slot"),
        )
        place = b.and_(b.add(slots, b.shl(passed, 3)), _NODE_BYTES - 8)
        below = b.load(8, b.ptr_add(self.lo.scratch_at(self.state + _COPY), place))
        leaf, branch = b.block("leaf"), b.block("branch")
        b.branch_cmp(Cond.ULE, kind, _LARGEST_LEAF, leaf, branch)
        self._go(leaf)
        self._set(_AREA, below)
        b.jump(stop)
        self._go(branch)
        self._set(_NODE, below)
        b.jump(goon)

    def _key_of(self, file: Value, nowhere: Block) -> Value:
        """Where the key of a file in FILES_MAP is."""
        lo, b = self.lo, self.lo.b
        key = lo.place(_KEY)
        named, unnamed, keyed = b.block("named"), b.block("unnamed"), b.block("keyed")
        b.branch_cmp(Cond.EQ, file, 0, unnamed, named)
        self._go(unnamed)
        kind = b.select(b.cmp(Cond.EQ, self._get(_START), self._get(_VDSO)), VDSO_KEY[2], NO_FILE_KEY[2])
        for at, part in ((0, 0), (8, 0), (16, kind)):
            b.store(8, key, part, at)
        b.jump(keyed)
        self._go(named)
        self._read_kernel(_COPY, 8, b.add(file, lo.member_offset("file", "f_inode")), nowhere)
        self._read_kernel(_COPY, self.inode_bytes, self._get(_COPY), nowhere)
        ino, super_block, size, changed = (self._get(_COPY + offset) for offset in self.inode.values())
        version = b.xor(size, b.shl(changed, 32))
        self._read_kernel(_COPY, 4, b.add(super_block, lo.member_offset("super_block", "s_dev")), nowhere)
        for at, part in ((0, self._get(_COPY, 4)), (8, ino), (16, version)):
            b.store(8, key, part, at)
        b.jump(keyed)
        self._go(keyed)
        return key

    def _open_file(self, offset: Value, key: Value, unknown: Block) -> None:
        """Take the table of the file with a key, for a mapping of it from `offset` on."""
        b = self.lo.b
        self._tell(offset, key)
        entry = b.call(HELPER_IDS["map_lookup_elem"], b.map_fd(FILES_MAP), key, pointer=True)
        known = b.block("known_file")
        b.branch_cmp(Cond.EQ, entry, 0, unknown, known)
        self._go(known)
        last = SEGMENTS_AT + SEGMENT_BYTES * (MOST_SEGMENTS - 1)
        shift = b.load(8, entry, last + 8)
        for at in range(last - SEGMENT_BYTES, SEGMENTS_AT - 1, -SEGMENT_BYTES):
            shift = b.select(b.cmp(Cond.ULT, offset, b.load(8, entry, at)), b.load(8, entry, at + 8), shift)
        self._set(_BIAS, b.sub(b.sub(self._get(_START), offset), shift))
        self._set(_TABLE, b.load(4, entry))
        self._set(_BLOCKS, b.load(4, entry, 4))

    def ask(self) -> None:
        """Send the path of the file that was not known, once: its process may end before anybody looks at it."""
        lo, b = self.lo, self.lo.b
        named, new, done = b.block("named_file"), b.block("new_file"), b.block("asked")
        file = self._get(_FILE)
        b.branch_cmp(Cond.EQ, file, 0, done, named)
        self._go(named)
        key = self._key_of(file, done)
        device, ino, version = (b.load(8, key, at) for at in (0, 8, 16))
        told = lo.place(_KEY)
        for at, part in ((0, device), (8, -1), (16, ino)):
            b.store(8, told, part, at)
        known = b.call(HELPER_IDS["map_lookup_elem"], b.map_fd(TOLD_MAP), told, pointer=True)
        b.branch_cmp(Cond.EQ, known, 0, new, done)
        self._go(new)
        b.call(HELPER_IDS["map_update_elem"], b.map_fd(TOLD_MAP), told, told, 0)
        self._read_kernel(_COPY, 16, b.add(file, lo.member_offset("file", "f_path")), done)
        path = lo.walked_path(lo.scratch_at(self.state + _COPY), _PATH_BYTES)
        record = lo.record("file_met", (UINT64, UINT64, UINT64, String(_PATH_BYTES)))
        lo.send_control(record, (device, ino, version, path))
        b.jump(done)
        self._go(done)

    def _tell(self, offset: Value, key: Value) -> None:
        """Tell user space of a mapping that it has not been told about."""
        lo, b = self.lo, self.lo.b
        pid, start = task_id(lo, process=True), self._get(_START)
        device, ino, version = (b.load(8, key, at) for at in (0, 8, 16))
        told = lo.place(_KEY)
        for at, part in ((0, pid), (8, start), (16, ino)):
            b.store(8, told, part, at)
        known = b.call(HELPER_IDS["map_lookup_elem"], b.map_fd(TOLD_MAP), told, pointer=True)
        new, done = b.block("new_mapping", likely=False), b.block("told")
        b.branch_cmp(Cond.EQ, known, 0, new, done)
        self._go(new)
        b.call(HELPER_IDS["map_update_elem"], b.map_fd(TOLD_MAP), told, told, 0)
        task = b.call(HELPER_IDS["get_current_task_btf"], pointer=True)
        leader = b.load(8, task, lo.member_offset("task_struct", "group_leader"), pointer_result=True)
        began = b.load(8, leader, lo.member_offset("task_struct", "start_boottime"))
        record = lo.record("mapping_met", (UINT32, *[UINT64] * 7))
        lo.send_control(record, (pid, began, start, self._get(_END), offset, device, ino, version))
        b.jump(done)
        self._go(done)


def _changed_offset(lo: "Statements") -> int:
    """Where an inode has the seconds of its last change, under the name that this kernel gives them."""
    types = lo.kernel.btf()
    inode = types.find_composite("inode")
    assert inode is not None
    for name in ("i_mtime_sec", "__i_mtime.tv_sec"):  # since 6.11, and since 6.7
        member = types.member(inode, name)
        if member is not None:
            return member.byte_offset
    return lo.member_offset("inode", "i_mtime.tv_sec")
