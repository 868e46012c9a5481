"""Variables of blocks that never run at once share memory; those that live at the same time do not."""

from fake_kernel import FakeKernel

from kernscope.compiler import compile_source
from kernscope.compiler.variable_places import variable_offsets
from kernscope.diagnostics import Source
from kernscope.sema import check
from kernscope.sema.model import Variable
from kernscope.syntax import parse


def offsets(text: str) -> tuple[dict[str, int], int]:
    """By `NAME` and the block's depth where the same name is another variable."""
    source = Source("p", text)
    checked = check(parse(source), FakeKernel())
    clause = checked.clauses[0]
    sizes: dict[Variable, int] = {}
    names: dict[Variable, str] = {}
    for node, variable in clause.variables.items():
        sizes.setdefault(variable, 100)
        names.setdefault(variable, f"{getattr(node, 'name', '?')}@{len(names)}")
    found, needed = variable_offsets(clause.block, clause.variables, sizes)
    return {names[variable]: offset for variable, offset in found.items()}, needed


def test_branches_share() -> None:
    found, needed = offsets('begin { if (pid) { $a = "x"; print($a) } else { $b = "y"; print($b) } }')
    assert list(found.values()) == [0, 0]
    assert needed == 104


def test_blocks_inside_lie_behind() -> None:
    found, needed = offsets(
        'begin { $a = "x"; if (pid) { $b = "y"; if (tid) { $c = "z"; print($c) } print($b) } print($a) }'
    )
    assert sorted(found.values()) == [0, 104, 208]
    assert needed == 312


def test_what_is_used_in_two_blocks_belongs_to_both() -> None:
    found, needed = offsets(
        'begin { let $a; if (pid) { $a = "x" } if (tid) { $b = "y"; print($b) } print($a) }'
    )
    assert sorted(found.values()) == [0, 104]
    assert needed == 208


def test_a_program_of_many_branches_fits() -> None:
    branch = "if (pid == {n}) {{ $s{n} = str(uptr(1), 1024); print($s{n}) }}"
    text = "begin { " + " ".join(branch.format(n=n) for n in range(100)) + " }"
    bundle = compile_source(Source("p", text), FakeKernel())
    assert bundle.programs
