"""The benchmark's arithmetic: medians, ratios and verdicts."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[3] / "bench"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


result = load("result")


def row(ours: list[float], other: list[float], *budgets: object) -> object:
    made = result.Row("name", "title", "ns", *budgets)
    made.add("kernscope", ours)
    made.add("bpftrace", other)
    return made


@pytest.mark.parametrize(("ours", "kept"), [([40.0], True), ([41.0], False), ([1.0, 40.0, 900.0], True)])
def test_a_ratio_is_judged_by_the_medians(ours: list[float], kept: bool) -> None:
    verdicts = row(ours, [100.0], result.Budget("bpftrace", 0.4)).verdicts()
    assert [verdict for _, verdict in verdicts] == [kept]


def test_a_ratio_that_cannot_be_judged_is_left_out() -> None:
    assert row([1.0], [1.0], result.Budget("C", 1.1)).verdicts() == []
    assert row([], [1.0], result.Budget("bpftrace", 1.0)).verdicts() == []


@pytest.mark.parametrize(("ours", "kept"), [(75.0, True), (75.1, False)])
def test_an_allowance_on_top_of_a_baseline(ours: float, kept: bool) -> None:
    [(text, verdict)] = row([ours], [15.0], result.Budget("bpftrace", 1.0, plus=60.0)).verdicts()
    assert verdict is kept
    assert "bpftrace + 60.0 ns" in text or "bpftrace + 60.1 ns" in text


@pytest.mark.parametrize(("ours", "kept"), [(100.0, True), (99.9, False)])
def test_a_share_has_to_be_at_least_the_limit(ours: float, kept: bool) -> None:
    [(_, verdict)] = row([ours], [48.0], result.Budget("", 1, plus=100.0, at_least=True)).verdicts()
    assert verdict is kept


def test_the_table_has_a_cell_per_tool() -> None:
    table = result.markdown([row([2.0, 1.0, 3.0], [8.0], result.Budget("bpftrace", 0.3))])
    assert table.splitlines()[2] == (
        "| title | 2.00 ns (1.00–3.00, n=3) | 8.00 ns | – | – | 0.25 × bpftrace, budget 0.3: kept |"
    )
