"""Aggregations: the code in the kernel (run as SSA) against plain models, and the user-space half."""

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernscope.catalog.aggregations import AGGREGATIONS, Aggregation
from kernscope.output.histogram import Histogram, Stats
from kernscope.ssa import Builder, Function, Module
from kernscope.ssa.interpret import Run, interpret
from kernscope.types import Aggregate

CELL = 0x1000
MASK = (1 << 64) - 1
INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
INTERESTING = [0, 1, -1, 2, 3, 4, 7, 8, 15, 16, 255, 256, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 62) - 1]
INTERESTING += [1 << 62, (1 << 63) - 1, -(1 << 63), -2, 1023, 1024, 1025]


def no_calls(kind: int, which: object, arguments: list[int]) -> int:
    raise AssertionError("aggregations call nothing")


def build(emit: Callable[[Builder], Any], parameters: int) -> Function:
    function = Module("test").new_function("main", params=parameters)
    b = Builder(function)
    result = emit(b)
    b.ret(result if result is not None else 0)
    b.finish()
    return function


def updater(aggregation: Aggregation, agg: Aggregate, shared: bool) -> Function:
    def emit(b: Builder) -> None:
        value = b.param(1) if aggregation.value_args else None
        aggregation.update(b, agg, b.param(0, pointer=True), value, shared)

    return build(emit, 2)


def cell_after(function: Function, agg: Aggregate, values: list[int]) -> bytes:
    run = Run(no_calls)
    for value in values:
        interpret(function, [CELL, value], run)
    assert all(CELL <= address < CELL + agg.size for address in run.memory), "wrote outside its cell"
    return bytes(run.memory.get(CELL + i, 0) for i in range(agg.size))


def merged(name: str, params: tuple[int, ...], per_cpu: list[list[int]], signed: bool = True) -> Any:
    aggregation = AGGREGATIONS[name]
    agg = aggregation.type(params, signed)
    results = []
    for shared in (False, True):
        function = updater(aggregation, agg, shared)
        results.append(aggregation.merge(agg, [cell_after(function, agg, values) for values in per_cpu]))
    assert results[0] == results[1]
    return results[0]


def as_c(value: int, signed: bool) -> int:
    value &= MASK
    return value - (1 << 64) if signed and value >> 63 else value


def c_divide(a: int, b: int) -> int:
    quotient = abs(a) // b
    return -quotient if a < 0 else quotient


@given(st.lists(st.lists(INT64, max_size=4), min_size=1, max_size=3), st.booleans())
def test_numbers(per_cpu: list[list[int]], signed: bool) -> None:
    values = [as_c(v, signed) for cpu in per_cpu for v in cpu]
    total, n = as_c(sum(values), signed), len(values)
    average = c_divide(total, n) if n else None
    assert merged("count", (), per_cpu) == (n or None)
    assert merged("sum", (), per_cpu, signed) == (total if n else None)
    assert merged("avg", (), per_cpu, signed) == average
    assert merged("stats", (), per_cpu, signed) == (Stats(n, average, total) if average is not None else None)
    assert merged("min", (), per_cpu, signed) == min(values, default=None)
    assert merged("max", (), per_cpu, signed) == max(values, default=None)


@given(st.lists(st.lists(INT64, max_size=3), min_size=1, max_size=3), st.booleans())
def test_kernel_side_reading(per_cpu: list[list[int]], signed: bool) -> None:
    for name in ("count", "sum", "avg", "min", "max"):
        aggregation = AGGREGATIONS[name]
        assert aggregation.scalar
        agg = aggregation.type((), signed)
        update = updater(aggregation, agg, False)
        cells = [cell_after(update, agg, values) for values in per_cpu]

        def emit(
            b: Builder, aggregation: Aggregation = aggregation, agg: Aggregate = agg, n: int = len(cells)
        ) -> Any:
            acc = aggregation.fold_start(b, agg)
            for cpu in range(n):
                acc = aggregation.fold_step(b, agg, acc, b.ptr_add(b.param(0, pointer=True), cpu * agg.size))
            return aggregation.fold_end(b, agg, acc)

        memory = {CELL + i: byte for i, byte in enumerate(b"".join(cells))}
        result = interpret(build(emit, 1), [CELL], Run(no_calls, memory))
        expected = aggregation.merge(agg, cells)
        assert as_c(result, signed) == (0 if expected is None else expected)


def expected_log_bucket(value: int, bits: int) -> tuple[int | None, int | None]:
    """From the definition: single values below 2**(bits + 1), then 2**bits buckets per power of two."""
    if value < 0:
        return None, 0
    if value < 2 << bits:
        return value, value + 1
    width = 1 << (value.bit_length() - 1 - bits)
    return value - value % width, value - value % width + width


@pytest.mark.parametrize("bits", range(6))
def test_log_buckets(bits: int) -> None:
    aggregation = AGGREGATIONS["hist"]
    agg = aggregation.type((bits,), True)
    function = updater(aggregation, agg, False)
    source = random.Random(bits)
    values = INTERESTING + [source.getrandbits(source.randrange(1, 64)) for _ in range(60)]
    for value in values:
        result = aggregation.merge(agg, [cell_after(function, agg, [value])])
        assert isinstance(result, Histogram)
        (bucket,) = result.buckets
        assert (bucket.low, bucket.high) == expected_log_bucket(value, bits), value
        assert bucket.count == 1


@pytest.mark.parametrize("bits", range(6))
def test_log_buckets_have_no_gaps(bits: int) -> None:
    aggregation: Any = AGGREGATIONS["hist"]
    agg = aggregation.type((bits,), True)
    edges = [aggregation.bucket(agg, index)[:2] for index in range(agg.size // 8)]
    assert edges[0] == (None, 0)
    assert all(left[1] == right[0] for left, right in pairwise(edges))
    assert edges[-1][0] >= 1 << 63


@pytest.mark.parametrize("signed", [True, False])
def test_linear_buckets(signed: bool) -> None:
    low, high, step = 10, 100, 30
    aggregation = AGGREGATIONS["lhist"]
    agg = aggregation.type((low, high, step), signed)
    function = updater(aggregation, agg, True)
    for value in [*range(140), *INTERESTING]:
        (bucket,) = aggregation.merge(agg, [cell_after(function, agg, [value])]).buckets  # type: ignore[union-attr]
        number = as_c(value, signed)
        if number < low:
            assert (bucket.low, bucket.high) == (None, low)
        elif number >= 100:
            assert (bucket.low, bucket.high) == (100, None)
        else:
            assert bucket.low <= number < bucket.high and bucket.high - bucket.low == step


def hist_text(name: str, params: tuple[int, ...], values: list[int]) -> str:
    aggregation = AGGREGATIONS[name]
    agg = aggregation.type(params, True)
    value = aggregation.merge(agg, [cell_after(updater(aggregation, agg, False), agg, values)])
    return aggregation.text(agg, value)


def bars(*lines: tuple[str, int, int]) -> str:
    return "".join(f"{label:<16}{count:>8} |{'@' * n}{' ' * (52 - n)}|\n" for label, count, n in lines)


def test_log_histogram_text() -> None:
    assert hist_text("hist", (0,), [5]) == (
        "[4, 8)                 1 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|\n"
    )
    assert hist_text("hist", (0,), [-100000, 5, 5, 5, 70]) == bars(
        ("(..., 0)", 1, 17),
        ("[0]", 0, 0),
        ("[1]", 0, 0),
        ("[2, 4)", 0, 0),
        ("[4, 8)", 3, 52),
        ("[8, 16)", 0, 0),
        ("[16, 32)", 0, 0),
        ("[32, 64)", 0, 0),
        ("[64, 128)", 1, 17),
    )
    assert hist_text("hist", (0,), [1023, 1024, 1025, 2047]) == bars(
        ("[512, 1K)", 1, 17), ("[1K, 2K)", 3, 52)
    )
    assert hist_text("hist", (0,), [1 << 20]) == bars(("[1M, 2M)", 1, 52))
    assert hist_text("hist", (0,), [(1 << 63) - 1]) == bars(("[4E, 8E)", 1, 52))


@pytest.mark.parametrize(
    ("bits", "value", "label"),
    [
        (3, 100, "[96, 104)"),
        (3, 1000, "[960, 1024)"),
        (3, 1024, "[1024, 1152)"),
        (3, 8000, "[7680, 8K)"),
        (3, 8192, "[8K, 9K)"),
        (3, 1000000, "[960K, 1024K)"),
        (3, 1100000, "[1024K, 1152K)"),
        (3, 1 << 40, "[1024G, 1152G)"),
        (2, 68, "[64, 80)"),
        (1, 5, "[4, 6)"),
        (5, 33, "[33]"),
        (5, 1000, "[992, 1008)"),
    ],
)
def test_labels_of_finer_histograms(bits: int, value: int, label: str) -> None:
    assert hist_text("hist", (bits,), [value]).startswith(f"{label:<16}       1 |@")


def test_linear_histogram_text() -> None:
    assert hist_text("lhist", (0, 100, 10), [-1, 0, 9, 10, 99, 100, 1000]) == bars(
        ("(..., 0)", 1, 26),
        ("[0, 10)", 2, 52),
        ("[10, 20)", 1, 26),
        *[(f"[{n}, {n + 10})", 0, 0) for n in range(20, 90, 10)],
        ("[90, 100)", 1, 26),
        ("[100, ...)", 2, 52),
    )
    assert hist_text("lhist", (0, 100, 30), [35, 95, 99, 100, 119]) == bars(
        ("[30, 60)", 1, 13), ("[60, 90)", 0, 0), ("[90, ...)", 4, 52)
    )
    assert hist_text("lhist", (0, 10240, 1024), [1500, 20000]).splitlines()[0].startswith("[1K, 2K)  ")
    assert "[10K, ...)" in hist_text("lhist", (0, 10240, 1024), [20000])
    assert hist_text("lhist", (0, 10, 1), [5]) == bars(("[5]", 1, 52))


def test_errors_in_arguments() -> None:
    hist, lhist = AGGREGATIONS["hist"], AGGREGATIONS["lhist"]
    assert hist.complete(()) == (0,) and hist.check((5,)) is None and "0 to 5" in (hist.check((6,)) or "")
    assert lhist.check((0, 100, 10)) is None
    assert "less than" in (lhist.check((10, 0, 1)) or "")
    assert "at least 1" in (lhist.check((0, 10, 0)) or "")
    assert "1000" in (lhist.check((0, 100000, 1)) or "")
    assert "negative" in (lhist.check((-10, 10, 1)) or "")
    assert hist.arguments_error(1) is None and hist.arguments_error(2) is None
    assert "1 to 2" in (hist.arguments_error(3) or "") and "4 arguments" in (lhist.arguments_error(3) or "")
    assert "no arguments" in (AGGREGATIONS["count"].arguments_error(1) or "")


def test_subtracting_a_baseline() -> None:
    aggregation = AGGREGATIONS["stats"]
    agg = aggregation.type((), True)
    function = updater(aggregation, agg, False)
    before, after = cell_after(function, agg, [5, -9]), cell_after(function, agg, [5, -9, 100])
    assert aggregation.merge(agg, [aggregation.subtract(agg, after, before)]) == Stats(1, 100, 100)
    assert aggregation.merge(agg, [aggregation.subtract(agg, before, before)]) is None
