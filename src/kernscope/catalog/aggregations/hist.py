"""hist(n, bits) and lhist(n, min, max, step): how values are distributed.

A logarithmic histogram divides each power of two into 2**bits buckets. With w = n >> bits and
k = floor(log2(w)) (0 for w < 2), a value n >= 0 is in bucket

    index(n) = (k << bits) + (n >> k)

which is n itself below 2**(bits + 1) and goes on without a gap from there. Negative values, and unsigned
ones from 2**63 on (as in bpftrace), share the bucket before the first.
"""

from __future__ import annotations

from kernscope.catalog.aggregations.base import Aggregation, Cell, add_to_word, divide, words
from kernscope.output.histogram import Bucket, Histogram, histogram_json, histogram_lines, scaled
from kernscope.types import Aggregate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from kernscope.ssa import Builder, Value

__all__ = ["LinearHistogram", "LogHistogram"]

MAX_BITS = 5
MAX_LINEAR_BUCKETS = 1000

# floor(log2(n)) of n = 0 … 15 (0 for n = 0) in two bits each, n = 0 lowest.
_LOG2_OF_NIBBLE = 0xFFFFAA50


class _Buckets(Aggregation):
    """Cell: one counter per bucket. Subclasses say which bucket a value is in and what the buckets are."""

    block = True
    json_type = "hist"

    def bucket(self, agg: Aggregate, index: int) -> tuple[int | None, int | None, str]:
        """Lower end (inclusive), upper end (exclusive) and label of a bucket."""
        raise NotImplementedError

    def merge(self, agg: Aggregate, cells: Iterable[Cell]) -> Histogram | None:
        counts = [sum(column) for column in zip(*map(words, cells))]
        used = [index for index, count in enumerate(counts) if count]
        if not used:
            return None
        return Histogram(
            [Bucket(*self.bucket(agg, index), counts[index]) for index in range(used[0], used[-1] + 1)]
        )

    def empty(self, agg: Aggregate) -> Histogram:
        return Histogram([])

    def divided(self, agg: Aggregate, value: object, div: int) -> Histogram:
        assert isinstance(value, Histogram)
        return Histogram([Bucket(b.low, b.high, b.label, divide(b.count, div)) for b in value.buckets])

    def text(self, agg: Aggregate, value: object) -> str:
        assert isinstance(value, Histogram)
        return histogram_lines(value)

    def json(self, agg: Aggregate, value: object) -> object:
        assert isinstance(value, Histogram)
        return histogram_json(value)

    def sort_key(self, value: object) -> int:
        return value.total if isinstance(value, Histogram) else 0


class LogHistogram(_Buckets):
    """Buckets that grow with the value."""

    name = "hist"
    doc = "A histogram with 2**bits buckets per power of two."
    signature = "hist(int n[, int bits = 0])"
    const_params = (0,)

    def check(self, params: tuple[int, ...]) -> str | None:
        if not 0 <= params[0] <= MAX_BITS:
            return f"`bits` of `hist()` must be 0 to {MAX_BITS}, not {params[0]}"
        return None

    def cell_size(self, params: tuple[int, ...]) -> int:
        # What the verifier can prove about `update` bounds k by 63 and n >> k by 2**(bits + 1) - 1.
        return 8 * ((65 << params[0]) + 1)

    def update(self, b: Builder, agg: Aggregate, cell: Value, value: Value | None, shared: bool) -> None:
        """Without branches: a verifier that follows both ways of each step would see 2**6 paths.

        The parts of k have no bits in common. They are added, for the verifier of Linux 6.1 knows the bounds of
        a sum of unknown numbers but not of an OR (`adjust_scalar_min_max_vals` of kernel/bpf/verifier.c).
        """
        assert value is not None
        bits = agg.params[0]
        rest = b.lshr(value, bits)
        k = b.const(0)
        for step in (32, 16, 8, 4):
            # The sign bit of limit - rest is set exactly if rest needs more than `step` bits (rest < 2**63).
            over = b.lshr(b.sub((1 << step) - 1, rest), 63)
            shift = b.shl(over, step.bit_length() - 1)
            k = b.add(k, shift)
            rest = b.lshr(rest, shift)
        # Four bits are left.
        k = b.add(k, b.and_(b.lshr(_LOG2_OF_NIBBLE, b.shl(rest, 1)), 3))
        within = b.and_(b.lshr(value, k), (2 << bits) - 1)
        index = b.add(b.add(b.shl(k, bits), within), 1)
        not_negative = b.not_(b.ashr(value, 63))
        offset = b.shl(b.and_(index, not_negative), 3)
        add_to_word(b, b.ptr_add(cell, offset), 0, 1, shared)

    def bucket(self, agg: Aggregate, index: int) -> tuple[int | None, int | None, str]:
        bits = agg.params[0]
        if index == 0:
            return None, 0, "(..., 0)"
        low, width = _log_bucket(index - 1, bits)
        if width == 1:
            return low, low + 1, f"[{scaled_log(low, bits)}]"
        return low, low + width, f"[{scaled_log(low, bits)}, {scaled_log(low + width, bits)})"


def _log_bucket(index: int, bits: int) -> tuple[int, int]:
    """Lower end and width of the bucket `index` of values >= 0."""
    if index < 2 << bits:
        return index, 1
    k = (index >> bits) - 1
    return ((1 << bits) | (index & ((1 << bits) - 1))) << k, 1 << k


def scaled_log(value: int, bits: int) -> str:
    """An end of a bucket with the greatest unit (1024**n) in which its whole power of two is exact."""
    unit = max(0, value.bit_length() - 1 - bits) // 10
    return f"{value >> (10 * unit)}{' KMGTPE'[unit] if unit else ''}"


class LinearHistogram(_Buckets):
    """Buckets of one width, and one for what lies before and after them."""

    name = "lhist"
    doc = "A histogram of buckets `step` wide from `min` to `max`."
    signature = "lhist(int n, const int min, const int max, const int step)"
    const_params = (None, None, None)

    def check(self, params: tuple[int, ...]) -> str | None:
        low, high, step = params
        if step <= 0:
            return f"`step` of `lhist()` must be at least 1, not {step}"
        if low >= high:
            return f"`min` of `lhist()` must be less than `max` ({low} and {high} given)"
        if low < 0:
            return f"`min` of `lhist()` must not be negative ({low} given)"
        if (high - low) // step > MAX_LINEAR_BUCKETS:
            return (
                f"`lhist()` has at most {MAX_LINEAR_BUCKETS} buckets, these would be {(high - low) // step}"
            )
        return None

    def cell_size(self, params: tuple[int, ...]) -> int:
        low, high, step = params
        return 8 * ((high - low) // step + 2)

    def update(self, b: Builder, agg: Aggregate, cell: Value, value: Value | None, shared: bool) -> None:
        from kernscope.ssa import Cond

        assert value is not None
        low, high, step = agg.params
        last = (high - low) // step
        key = object()
        inside, done = b.block("inside"), b.block("bucket")
        b.write_var(key, b.const(0))
        b.branch_cmp(Cond.SLT if agg.signed else Cond.ULT, value, low, done, inside)
        b.seal(inside)
        b.position(inside)
        # At least `low`, so the difference is not negative, and unsigned division is right for both signs.
        # Bounded before the 1 is added, which the greatest unsigned value has no room for, and in the value
        # itself: the verifier would not know that another one is one more.
        index = b.udiv(b.sub(value, low), step)
        bounded = b.select(b.cmp(Cond.UGT, index, last), last, index)
        b.write_var(key, b.add(bounded, 1))
        b.jump(done)
        b.seal(done)
        b.position(done)
        add_to_word(b, b.ptr_add(cell, b.shl(b.read_var(key), 3)), 0, 1, shared)

    def bucket(self, agg: Aggregate, index: int) -> tuple[int | None, int | None, str]:
        low, high, step = agg.params
        start = low + (index - 1) * step
        if index == 0:
            return None, low, f"(..., {scaled(low)})"
        if index == (high - low) // step + 1:
            return start, None, f"[{scaled(start)}, ...)"
        if step == 1:
            return start, start + 1, f"[{scaled(start)}]"
        return start, start + step, f"[{scaled(start)}, {scaled(start + step)})"
