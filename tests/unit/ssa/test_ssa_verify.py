"""The SSA verifier finds each way in which a function can be broken."""

from collections.abc import Callable

import pytest
from ssa_forms import function

from kernscope.ssa import Builder, Cond, Function, Op
from kernscope.ssa.verify import IRError, verify_function


def diamond(b: Builder) -> None:
    """x = a + 1 on one path, a + 2 on the other; returned through a phi."""
    then, orelse, after = b.block("then"), b.block("else"), b.block("after")
    a = b.load(8, b.param(0, pointer=True))
    b.branch_cmp(Cond.ULT, a, 10, then, orelse)
    for block, n in ((then, 1), (orelse, 2)):
        b.seal(block)
        b.position(block)
        b.write_var("x", b.add(a, n))
        b.jump(after)
    b.seal(after)
    b.position(after)
    b.ret(b.read_var("x"))


def test_a_good_function_passes() -> None:
    verify_function(function(diamond))


def _no_terminator(f: Function) -> None:
    f.blocks[1].term = None


def _use_before_definition(f: Function) -> None:
    f.entry.insns.reverse()


def _use_not_dominated(f: Function) -> None:
    f.blocks[2].insns[0].args[0] = f.blocks[1].insns[0]


def _phi_arity(f: Function) -> None:
    f.blocks[3].phis[0].args.pop()


def _phi_of_pointer_and_scalar(f: Function) -> None:
    f.blocks[3].phis[0].args[0] = f.entry.insns[0]


def _pointer_arithmetic(f: Function) -> None:
    f.blocks[1].insns[0].args[0] = f.entry.insns[0]


def _wrong_predecessors(f: Function) -> None:
    f.blocks[3].preds.append(f.entry)


def _load_through_a_scalar(f: Function) -> None:
    load = f.entry.insns[1]
    f.blocks[1].insns[0].op = Op.LOAD
    f.blocks[1].insns[0].args = [load]


def _use_of_nothing(f: Function) -> None:
    store = f.new_value(Op.STORE, [f.entry.insns[0], f.const(0)], 2)
    store.block = f.entry
    f.entry.insns.append(store)
    assert f.entry.term is not None
    f.entry.term.args[0] = store


def _compare_pointer_with_scalar(f: Function) -> None:
    assert f.entry.term is not None
    f.entry.term.args[0] = f.entry.insns[0]


def _outside_its_slot(f: Function) -> None:
    b = Builder.__new__(Builder)
    b.function = f
    slot = b.frame(8)
    store = f.new_value(Op.STORE, [b.frame_addr(slot, 4), f.const(0)], 2)
    store.block = f.entry
    f.entry.insns.append(store)


@pytest.mark.parametrize(
    ("breaks", "message"),
    [
        (_no_terminator, "no terminator"),
        (_use_before_definition, "before its definition"),
        (_use_not_dominated, "does not dominate"),
        (_phi_arity, "1 arguments, not 2"),
        (_phi_of_pointer_and_scalar, "phi of a pointer and a scalar"),
        (_pointer_arithmetic, "arithmetic on a pointer"),
        (_wrong_predecessors, "predecessors"),
        (_load_through_a_scalar, "not a pointer"),
        (_use_of_nothing, "no result"),
        (_compare_pointer_with_scalar, "compared with a scalar"),
        (_outside_its_slot, "frame slot"),
    ],
)
def test_a_broken_function_is_refused(breaks: Callable[[Function], None], message: str) -> None:
    f = function(diamond)
    breaks(f)
    with pytest.raises(IRError, match=message):
        verify_function(f, "test")
