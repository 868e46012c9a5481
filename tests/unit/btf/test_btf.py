"""BTF from blobs made by hand, byte by byte after Documentation/bpf/btf.rst."""

from struct import pack

import pytest
from made_btf import made_kernel, made_module

from kernscope.btf import Btf, BtfError, Kind
from kernscope.btf.encode import func_info, functions_btf
from kernscope.btf.index import TypeIndex, build_index, fingerprint


class Blob:
    """Collects types and strings; ids count from 1."""

    def __init__(self) -> None:
        self.types = b""
        self.strings = b"\0"
        self.count = 0

    def string(self, text: str) -> int:
        if not text:
            return 0
        offset = len(self.strings)
        self.strings += text.encode() + b"\0"
        return offset

    def add(
        self, kind: int, name: str = "", vlen: int = 0, last: int = 0, extra: bytes = b"", flag: int = 0
    ) -> int:
        self.types += pack("<III", self.string(name), flag << 31 | kind << 24 | vlen, last) + extra
        self.count += 1
        return self.count

    def members(self, *members: tuple[str, int, int]) -> bytes:
        return b"".join(pack("<III", self.string(name), type_id, offset) for name, type_id, offset in members)

    def data(self) -> bytes:
        head = pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(self.types), len(self.types), len(self.strings))
        return head + self.types + self.strings


def sample() -> tuple[Btf, dict[str, int]]:
    """Types of this C text:

    typedef int pid_t;
    struct inner { unsigned int status; const pid_t who; };
    struct task { long state; union { char comm[16]; struct { int lo; int hi; }; }; struct inner info;
                  struct task *parent; unsigned int low:3, high:5; };
    enum color { RED = 1, BLUE = -2 };
    enum big : unsigned long { HUGE = 1 << 40 };
    """
    blob = Blob()
    ids = {
        "int": blob.add(Kind.INT, "int", last=4, extra=pack("<I", 1 << 24 | 32)),
        "uint": blob.add(Kind.INT, "unsigned int", last=4, extra=pack("<I", 32)),
        "long": blob.add(Kind.INT, "long", last=8, extra=pack("<I", 1 << 24 | 64)),
        "char": blob.add(Kind.INT, "char", last=1, extra=pack("<I", 2 << 24 | 8)),
    }
    ids["pid_t"] = blob.add(Kind.TYPEDEF, "pid_t", last=ids["int"])
    ids["const"] = blob.add(Kind.CONST, last=ids["pid_t"])
    ids["inner"] = blob.add(
        Kind.STRUCT, "inner", 2, 8, blob.members(("status", ids["uint"], 0), ("who", ids["const"], 32))
    )
    ids["comm"] = blob.add(Kind.ARRAY, extra=pack("<III", ids["char"], ids["int"], 16))
    ids["pair"] = blob.add(Kind.STRUCT, "", 2, 8, blob.members(("lo", ids["int"], 0), ("hi", ids["int"], 32)))
    ids["union"] = blob.add(
        Kind.UNION, "", 2, 16, blob.members(("comm", ids["comm"], 0), ("", ids["pair"], 0))
    )
    # Type 11 points forward to type 12.
    ids["pointer"] = blob.add(Kind.PTR, last=blob.count + 2)
    bit = [(n, ids["uint"], width << 24 | offset) for n, width, offset in (("low", 3, 320), ("high", 5, 323))]
    ids["task"] = blob.add(
        Kind.STRUCT,
        "task",
        6,
        48,
        blob.members(
            ("state", ids["long"], 0),
            ("", ids["union"], 64),
            ("info", ids["inner"], 192),
            ("parent", ids["pointer"], 256),
            *bit,
        ),
        flag=1,
    )
    ids["color"] = blob.add(
        Kind.ENUM,
        "color",
        2,
        4,
        pack("<IiIi", blob.string("RED"), 1, blob.string("BLUE"), -2),
        flag=1,
    )
    ids["big"] = blob.add(Kind.ENUM64, "big", 1, 8, pack("<III", blob.string("HUGE"), 0, 1 << 8))
    return Btf(blob.data()), ids


def test_finds_types_by_kind_and_name() -> None:
    btf, ids = sample()
    task = btf.find(Kind.STRUCT, "task")
    assert task is not None and (task.id, task.size, task.name) == (ids["task"], 48, "task")
    assert btf.find(Kind.UNION, "task") is None
    assert btf.find(Kind.STRUCT, "tas") is None
    assert btf.find(Kind.STRUCT, "") is None
    assert len(btf) == 15


@pytest.mark.parametrize(
    ("path", "offset", "type_name", "bits"),
    [
        ("state", 0, "long", 0),
        ("comm", 64, "comm", 0),
        ("lo", 64, "int", 0),
        ("hi", 96, "int", 0),
        ("info.status", 192, "uint", 0),
        ("info.who", 224, "const", 0),
        ("parent", 256, "pointer", 0),
        ("low", 320, "uint", 3),
        ("high", 323, "uint", 5),
    ],
)
def test_member_paths(path: str, offset: int, type_name: str, bits: int) -> None:
    btf, ids = sample()
    found = btf.member(btf.type(ids["task"]), path)
    assert found is not None
    assert (found.bit_offset, found.type_id, found.bitfield_bits) == (offset, ids[type_name], bits)


@pytest.mark.parametrize("path", ["nothing", "info.nothing", "state.x", "parent.state", "", "info."])
def test_member_paths_that_lead_nowhere(path: str) -> None:
    btf, ids = sample()
    assert btf.member(btf.type(ids["task"]), path) is None


def test_sizes_enums_and_integers() -> None:
    btf, ids = sample()
    sizes = {name: btf.size_of(ids[name]) for name in ("const", "comm", "pointer", "task", "color", "big")}
    assert sizes == {"const": 4, "comm": 16, "pointer": 8, "task": 48, "color": 4, "big": 8}
    assert btf.enumerators(btf.type(ids["color"])) == [("RED", 1), ("BLUE", -2)]
    assert btf.enumerators(btf.type(ids["big"])) == [("HUGE", 1 << 40)]
    assert btf.enum_value("HUGE") == 1 << 40 and btf.enum_value("GREEN") is None
    assert btf.int_encoding(btf.type(ids["int"])) == (True, False, False, 32)
    assert btf.int_encoding(btf.type(ids["char"])) == (False, True, False, 8)
    assert btf.resolve(ids["const"]).name == "int"
    with pytest.raises(BtfError):
        btf.size_of(0)
    with pytest.raises(BtfError):
        btf.type(99)


def tracepoints() -> Blob:
    """void (*btf_trace_sched)(void *, int): unnamed parameters, names only in __bpf_trace_sched."""
    blob = Blob()
    integer = blob.add(Kind.INT, "int", last=4, extra=pack("<I", 1 << 24 | 32))
    pointer = blob.add(Kind.PTR)
    bare = blob.add(Kind.FUNC_PROTO, "", 2, 0, pack("<IIII", 0, pointer, 0, integer))
    to_bare = blob.add(Kind.PTR, last=bare)
    blob.add(Kind.TYPEDEF, "btf_trace_sched", last=to_bare)
    blob.add(Kind.TYPEDEF, "btf_trace_bare", last=to_bare)
    named = pack("<IIII", blob.string("__data"), pointer, blob.string("cpu"), integer)
    proto = blob.add(Kind.FUNC_PROTO, "", 2, 0, named)
    blob.add(Kind.FUNC, "__bpf_trace_sched", 0, proto)
    return blob


def test_raw_tracepoints_have_names_and_no_data_parameter() -> None:
    btf = Btf(tracepoints().data())
    found = btf.raw_tracepoint("sched")
    assert found is not None and found.btf_id == 5 and found.parameters == [("cpu", 1)]
    bare = btf.raw_tracepoint("bare")
    assert bare is not None and bare.btf_id == 6 and bare.parameters == [("", 1)]
    assert btf.raw_tracepoint("none") is None
    assert btf.raw_tracepoint_names() == ["bare", "sched"]


def test_split_btf_continues_its_base() -> None:
    base_blob = tracepoints()
    base = Btf(base_blob.data())
    types = pack("<III", len(base_blob.strings) + 1, Kind.TYPEDEF << 24, 1)
    strings = b"\0mine\0"
    head = pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings))
    split = Btf(head + types + strings, base=base)
    mine = split.find(Kind.TYPEDEF, "mine")
    assert mine is not None and mine.id == 9 and split.resolve(9).name == "int"
    assert split.find(Kind.INT, "int") is not None
    assert split.int_encoding(split.type(1)) == (True, False, False, 32)


def test_an_index_serves_only_its_own_blob() -> None:
    data = tracepoints().data()
    index = build_index(data)
    again = Btf(data, TypeIndex(index, fingerprint(data)))
    assert again.find(Kind.FUNC, "__bpf_trace_sched") is not None
    other = sample()[0]
    with pytest.raises(ValueError):
        TypeIndex(index, fingerprint(other.data))
    with pytest.raises(ValueError):
        TypeIndex(index[:-4], fingerprint(data))
    with pytest.raises(ValueError):
        TypeIndex(b"", fingerprint(data))


@pytest.mark.parametrize("cut", [0, 10, 23, 40, 200])
def test_malformed_blobs_are_refused(cut: int) -> None:
    data = tracepoints().data()
    with pytest.raises(BtfError):
        Btf(data[:cut])
    with pytest.raises(BtfError):
        Btf(b"\x9f\xeb\x02" + data[3:])


def test_unknown_kinds_and_chains_without_end() -> None:
    blob = Blob()
    blob.add(25, "future")
    with pytest.raises(BtfError):
        len(Btf(blob.data()))
    loop = Blob()
    loop.add(Kind.CONST, last=2)
    loop.add(Kind.VOLATILE, last=1)
    with pytest.raises(BtfError):
        Btf(loop.data()).resolve(1)


def test_functions_btf_reads_back() -> None:
    blob, ids = functions_btf([("main", 1), ("each element", 4), ("again", 4)])
    btf = Btf(blob)
    functions = [btf.type(id) for id in ids]
    # vlen of a FUNC is its linkage: 0 static, 1 global.
    assert [(f.kind, f.name, f.vlen) for f in functions] == [
        (Kind.FUNC, "main", 1),
        (Kind.FUNC, "each_element", 0),
        (Kind.FUNC, "again", 0),
    ]
    assert [len(btf.parameters(btf.type(f.type_id))) for f in functions] == [1, 4, 4]
    assert functions[1].type_id == functions[2].type_id
    assert func_info([0, 7], [3, 5]) == pack("<IIII", 0, 3, 7, 5)


# --- split BTF ---------------------------------------------------------------------------------------------------


def test_a_module_s_names_come_beside_those_of_the_kernel() -> None:
    kernel, module = made_kernel(), made_module()
    own, other = module.find_own(Kind.FUNC, "vfs_read"), module.find(Kind.FUNC, "vfs_read")
    assert own is not None and other is not None
    assert other.id == kernel.find(Kind.FUNC, "vfs_read").id < module.first_own <= own.id  # type: ignore[union-attr]
    assert [name for name, _ in module.parameters(module.type(own.type_id))] == ["only"]
    assert module.function_names() == {b"nf_hook", b"vfs_read"}
    assert b"do_nanosleep" in kernel.function_names() and b"nf_hook" not in kernel.function_names()
    assert module.may_have("nft_table") and module.may_have("task_struct") and not module.may_have("nothing")
    assert not kernel.may_have("nft_table")


def test_an_index_of_a_module_can_be_used_again() -> None:
    module = made_module()
    again = Btf(module.data, TypeIndex(bytes(module.index.buffer), fingerprint(module.data)), made_kernel())
    found = again.find_own(Kind.STRUCT, "nft_table")
    assert found is not None and [m.name for m in again.members(found)] == ["owner", "family"]


# --- what a program may load -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("struct", "offset", "size", "wanted"),
    [
        ("file", 48, 4, 0),  # mode
        ("file", 8, 8, "task_struct"),  # owner
        ("file", 16, 8, 0),  # name.len
        ("file", 24, 8, 0),  # name.text leads to characters
        ("file", 0, 8, None),  # a union: the verifier takes its first member
        ("file", 32, 8, None),  # __percpu
        ("file", 40, 8, "file"),  # __rcu
        ("file", 8, 4, None),  # half a pointer
        ("file", 50, 4, None),  # across the end of a member
        ("file", 56, 8, None),  # behind the end
        ("task_struct", 48 + 8, 8, None),  # an array
        ("task_struct", 32, 4, None),  # bit-fields
        ("task_struct", 48 + 4, 4, 0),  # inner.uid.val
        ("task_struct", 88, 8, "inner"),
    ],
)
def test_loaded(struct: str, offset: int, size: int, wanted: str | int | None) -> None:
    btf = made_kernel()
    start = btf.find(Kind.STRUCT, struct)
    assert start is not None
    found = btf.loaded(start.id, offset, size)
    assert (btf.type(found).name if found else found) == wanted
