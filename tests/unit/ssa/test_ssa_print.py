"""The text forms: what each kind of value looks like, before and after allocation."""

from ssa_forms import function, text

from kernscope.ssa import Builder, Cond, compile_module


def everything(b: Builder) -> None:
    p = b.param(0, pointer=True)
    slot = b.frame(8)
    x = b.load(4, p, 8, signed=True)
    b.store(8, b.frame_addr(slot), b.sdiv(x, 3))
    b.store(1, p, 7, -1)
    b.atomic_add(8, b.map_value("m", 16), 1)
    q = b.call(1, b.map_fd("m"), b.frame_addr(slot), pointer=True)
    y = b.byteswap(b.select(b.cmp(Cond.SLT, x, -5), x, b.ext(x, 16, False)), 32)
    found, out = b.block("found"), b.block("out", likely=False)
    b.branch_cmp(Cond.NE, q, 0, found, out)
    b.position(found)
    b.store(8, b.ptr_add(q, y), y)
    b.jump(out)
    b.position(out)
    b.ret(y)


def test_text_of_ssa_form() -> None:
    assert text(function(everything)) == [
        "frame0: 8 bytes, align 8",
        "v1 = load.s32 v0 + 8",
        "v2 = sdiv v1, 3",
        "store.64 frame0, v2",
        "store.8 v0 - 1, 7",
        "atomic.add.64 map_value(m+16), 1",
        "v6 = call #1 map(m), frame0",
        "v7 = cmp.slt v1, -5",
        "v8 = zext.16 v1",
        "v9 = select v7, v1, v8",
        "v10 = bswap.32 v9",
        "branch_cmp.ne v6, 0, found.1, out.2",
        "found.1:",
        "v12 = ptr_add v6, v10",
        "store.64 v12, v10",
        "jump out.2",
        "out.2:",
        "ret v10",
    ]


def test_text_after_allocation_names_registers_and_slots() -> None:
    def build(b: Builder) -> None:
        slot = b.frame(16)
        x = b.load(8, b.param(0, pointer=True), 24)
        b.store(8, b.frame_addr(slot), x, 8)
        b.ret(b.load(8, b.frame_addr(slot), 8))

    stages: dict[str, str] = {}
    compile_module(function(build).module, dump=lambda name, stage, text: stages.update({stage: text}))
    assert stages["allocation"].splitlines()[1:] == [
        "entry.0:",
        "  r1 = param 0  ; v0",
        "  r0 = load.u64 r1 + 24  ; v1",
        "  store.64 frame0 + 8, r0",
        "  r0 = load.u64 frame0 + 8  ; v4",
        "  ret r0",
    ]
