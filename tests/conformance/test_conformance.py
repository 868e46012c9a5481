"""Every row of docs/compatibility.md is shown: what works prints what it should, what is missing says so."""

import shutil
from pathlib import Path

import pytest
from command_line import KERNSCOPE, needs_tracing
from program_cases import Case, read_folder, run

CASES = read_folder(Path(__file__).parent)


@needs_tracing
@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.page}-{case.name}") for case in CASES])
def test_row(case: Case) -> None:
    if "built" in case.fields and not shutil.which("gcc"):
        pytest.skip("needs gcc, to build the program that is traced")
    done = run([*KERNSCOPE, "run"], case)
    refused = done.code == 3 or "error[not-supported-here]" in done.err
    if (need := case.fields.get("needs")) and refused:
        pytest.skip(f"this kernel has no {need}")
    assert done.code == case.exit, done.err
    assert case.matches(done.out), f"printed:\n{done.out}{done.err}"
    for text in case.errors:
        assert text in done.err


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.page}-{case.name}") for case in CASES])
def test_row_is_complete(case: Case) -> None:
    """Nothing is claimed that nothing shows."""
    assert case.section, "stands under no heading"
    assert case.expected or case.errors or "exit" in case.fields, "shows nothing"
    if case.status == "missing":
        assert case.errors and case.exit, "the diagnostic belongs to it"
    if case.status != "works":
        assert case.remark


def test_names_are_unique() -> None:
    names = [(case.page, case.section, case.name) for case in CASES]
    assert len(names) == len(set(names))
