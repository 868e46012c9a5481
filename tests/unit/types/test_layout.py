"""Where the parts of stored values and of records lie."""

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernscope.bundle import INLINE_STRING_BYTES, RecordLayout, in_tail
from kernscope.types import (
    BOOL,
    UINT64,
    Aggregate,
    Buffer,
    Integer,
    String,
    Symbolic,
    Tuple,
    Type,
    stored_leaves,
)

_C_TYPES = {
    (8, True): ctypes.c_int8,
    (16, True): ctypes.c_int16,
    (32, True): ctypes.c_int32,
    (64, True): ctypes.c_int64,
    (8, False): ctypes.c_uint8,
    (16, False): ctypes.c_uint16,
    (32, False): ctypes.c_uint32,
    (64, False): ctypes.c_uint64,
}

integers = st.builds(Integer, st.sampled_from((8, 16, 32, 64)), st.booleans())
leaves = (
    integers
    | st.just(BOOL)
    | st.builds(String, st.integers(1, 200))
    | st.builds(Buffer, st.integers(0, 100))
    | st.just(Symbolic("strftime", 2))
)
values = st.recursive(
    leaves, lambda inner: st.builds(Tuple, st.lists(inner, min_size=1, max_size=4).map(tuple))
)


@given(st.lists(integers, min_size=1, max_size=8))
def test_tuples_of_numbers_are_laid_out_as_c_does(elements: list[Integer]) -> None:
    fields = [(f"f{i}", _C_TYPES[element.bits, element.signed]) for i, element in enumerate(elements)]
    c_struct = type("CStruct", (ctypes.Structure,), {"_fields_": fields})
    layout = Tuple(tuple(elements))
    assert layout.size == ctypes.sizeof(c_struct)
    assert list(layout.offsets) == [getattr(c_struct, name).offset for name, _ in fields]


@given(values)
def test_the_leaves_of_a_stored_value_do_not_overlap(t: Type) -> None:
    end = 0
    for offset, leaf in stored_leaves(t):
        assert offset >= end and offset % leaf.align == 0
        end = offset + leaf.size
    assert end <= t.size


@given(st.lists(values, min_size=1, max_size=5))
def test_a_record_has_every_leaf_in_order_and_aligned(types: list[Type]) -> None:
    layout = RecordLayout(tuple(types))
    wanted = [leaf for t in types for _, leaf in stored_leaves(t)]
    assert [leaf for _, leaf in layout.leaves] == wanted
    end = 0
    for offset, leaf in layout.leaves:
        size = 4 if in_tail(leaf) else leaf.size
        assert offset >= end
        assert offset % (8 if isinstance(leaf, Symbolic) else 4 if in_tail(leaf) else leaf.align) == 0
        end = offset + size
    assert layout.size % 8 == 0 and end <= layout.size < end + 8


def test_short_strings_travel_inline() -> None:
    assert not in_tail(String(INLINE_STRING_BYTES)) and in_tail(String(INLINE_STRING_BYTES + 1))
    assert in_tail(Buffer(1))


def test_aggregations_do_not_travel() -> None:
    with pytest.raises(TypeError):
        RecordLayout((Aggregate("count", 8),))


def test_types_are_compared_by_content() -> None:
    assert Tuple((UINT64, String(4))) == Tuple((Integer(64, False), String(4)))
    assert Tuple((UINT64,)) != Tuple((Integer(64, True),))
    assert len({String(4), String(4), String(5), Buffer(4)}) == 3
