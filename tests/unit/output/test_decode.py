"""Records and stored values: what is encoded as kernscope.bundle describes comes back as it was."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from records import encode_record, encode_stored

from kernscope.bundle import INLINE_STRING_BYTES
from kernscope.output.decode import record_decoder, stored_decoder
from kernscope.output.symbolic import SymbolFacts, strftime
from kernscope.types import BOOL, INT64, Buffer, Integer, Pointer, String, Symbolic, Tuple, Type

integers = st.builds(Integer, st.sampled_from([8, 16, 32, 64]), st.booleans())
strings = st.builds(String, st.sampled_from([1, 7, 16, INLINE_STRING_BYTES, INLINE_STRING_BYTES + 1, 200]))
buffers = st.builds(Buffer, st.sampled_from([1, 5, 64]))
leaves = st.one_of(integers, strings, buffers, st.just(BOOL), st.just(Pointer(INT64)))
types = st.recursive(
    leaves, lambda inner: st.builds(Tuple, st.lists(inner, min_size=1, max_size=4).map(tuple)), max_leaves=6
)


def values_of(t: Type) -> st.SearchStrategy[Any]:
    if isinstance(t, Tuple):
        return st.tuples(*map(values_of, t.elements))
    if isinstance(t, Integer):
        low, high = (-(1 << (t.bits - 1)), (1 << (t.bits - 1)) - 1) if t.signed else (0, (1 << t.bits) - 1)
        return st.integers(low, high)
    if isinstance(t, String):
        return st.binary(max_size=t.size - 1).map(lambda b: b.replace(b"\0", b"\xff"))
    if isinstance(t, Buffer):
        return st.binary(max_size=t.capacity)
    return st.booleans() if t == BOOL else st.integers(0, (1 << 64) - 1)


def expected(t: Type, v: Any) -> Any:
    if isinstance(t, Tuple):
        return tuple(expected(e, p) for e, p in zip(t.elements, v, strict=True))
    return v.decode("utf-8", "surrogateescape") if isinstance(t, String) else v


@given(st.data())
def test_records_come_back(data: st.DataObject) -> None:
    kinds = tuple(data.draw(st.lists(types, max_size=4)))
    values = tuple(data.draw(values_of(t)) for t in kinds)
    wanted = tuple(expected(t, v) for t, v in zip(kinds, values, strict=True))
    assert record_decoder(kinds)(encode_record(3, kinds, values)) == wanted
    assert record_decoder(kinds, header_bytes=16)(encode_record(3, kinds, values, 1 << 40)) == wanted


@given(st.data())
def test_stored_values_come_back(data: st.DataObject) -> None:
    kind = data.draw(types)
    value = data.draw(values_of(kind))
    raw = encode_stored(kind, value)
    assert len(raw) == kind.size
    assert stored_decoder(kind)(raw) == expected(kind, value)


def test_a_string_ends_at_its_first_zero_whatever_follows() -> None:
    assert stored_decoder(String(8))(b"ab\0cd\0\0\0") == "ab"
    assert stored_decoder(String(4))(b"abcd") == "abcd"


def test_symbolic_values() -> None:
    facts = SymbolFacts(
        probes=["begin", "tracepoint:a:b"],
        strings=["%Y", "%S.%f"],
        user_name=lambda uid: {0: "root", 4294967295: "nobody"}.get(uid, str(uid)),
        boot_offset_ns=lambda: 1_700_000_000_000_000_000,
    )
    kind = Tuple((Symbolic("probe"), Symbolic("username"), Symbolic("strftime", 2)))
    raw = encode_stored(kind, ((1,), (0,), (20_000_000, 0)))
    assert stored_decoder(kind, facts)(raw) == ("tracepoint:a:b", "root", "2023")
    record = encode_record(0, (Symbolic("strftime", 2),), ((123_456_789, 1),))
    assert record_decoder((Symbolic("strftime", 2),), facts)(record) == ("20.123456",)
    assert stored_decoder(Symbolic("probe"), facts)(encode_stored(Symbolic("probe"), (9,))) == "<probe 9>"


def test_strftime_microseconds_and_percent_signs() -> None:
    assert strftime("%%f %f", 1_234_567_000) == "%f 234567"
