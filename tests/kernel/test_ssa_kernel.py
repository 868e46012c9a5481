"""Random compiled functions on the running kernel: none is refused, and all give the interpreter's result."""

import sys
from pathlib import Path

import pytest

from kernscope.kernel.facts import missing_capabilities

sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz"))

pytestmark = pytest.mark.skipif(
    bool(missing_capabilities()), reason=f"needs {' and '.join(missing_capabilities())}: run as root"
)


@pytest.mark.parametrize("start", range(0, 300, 50))
def test_random_programs_load_and_run(start: int) -> None:
    from ssa_fuzz import check_seed
    from ssa_kernel import run_kernel

    from kernscope.kernel import Kernel

    names = {"cpu_v4": "v4", "atomic_fetch": "atomics"}
    with Kernel() as kernel:
        without = frozenset(feature for name, feature in names.items() if not kernel.has_feature(name))
    for seed in range(start, start + 50):
        check_seed(500_000 + seed, 3 + seed % 40, run_kernel, without)


def _run(build, features: frozenset[str] = frozenset(), callback=None) -> tuple[int, list[int]]:  # type: ignore[no-untyped-def]
    """r0 and the 16 words of the map value after one run with the context words 1 to 8."""
    from ssa_kernel import run_kernel

    from kernscope.ssa import Builder, Module, compile_module

    m = Module("test", features)
    main = m.new_function("main")
    functions = [main]
    if callback is not None:
        functions.append(m.new_function("callback", 2))
        callback(Builder(functions[1]))
    build(Builder(main), *functions[1:])
    context = b"".join(n.to_bytes(8, "little") for n in range(1, 9))
    result = run_kernel(compile_module(m, verify=True), context, bytes(128))
    assert result is not None
    return result[0], [int.from_bytes(result[1][i : i + 8], "little") for i in range(0, 128, 8)]


def test_callback_adds_to_an_object_in_its_caller_s_frame() -> None:
    """bpf_loop (Linux 5.17) with a callback, and a value that lives across the call."""
    from kernscope.kernel import Kernel
    from kernscope.tables.helpers import HELPER_IDS

    if not Kernel().has_feature("bpf_loop"):
        pytest.skip("needs bpf_loop: Linux 5.17")

    def callback(b) -> None:  # type: ignore[no-untyped-def]
        index, context = b.param(0), b.param(1, pointer=True)
        b.store(8, context, b.add(b.load(8, context), index))
        b.ret(0)

    def build(b, called) -> None:  # type: ignore[no-untyped-def]
        word = b.load(8, b.param(0, pointer=True), 8)
        total = b.frame(8)
        b.store(8, b.frame_addr(total), 100)
        rounds = b.call(HELPER_IDS["loop"], 10, b.function_ref(called), b.frame_addr(total), 0)
        b.store(8, b.map_value("out"), b.load(8, b.frame_addr(total)))
        b.store(8, b.map_value("out"), word, 8)
        b.ret(rounds)

    result, words = _run(build, callback=callback)
    assert (result, words[:2]) == (10, [145, 2])


def test_may_goto_bounds_a_loop_whose_length_nobody_knows() -> None:
    from kernscope.kernel import Kernel

    if not Kernel().has_feature("may_goto"):
        pytest.skip("needs may_goto: Linux 6.9")

    def build(b) -> None:  # type: ignore[no-untyped-def]
        limit = b.load(8, b.param(0, pointer=True), 56)
        head, body, more, out = b.block("head"), b.block("body"), b.block("more"), b.block("out")
        b.write_var("i", 0)
        b.write_var("sum", 0)
        b.jump(head)
        b.position(head)
        b.may_goto(out, body)
        b.seal(body)
        b.position(body)
        b.branch_cmp(2, b.read_var("i"), b.mul(limit, 1000), more, out)
        b.seal(more)
        b.position(more)
        b.write_var("sum", b.add(b.read_var("sum"), b.read_var("i")))
        b.write_var("i", b.add(b.read_var("i"), 1))
        b.jump(head)
        b.seal(head)
        b.seal(out)
        b.position(out)
        b.store(8, b.map_value("out"), b.read_var("sum"))
        b.ret(b.read_var("i"))

    result, words = _run(build, frozenset({"may_goto"}))
    assert (result, words[0]) == (8000, 8000 * 7999 // 2)


def test_a_bounded_index_survives_spilling_in_between() -> None:
    """Bounds from a check reach the access though the index went to its slot and back after the check."""
    from kernscope.ssa import Cond

    def build(b) -> None:  # type: ignore[no-untyped-def]
        p = b.param(0, pointer=True)
        index = b.load(8, p)
        near = [b.load(8, p, 8 * i) for i in range(1, 5)]
        b.call(14)
        for value in near:
            b.store(8, b.map_value("out"), value, 8)
        small, out = b.block("small"), b.block("out")
        b.branch_cmp(Cond.ULT, index, 16, small, out)
        b.position(small)
        b.call(14)
        for n, value in enumerate(near):
            b.store(8, b.map_value("out"), value, 8 * n + 16)
        b.store(1, b.ptr_add(b.map_value("out", 64), index), 1)
        b.jump(out)
        b.position(out)
        b.ret(3)

    result, words = _run(build)
    assert result == 3
    assert words[2:6] == [2, 3, 4, 5]
    assert words[8] == 0x100
