"""Kernel types out of hand-made BTF (see `made_btf`): each expectation is what the C text there says."""

import pytest
from fake_kernel import FakeKernel
from made_btf import BtfMaker, made_kernel

from kernscope.btf import Kind
from kernscope.diagnostics import CompileError, Source
from kernscope.kernel.errors import NotSupportedError
from kernscope.types import BOOL, INT16, INT64, UINT8, UINT32, Array, Enum, Pointer, String, Struct, Type
from kernscope.types.from_btf import KernelTypes, kernel_types


@pytest.fixture(scope="module")
def types() -> KernelTypes:
    return KernelTypes(made_kernel())


def member(types: KernelTypes, name: str) -> tuple[Type, int, tuple[int, int] | None]:
    task = types.struct("struct", "task_struct")
    assert task is not None
    field = task.member(name)
    assert field is not None
    return field.type, field.offset, field.bits


def test_numbers_and_strings(types: KernelTypes) -> None:
    assert member(types, "comm") == (String(16), 1840, None)
    assert member(types, "address") == (Array(UINT8, 16), 96, None)
    assert member(types, "packed") == (INT64, 121, None)


def test_bit_fields(types: KernelTypes) -> None:
    assert member(types, "first") == (UINT32, 32, (0, 3))
    kind, offset, bits = member(types, "second")
    assert (kind.size, offset, bits) == (4, 32, (3, 5))
    assert member(types, "third") == (BOOL, 33, (0, 1))


def test_anonymous_members_are_the_struct_s_own(types: KernelTypes) -> None:
    assert member(types, "high") == (UINT32, 44, None)
    task = types.struct("struct", "task_struct")
    assert task is not None
    assert [f.offset for f in task.fields.values() if f.name in ("whole", "low", "high")] == [40, 40, 44]
    assert "" not in task.fields


def test_pointers(types: KernelTypes) -> None:
    parent = member(types, "real_parent")[0]
    assert isinstance(parent, Pointer) and isinstance(parent.target, Struct)
    assert (parent.space, parent.target.name, parent.target.size) == ("kernel", "struct task_struct", 2048)
    text = member(types, "text")[0]
    assert isinstance(text, Pointer) and text.space == "user"


def test_embedded_structs(types: KernelTypes) -> None:
    inner = member(types, "inner")[0]
    assert isinstance(inner, Struct)
    small, table = inner.member("small"), inner.member("table")
    assert small is not None and table is not None
    assert (inner.size, small.type, table.type, table.offset) == (40, INT16, Array(INT64, 4), 8)


def test_enums(types: KernelTypes) -> None:
    shade = member(types, "shade")[0]
    assert isinstance(shade, Enum) and shade.names == {1: "RED", 2: "GREEN", 7: "BLUE"}
    assert types.enumerator("BLUE") == (shade, 7)
    assert types.enumerator("GREE") is None and types.enumerator("task_struct") is None
    assert types.typedef("pid_t") is not None and types.typedef("task_struct") is None


def test_only_what_is_asked_for_is_converted() -> None:
    types = KernelTypes(made_kernel())
    task = types.struct("struct", "task_struct")
    assert task is not None
    assert len(types._converted) == 1
    task.member("comm")
    assert len(types._converted) == 2


def test_struct_that_contains_itself_by_pointer_ends() -> None:
    maker = BtfMaker()
    node = maker.next_id(2)
    link = maker.pointer(node)
    assert maker.struct("node", 8, [("next", link, 0)]) == node
    found = KernelTypes(maker.btf()).struct("struct", "node")
    assert found is not None
    for _ in range(5):
        field = found.member("next")
        assert field is not None and isinstance(field.type, Pointer) and isinstance(field.type.target, Struct)
        found = field.type.target
    assert found.name == "struct node"


def test_pointers_that_lead_to_themselves_end() -> None:
    maker = BtfMaker()
    loop = maker.pointer(maker.next_id())
    KernelTypes(maker.btf()).convert(loop)


def test_forward_declaration_is_a_mention() -> None:
    maker = BtfMaker()
    forward = maker.pointer(maker.modifier(Kind.FWD, 0, "secret"))
    found = KernelTypes(maker.btf()).convert(forward)
    assert isinstance(found, Pointer) and isinstance(found.target, Struct) and found.target.is_mention


def test_no_btf() -> None:
    with pytest.raises(NotSupportedError):
        kernel_types(FakeKernel(without=["btf"]))


# --- what compiling asks of the kernel --------------------------------------------------------------------------


def compiled(text: str, **options: object) -> FakeKernel:
    from kernscope.compiler.pipeline import compile_source

    kernel = FakeKernel(**options)  # type: ignore[arg-type]
    compile_source(Source("test", text), kernel, verify=True)
    return kernel


@pytest.mark.parametrize(
    "text",
    [
        'begin { @[comm, pid] = count(); printf("%d %p", nsecs, curtask); exit(); }',
        "struct s { int a; char b[4]; struct other *c; } enum e { A = 1 } "
        "begin { $s = (struct s *)0; print($s->b); print(A); print((uint8[4])(uint32)5); print((x = 1).x); }",
        "begin { $p = (uint32 *)0; print($p[1] + sizeof(uint16_t) + sizeof(unsigned long)); }",
    ],
)
def test_programs_without_kernel_types_do_not_open_btf(text: str) -> None:
    # Reading memory by plain loads needs the number of a type.
    assert "btf" not in compiled(text, without=("rdonly_cast",)).asked


def test_programs_with_kernel_types_do() -> None:
    assert "btf" in compiled("begin { print(curtask->pid); }").asked


@pytest.mark.parametrize(
    "text", ["begin { print(curtask->pid); }", "begin { print(sizeof(struct task_struct)); }"]
)
def test_a_kernel_without_types_is_named(text: str) -> None:
    with pytest.raises(CompileError) as caught:
        compiled(text, without=["btf", "tp_btf", "compat"])
    assert [d.code for d in caught.value.diagnostics] == ["no-kernel-types"]


def test_c_text(types: KernelTypes) -> None:
    assert types.c_text(0) == "void"
    found = types.btf.raw_tracepoint("sched_switch")
    assert found is not None
    assert [(types.c_text(t), name) for name, t in found.parameters] == [
        ("bool", "preempt"),
        ("struct task_struct *", "prev"),
        ("struct task_struct *", "next"),
        ("unsigned int", "prev_state"),
    ]
    maker = BtfMaker()
    char = maker.integer("char", 1, signed=True)
    text = maker.pointer(maker.pointer(maker.modifier(Kind.CONST, char)))
    assert KernelTypes(maker.btf()).c_text(text) == "const char **"


def test_raw_tracepoints_are_listed_with_their_arguments() -> None:
    from kernscope.probes.listing import fields

    assert fields("rawtracepoint:sched_switch", FakeKernel())[1] == ("struct task_struct *", "prev")
    assert fields("rawtracepoint:nothing", FakeKernel()) == []
    assert fields("begin", FakeKernel()) == []


# --- modules -----------------------------------------------------------------------------------------------------


def test_a_type_of_a_module_is_found_by_name_and_stands_on_the_kernel_s_types() -> None:
    kernel = FakeKernel()
    types = KernelTypes(made_kernel(), kernel)
    table = types.struct("struct", "nft_table")
    assert table is not None
    owner, family = table.member("owner"), table.member("family")
    assert owner is not None and family is not None and family.offset == 8
    assert isinstance(owner.type, Pointer) and owner.type.target is types.struct("struct", "task_struct")
    kind = types.enum("nft_kind")
    assert kind is not None and types.enumerator("NFT_B") == (kind, 2)


def test_modules_are_opened_only_for_what_the_kernel_itself_does_not_have() -> None:
    kernel = FakeKernel()
    types = KernelTypes(made_kernel(), kernel)
    assert types.struct("struct", "task_struct") is not None and types.enumerator("BLUE") is not None
    assert kernel.asked == []
    assert types.struct("struct", "nothing") is None
    assert kernel.asked == ["btf nf_tables"]


def test_a_program_uses_the_types_of_a_module() -> None:
    kernel = compiled("begin { $t = (struct nft_table *)4096; print(($t->family, $t->owner->pid)); }")
    assert "btf nf_tables" in kernel.asked
