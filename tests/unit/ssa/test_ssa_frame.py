"""Frame layout: sharing, alignment, limits."""

import pytest
from ssa_forms import function

from kernscope.ssa import Builder, Cond, FrameSlot, FrameTooLarge, Function, Module, compile_module


def laid_out(build) -> Function:  # type: ignore[no-untyped-def]
    f = function(build)
    compile_module(f.module, verify=True)
    return f


def overlap(a: FrameSlot, b: FrameSlot) -> bool:
    return a.offset < b.offset + b.size and b.offset < a.offset + a.size


def use(b: Builder, slot: FrameSlot) -> None:
    """Write the whole object, pass it to a helper."""
    for offset in range(0, slot.size, 8):
        b.store(8, b.frame_addr(slot), 1, offset)
    b.call(6, b.frame_addr(slot), slot.size)


def test_keys_used_one_after_the_other_share_bytes() -> None:
    def build(b: Builder) -> None:
        for _ in range(40):
            use(b, b.frame(32))
        b.ret(0)

    f = laid_out(build)
    assert {slot.offset for slot in f.slots} == {-32}


def test_objects_alive_together_do_not_overlap() -> None:
    def build(b: Builder) -> None:
        slots = [b.frame(size) for size in (8, 24, 16)]
        for slot in slots:
            for offset in range(0, slot.size, 8):
                b.store(8, b.frame_addr(slot), 1, offset)
        for slot in slots:
            b.call(6, b.frame_addr(slot), slot.size)
        b.ret(0)

    slots = laid_out(build).slots
    assert not any(overlap(x, y) for i, x in enumerate(slots) for y in slots[:i])
    assert min(slot.offset for slot in slots) == -48


def test_content_carried_around_a_loop_keeps_its_bytes() -> None:
    def build(b: Builder) -> None:
        kept, other = b.frame(8), b.frame(8)
        b.store(8, b.frame_addr(kept), 0)
        head, after = b.block("head"), b.block("after")
        b.jump(head)
        b.position(head)
        x = b.load(8, b.frame_addr(kept))
        use(b, other)
        b.store(8, b.frame_addr(kept), b.add(x, 1))
        b.branch_cmp(Cond.ULT, x, 5, head, after)
        b.position(after)
        b.ret(0)

    kept, other = laid_out(build).slots
    assert not overlap(kept, other)


def test_objects_written_in_full_in_each_round_may_share_within_a_loop() -> None:
    def build(b: Builder) -> None:
        head, after = b.block("head"), b.block("after")
        b.jump(head)
        b.position(head)
        for _ in range(10):
            use(b, b.frame(64))
        b.branch_cmp(Cond.NE, b.call(7), 0, head, after)
        b.position(after)
        b.ret(0)

    assert {slot.offset for slot in laid_out(build).slots} == {-64}


def test_an_object_whose_address_is_selected_lives_everywhere() -> None:
    def build(b: Builder) -> None:
        x, y, late = b.frame(8), b.frame(8), b.frame(8)
        b.store(8, b.frame_addr(x), 1)
        b.store(8, b.frame_addr(y), 2)
        p = b.select(b.cmp(Cond.NE, b.call(7), 0), b.frame_addr(x), b.frame_addr(y))
        use(b, late)
        b.ret(b.load(8, p))

    x, y, late = laid_out(build).slots
    assert not overlap(x, y)
    assert not overlap(x, late)
    assert not overlap(y, late)


def test_alignment() -> None:
    def build(b: Builder) -> None:
        byte, word, long = b.frame(1, 1), b.frame(4, 4), b.frame(8, 8)
        for slot in (byte, word, long):
            b.store(slot.size, b.frame_addr(slot), 1)
        for slot in (byte, word, long):
            b.call(6, b.frame_addr(slot), slot.size)
        b.ret(0)

    for slot in laid_out(build).slots:
        assert slot.offset % slot.align == 0


@pytest.mark.parametrize(("may_goto", "fits"), [(False, True), (True, False)])
def test_may_goto_takes_sixteen_bytes(may_goto: bool, fits: bool) -> None:
    def build(b: Builder) -> None:
        use(b, b.frame(512))
        if may_goto:
            out, on = b.block("out"), b.block("on")
            b.may_goto(out, on)
            b.position(on)
            b.call(7)
            b.jump(out)
            b.position(out)
        b.ret(0)

    if fits:
        laid_out(build)
    else:
        with pytest.raises(FrameTooLarge) as caught:
            laid_out(build)
        assert (caught.value.function, caught.value.needed, caught.value.limit) == ("main", 512, 496)
        assert caught.value.objects == [512]


def test_frames_of_functions_that_are_active_together_add_up() -> None:
    m = Module("test")
    main, callback = m.new_function("main"), m.new_function("callback", 2)
    for f, size in ((main, 264), (callback, 256)):
        b = Builder(f)
        use(b, b.frame(size))
        if f is main:
            b.call(181, 10, b.function_ref(callback), 0, 0)
        b.ret(0)
    with pytest.raises(FrameTooLarge) as caught:
        compile_module(m)
    assert caught.value.needed == 288 + 256
