"""Calls between functions, callbacks, loops and the limits of a run."""

import pytest

from kernscope.asm import instruction as asm
from kernscope.asm.encode import Item, assemble
from kernscope.asm.instruction import Label
from kernscope.asm.vm import Machine, VmFault
from kernscope.tables import opcodes as o


def test_a_function_gets_arguments_and_a_frame_and_keeps_the_callers_registers() -> None:
    program = assemble(
        [
            (
                "main",
                [
                    asm.st(o.DW, 10, -8, 40),
                    asm.mov_imm(6, 7),
                    asm.mov_imm(1, 30),
                    asm.mov_imm(2, 5),
                    asm.call_local("add"),
                    asm.alu64(o.ADD, 0, 6),
                    asm.ldx(o.DW, 1, 10, -8),
                    asm.alu64(o.ADD, 0, 1),
                    asm.exit_(),
                ],
            ),
            (
                "add",
                [
                    asm.st(o.DW, 10, -8, 1000),
                    asm.mov_imm(6, 999),
                    asm.mov(0, 1),
                    asm.alu64(o.ADD, 0, 2),
                    asm.exit_(),
                ],
            ),
        ]
    )
    assert Machine().run(program) == 30 + 5 + 7 + 40


def test_a_callee_can_use_a_pointer_into_its_callers_frame() -> None:
    program = assemble(
        [
            (
                "main",
                [
                    asm.mov(1, 10),
                    asm.alu64_imm(o.ADD, 1, -16),
                    asm.call_local("fill"),
                    asm.ldx(o.DW, 0, 10, -16),
                    asm.exit_(),
                ],
            ),
            ("fill", [asm.st(o.DW, 1, 0, 77), asm.mov_imm(0, 0), asm.exit_()]),
        ]
    )
    assert Machine().run(program) == 77


@pytest.mark.parametrize("register", [1, 2, 5])
def test_argument_registers_are_lost_across_a_call(register: int) -> None:
    program = assemble(
        [
            (
                "main",
                [asm.mov_imm(register, 1), asm.call_local("f"), asm.mov(0, register), asm.exit_()],
            ),
            ("f", [asm.mov_imm(0, 0), asm.exit_()]),
        ]
    )
    with pytest.raises(VmFault, match="never set") as caught:
        Machine().run(program)
    assert caught.value.pc == 2


def test_a_callee_does_not_see_the_callers_saved_registers() -> None:
    program = assemble(
        [
            ("main", [asm.mov_imm(6, 1), asm.call_local("f"), asm.exit_()]),
            ("f", [asm.mov(0, 6), asm.exit_()]),
        ]
    )
    with pytest.raises(VmFault, match="never set"):
        Machine().run(program)


def test_recursion_ends_at_eight_frames() -> None:
    program = assemble([("main", [asm.call_local("main"), asm.exit_()])])
    with pytest.raises(VmFault, match="deeper than 8"):
        Machine().run(program)


def _sum_by_loop(count: int, stop_at: int = 1 << 30) -> list[tuple[str, list[Item]]]:
    """bpf_loop adds the indices into the caller's frame; result = sum << 32 | return value."""
    go_on = Label()
    return [
        (
            "main",
            [
                asm.st(o.DW, 10, -8, 0),
                asm.mov_imm(1, count),
                asm.ld_func(2, "body"),
                asm.mov(3, 10),
                asm.alu64_imm(o.ADD, 3, -8),
                asm.mov_imm(4, 0),
                asm.call("loop"),
                asm.ldx(o.DW, 1, 10, -8),
                asm.alu64_imm(o.LSH, 1, 32),
                asm.alu64(o.OR, 0, 1),
                asm.exit_(),
            ],
        ),
        (
            "body",
            [
                asm.ldx(o.DW, 3, 2, 0),
                asm.alu64(o.ADD, 3, 1),
                asm.stx(o.DW, 2, 0, 3),
                asm.mov_imm(0, 0),
                asm.jcond_imm(o.JNE, 1, stop_at, go_on),
                asm.mov_imm(0, 1),
                go_on,
                asm.exit_(),
            ],
        ),
    ]


def test_bpf_loop_calls_back() -> None:
    assert Machine().run(assemble(_sum_by_loop(100))) == sum(range(100)) << 32 | 100
    assert Machine().run(assemble(_sum_by_loop(0))) == 0


def test_bpf_loop_stops_when_the_callback_says_so() -> None:
    assert Machine().run(assemble(_sum_by_loop(100, stop_at=9))) == sum(range(10)) << 32 | 10


def test_bpf_loop_refuses_too_many_rounds() -> None:
    # -E2BIG in 32 bits: what the inlined loop of the kernel gives (seen on 6.18).
    assert Machine().run(assemble(_sum_by_loop(8 * 1024 * 1024 + 1))) == 2**32 - 7


def test_a_callback_must_be_a_function() -> None:
    items: list[Item] = [asm.mov_imm(1, 1), asm.mov_imm(2, 3), asm.mov_imm(3, 0), asm.mov_imm(4, 0)]
    with pytest.raises(VmFault, match="not a function as a callback"):
        Machine().run(assemble([("main", [*items, asm.call("loop"), asm.exit_()])]))


def _count_passes() -> list[Item]:
    """Count in r0 how often a may_goto lets the program pass."""
    top, end = Label("top"), Label("end")
    return [
        asm.mov_imm(0, 0),
        top,
        asm.may_goto(end),
        asm.alu64_imm(o.ADD, 0, 1),
        asm.jump(top),
        end,
        asm.exit_(),
    ]


def test_may_goto_passes_as_often_as_its_budget_in_each_function() -> None:
    machine = Machine(may_goto_budget=50)
    assert machine.run(assemble([("main", _count_passes())])) == 50
    two_calls: list[Item] = [
        asm.call_local("f"),
        asm.mov(6, 0),
        asm.call_local("f"),
        asm.alu64(o.ADD, 0, 6),
        asm.exit_(),
    ]
    assert machine.run(assemble([("main", two_calls), ("f", _count_passes())])) == 100


def test_a_run_ends_when_its_steps_are_used_up() -> None:
    top = Label()
    program = assemble([("main", [top, asm.jump(top)])])
    machine = Machine()
    with pytest.raises(VmFault, match="steps were used up"):
        machine.run(program, max_steps=1000)
    assert machine.executed == 1000


def test_callbacks_count_towards_the_same_steps() -> None:
    machine = Machine()
    machine.run(machine.load(assemble(_sum_by_loop(100))))
    # Eleven in the main function, six in each round (one of the seven is jumped over).
    assert machine.executed == 11 + 100 * 6
    with pytest.raises(VmFault, match="used up"):
        machine.run(assemble(_sum_by_loop(100)), max_steps=300)


def test_gotol_reaches_far() -> None:
    end = Label()
    filler: list[Item] = [asm.mov_imm(0, 1)] * 40000
    program = assemble([("main", [asm.mov_imm(0, 5), asm.jump(end), *filler, end, asm.exit_()])])
    assert program.long_jumps
    assert Machine().run(program) == 5


def test_a_far_conditional_jump_works_both_ways() -> None:
    end = Label()
    filler: list[Item] = [asm.mov_imm(0, 1)] * 40000
    for value, expected in ((3, 5), (4, 1)):
        items = [asm.mov_imm(0, 5), asm.mov_imm(2, value), asm.jcond_imm(o.JEQ, 2, 3, end), *filler, end]
        program = assemble([("main", [*items, asm.exit_()])])
        assert Machine().run(program) == expected


@pytest.mark.parametrize(
    ("code", "reason", "pc"),
    [
        ("b700000000000000", "past the end", 1),
        ("0500050000000000", "jump out of the program", 0),
        ("0500feff00000000", "jump out of the program", 0),
        ("05000100000000001800000001000000" + "00" * 8 + "9500000000000000", "middle of a 64-bit load", 2),
        ("9500000000000000", "without having set r0", 0),
        ("8500000000000000", "call 0 .unspec.", 0),
        ("8520000001000000", "unknown function", 0),
        ("1811000003000000" + "00" * 8, "without a relocation", 0),
        ("2000000000000000", "opcode 0x20", 0),
    ],
)
def test_broken_programs_fault_where_they_break(code: str, reason: str, pc: int) -> None:
    machine = Machine()
    with pytest.raises(VmFault, match=reason) as caught:
        machine.run(machine.load(bytes.fromhex(code)))
    assert caught.value.pc == pc


def test_the_machine_is_usable_after_a_fault() -> None:
    machine = Machine()
    recursive = assemble([("main", [asm.call_local("main"), asm.exit_()])])
    with pytest.raises(VmFault):
        machine.run(recursive)
    assert machine.run(assemble(_sum_by_loop(3))) == 3 << 32 | 3
