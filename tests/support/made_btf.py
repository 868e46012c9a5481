"""BTF of a small kernel that does not exist, made by hand after Documentation/bpf/btf.rst."""

from functools import cache
from struct import pack

from kernscope.btf import Btf, Kind
from kernscope.btf.encode import encode

__all__ = ["BtfMaker", "made_kernel", "made_module"]

Members = list[tuple[str, int, int] | tuple[str, int, int, int]]
"""Name, type, offset in bits, and the width of a bit-field."""


class BtfMaker:
    """Collects types; each method returns the new type's id. With a `base` they are split BTF, as a module's."""

    def __init__(self, base: Btf | None = None) -> None:
        self._types = b""
        self._base = base
        self._strings = bytearray(1 if base is None else 0)
        self._count = len(base) - 1 if base is not None else 0
        self._string_base = len(base._strings) if base is not None else 0
        self._fixed: dict[str, int] = {}

    def _string(self, text: str) -> int:
        if not text:
            return 0
        place = (b"\0" + bytes(self._strings)).find(b"\0" + text.encode() + b"\0")
        if place >= 0:
            return self._string_base + place
        self._strings += text.encode() + b"\0"
        return self._string_base + len(self._strings) - 1 - len(text.encode())

    def _add(
        self, kind: int, name: str = "", vlen: int = 0, last: int = 0, extra: bytes = b"", flag: bool = False
    ) -> int:
        self._types += pack("=III", self._string(name), flag << 31 | kind << 24 | vlen, last) + extra
        self._count += 1
        return self._count

    def integer(self, name: str, size: int, *, signed: bool = False, boolean: bool = False) -> int:
        encoding = signed | boolean << 2
        return self._add(Kind.INT, name, 0, size, pack("=I", encoding << 24 | 8 * size))

    def pointer(self, to: int) -> int:
        return self._add(Kind.PTR, last=to)

    def modifier(self, kind: int, to: int, name: str = "") -> int:
        return self._add(kind, name, last=to)

    def typedef(self, name: str, to: int) -> int:
        return self._add(Kind.TYPEDEF, name, last=to)

    def array(self, of: int, count: int) -> int:
        return self._add(Kind.ARRAY, extra=pack("=III", of, of, count))

    def struct(self, name: str, size: int, members: Members, *, kind: int = Kind.STRUCT) -> int:
        extra = b""
        for member_name, type_id, offset, *width in members:
            extra += pack(
                "=III", self._string(member_name), type_id, (width[0] if width else 0) << 24 | offset
            )
        return self._add(kind, name, len(members), size, extra, True)

    def union(self, name: str, size: int, members: Members) -> int:
        return self.struct(name, size, members, kind=Kind.UNION)

    def enum(self, name: str, values: dict[str, int], size: int = 4) -> int:
        extra = b"".join(pack("=Ii", self._string(n), v) for n, v in values.items())
        return self._add(Kind.ENUM, name, len(values), size, extra, any(v < 0 for v in values.values()))

    def function(self, parameters: list[tuple[str, int]], result: int = 0) -> int:
        extra = b"".join(pack("=II", self._string(n), t) for n, t in parameters)
        return self._add(Kind.FUNC_PROTO, "", len(parameters), result, extra)

    def kernel_function(self, name: str, parameters: list[tuple[str, int]], result: int = 0) -> int:
        """A function that the kernel has, with its type."""
        return self._add(Kind.FUNC, name, 1, self.function(parameters, result))

    def tracepoint(self, name: str, parameters: list[tuple[str, int]]) -> int:
        """`btf_trace_NAME`, whose function first takes `void *`; its id is the typedef's."""
        prototype = self.function([("__data", self.pointer(0)), *parameters])
        return self.typedef(f"btf_trace_{name}", self.pointer(prototype))

    def next_id(self, ahead: int = 1) -> int:
        """The id that the type after `ahead - 1` more gets, to refer to it before it is there."""
        return self._count + ahead

    def btf(self) -> Btf:
        return Btf(encode(self._types, bytes(self._strings)), base=self._base)


def _add_functions(m: BtfMaker, known: dict[str, int]) -> None:
    """Functions that programs are loaded for, and the security hooks:

    struct name { unsigned long len; unsigned char *text; };
    struct file { union { struct file *next; struct task_struct *one; }; struct task_struct *owner; struct name name;
                  struct file __percpu *each; struct task_struct __rcu *reader; };
    struct pair2 { long a, b; };
    union security_list_options { int (*file_open)(struct file *); void (*task_free)(…); int (*ismaclabel)(…); … };
    """
    word, task = known["size_t"], known["task"]
    text = m.pointer(known["char"])
    name = m.struct("name", 16, [("len", word, 0), ("text", text, 64)])
    file_id = m.next_id(7)
    file_pointer = m.pointer(file_id)
    each = m.pointer(m.modifier(Kind.TYPE_TAG, file_id, "percpu"))
    reader = m.pointer(m.modifier(Kind.TYPE_TAG, file_id, "rcu"))
    links = m.union("", 8, [("next", file_pointer, 0), ("one", task, 0)])
    file = m.struct(
        "file",
        56,
        [
            ("", links, 0),
            ("owner", task, 64),
            ("name", name, 128),
            ("each", each, 256),
            ("reader", reader, 320),
            ("mode", known["int"], 384),
        ],
    )
    assert file == file_id
    pair = m.struct("pair2", 16, [("a", known["long"], 0), ("b", known["long"], 64)])
    read = [("file", file_pointer), ("buf", text), ("count", word), ("pos", m.pointer(known["long"]))]
    m.kernel_function("vfs_read", read, known["long"])
    m.kernel_function("vfs_write", read, known["long"])
    m.kernel_function("do_nanosleep", [("flag", known["int"])])
    m.kernel_function("take_pair", [("first", known["int"]), ("two", pair), ("names", m.pointer(text))], task)
    m.kernel_function("give_pair", [], pair)
    m.kernel_function("printer", [("format", text), ("", 0)], known["int"])
    m.kernel_function("take_any", [("p", m.pointer(0))])
    m.kernel_function("take_const", [("p", m.pointer(m.modifier(Kind.CONST, 0)))])
    hooks = {
        "file_open": m.function([("file", file_pointer)], known["int"]),
        "task_free": m.function([("task", task)]),
        "ismaclabel": m.function([("name", text)], known["int"]),
        "inode_xattr_skipcap": m.function([("name", text)], known["int"]),
        "unused": m.function([], known["int"]),
    }
    m.union("security_list_options", 8, [(name, m.pointer(type_id), 0) for name, type_id in hooks.items()])
    for hook, prototype in hooks.items():
        if hook != "unused":
            m._add(Kind.FUNC, f"bpf_lsm_{hook}", 1, prototype)


@cache
def made_module() -> Btf:
    """The module `nf_tables`, on top of `made_kernel`:

    struct nft_table { struct task_struct *owner; int family; };
    enum nft_kind { NFT_A = 1, NFT_B };
    int nf_hook(struct nft_table *table); long vfs_read(int only);
    """
    base = made_kernel()
    int32 = next(i for i in range(1, len(base)) if base.type(i).name == "int")
    task = next(t for t in map(base.type, range(1, len(base))) if t.name == "task_struct")
    m = BtfMaker(base)
    table = m.struct("nft_table", 16, [("owner", m.pointer(task.id), 0), ("family", int32, 64)])
    m.enum("nft_kind", {"NFT_A": 1, "NFT_B": 2})
    m.kernel_function("nf_hook", [("table", m.pointer(table))], int32)
    m.kernel_function("vfs_read", [("only", int32)], int32)
    m.tracepoint("nf_event", [("table", m.pointer(table)), ("size", int32)])
    return m.btf()


@cache
def made_kernel() -> Btf:
    """Types of this C text (offsets where they are made up):

    typedef unsigned char u8; typedef int pid_t;
    enum color { RED = 1, GREEN, BLUE = 7 };
    struct kuid { unsigned int val; };
    struct inner { short small; struct kuid uid; long table[4]; };
    struct task_struct { int status (16, in thread_info); … see below };
    """
    m = BtfMaker()
    int32 = m.integer("int", 4, signed=True)
    uint32 = m.integer("unsigned int", 4)
    int64 = m.integer("long", 8, signed=True)
    uint64 = m.integer("unsigned long", 8)
    int16 = m.integer("short", 2, signed=True)
    char = m.integer("char", 1, signed=True)
    uchar = m.integer("unsigned char", 1)
    boolean = m.integer("_Bool", 1, boolean=True)
    u8 = m.typedef("u8", uchar)
    pid_t = m.typedef("pid_t", int32)
    color = m.enum("color", {"RED": 1, "GREEN": 2, "BLUE": 7})
    kuid = m.struct("kuid", 4, [("val", uint32, 0)])
    table = m.array(int64, 4)
    inner = m.struct("inner", 40, [("small", int16, 0), ("uid", kuid, 32), ("table", table, 64)])
    info = m.struct("thread_info", 24, [("flags", uint64, 0), ("status", uint32, 128)])
    comm = m.array(char, 16)
    address = m.array(u8, 16)
    pair = m.struct("", 8, [("low", uint32, 0), ("high", uint32, 32)])
    choice = m.union("", 8, [("whole", uint64, 0), ("", pair, 0)])
    user_char = m.pointer(m.modifier(Kind.TYPE_TAG, char, "user"))
    task_id = m.next_id(3)
    task_pointer = m.pointer(task_id)
    inner_pointer = m.pointer(inner)
    task = m.struct(
        "task_struct",
        2048,
        [
            ("thread_info", info, 0),
            ("state", int64, 24 * 8),
            ("first", uint32, 32 * 8, 3),
            ("second", int32, 32 * 8 + 3, 5),
            ("third", boolean, 33 * 8, 1),
            ("shade", color, 36 * 8),
            ("", choice, 40 * 8),
            ("inner", inner, 48 * 8),
            ("deep", inner_pointer, 88 * 8),
            ("address", address, 96 * 8),
            ("text", user_char, 112 * 8),
            ("packed", int64, 121 * 8),
            ("tgid", pid_t, 1244 * 8),
            ("pid", pid_t, 1248 * 8),
            ("real_parent", task_pointer, 1256 * 8),
            ("comm", comm, 1840 * 8),
        ],
    )
    assert task == task_id
    m.tracepoint(
        "sched_switch",
        [("preempt", boolean), ("prev", task_pointer), ("next", task_pointer), ("prev_state", uint32)],
    )
    registers = m.pointer(m.struct("pt_regs", 168, [("ax", uint64, 80 * 8)]))
    m.tracepoint("sys_enter", [("regs", registers), ("id", int64)])
    m.tracepoint("sys_exit", [("regs", registers), ("ret", int64)])
    _add_functions(m, {"int": int32, "long": int64, "size_t": uint64, "char": char, "task": task_pointer})
    _add_iterators(m, task_pointer, uint32, uint64)
    m.typedef("atomic64_t", m.struct("", 8, [("counter", int64, 0)]))
    m.kernel_function("bpf_rdonly_cast", [("obj__ign", m.pointer(0)), ("btf_id__k", uint32)], m.pointer(0))
    return m.btf()


def _add_directories(m: BtfMaker, uint32: int, uint64: int) -> None:
    """What a path is found by: names in directories, and mounts."""
    links = m.struct("hlist_bl_node", 16, [("next", uint64, 0), ("pprev", uint64, 64)])
    name = m.struct("qstr", 16, [("len", uint32, 32), ("name", uint64, 64)])
    short = m.struct("shortname_store", 40, [])
    members: Members = [("d_hash", links, 64), ("d_parent", uint64, 192), ("d_name", name, 256)]
    m.struct("dentry", 192, [*members, ("d_shortname", short, 448)])
    mounted = m.struct("vfsmount", 32, [("mnt_root", uint64, 0)])
    m.struct(
        "mount", 64, [("mnt_parent", uint64, 128), ("mnt_mountpoint", uint64, 192), ("mnt", mounted, 256)]
    )


def _add_iterators(m: BtfMaker, task: int, uint32: int, uint64: int) -> None:
    """`iter:task` and `iter:task_file` as the kernel has them, a function without a context, and one of a map."""

    path = m.struct("path", 16, [("mnt", uint64, 0), ("dentry", uint64, 64)])
    _add_directories(m, uint32, uint64)
    file = m.pointer(m.struct("file", 64, [("f_flags", uint32, 0), ("f_path", path, 128)]))
    meta = m.pointer(m.struct("bpf_iter_meta", 24, [("session_id", uint64, 64), ("seq_num", uint64, 128)]))

    def member(name: str, to: int) -> int:
        """``__bpf_md_ptr``: a pointer in an anonymous union, 8 bytes wide on every machine."""
        return m.union("", 8, [(name, to, 0)])

    contexts: dict[str, Members] = {
        "task": [("", member("meta", meta), 0), ("", member("task", task), 64)],
        "task_file": [
            ("", member("meta", meta), 0),
            ("", member("task", task), 64),
            ("fd", uint32, 128),
            ("", member("file", file), 192),
        ],
        "bpf_map_elem": [("", member("meta", meta), 0), ("", member("map", meta), 64)],
    }
    prototype = m.function([("meta", meta)])
    for name, members in contexts.items():
        m.struct(f"bpf_iter__{name}", 8 * len(members), members)
        m.modifier(Kind.FUNC, prototype, f"bpf_iter_{name}")
    m.modifier(Kind.FUNC, prototype, "bpf_iter_task_next")
