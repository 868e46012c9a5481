"""Names of C++ and Rust as their authors wrote them. Expected values: those of c++filt."""

import pytest

from kernscope.symbols.demangle import can_demangle_cpp, demangle, plain_forms

RUST = {
    "_ZN4core3fmt5write17h0123456789abcdefE": "core::fmt::write",
    "_ZN33_$LT$r..Sq$u20$as$u20$r..Area$GT$4area17h0123456789abcdefE": "<r::Sq as r::Area>::area",
    "_RNvCs6GmmlP4bgsG_1r5plain": "r::plain",
    "_RINvCs6GmmlP4bgsG_1r4showmEB2_": "r::show::<u32>",
    "_RINvCs6GmmlP4bgsG_1r4showReEB2_": "r::show::<&str>",
    "_RINvMNtCsgEmfK2I1SDS_4core5sliceSh11copy_withinINtNtNtB5_3ops5range14RangeInclusivejEEC1m": (
        "<[u8]>::copy_within::<core::ops::range::RangeInclusive<usize>>"
    ),
    "_RNCNvC1a4main0": "a::main::{closure#0}",
    "_RINvC1a1fFUKCjlEuE": 'a::f::<unsafe extern "C" fn(usize, i32)>',
    "_RINvC1a1fDNtC1b1TEL_E": "a::f::<dyn b::T>",
    "_RINvC1a1fTabEE": "a::f::<(i8, bool)>",
    "_RINvC1a1fAhj4_E": "a::f::<[u8; 4]>",
}


@pytest.mark.parametrize("name", RUST)
def test_rust(name: str) -> None:
    assert demangle(name) == RUST[name]


@pytest.mark.skipif(not can_demangle_cpp(), reason="no C++ run-time library here")
def test_cpp() -> None:
    assert demangle("_ZN2ns5Shape4areaEi") == "ns::Shape::area(int)"
    assert demangle("_ZN2ns5twiceIiEET_S1_") == "int ns::twice<int>(int)"


@pytest.mark.parametrize(
    "name",
    [
        *("main", "_start", "__libc_malloc", "_Z", "_ZN", "_R", "_RNv", "_RB_", "_RNvB_1a", ""),
        "_RI" * 300,
        "_RINvC1a1fKcffffffffffffffffffff_E",
    ],
)
def test_other_names_stay(name: str) -> None:
    assert demangle(name) == name


def test_a_name_that_doubles_itself_is_none() -> None:
    """Each tuple holds the one before it twice, by references to its place."""
    text = "INvC1a1f"
    places = []
    for _ in range(40):
        places.append(len(text))
        back = f"B{_base62(places[-2])}" * 2 if len(places) > 1 else "hh"
        text += f"T{back}E"
    assert demangle(f"_R{text}E") == f"_R{text}E"
    assert demangle(f"_R{text[: places[4]]}E").count("u8") == 2 + 4 + 8 + 16


def _base62(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    if number == 0:
        return "_"
    number, text = number - 1, ""
    while True:
        number, digit = divmod(number, 62)
        text = digits[digit] + text
        if not number:
            return text + "_"


def test_forms_to_name_a_function_by() -> None:
    assert plain_forms("int ns::twice<int>(int)") == [
        "int ns::twice<int>(int)",
        "int ns::twice<int>",
        "ns::twice",
    ]
    assert plain_forms("ns::K::go(std::string)") == ["ns::K::go(std::string)", "ns::K::go"]
    assert plain_forms("(anonymous namespace)::f(int)") == [
        "(anonymous namespace)::f(int)",
        "(anonymous namespace)::f",
    ]
    assert plain_forms("r::show::<u32>") == ["r::show::<u32>", "r::show"]
    assert "ns::V::push" in plain_forms("void ns::V<int, std::allocator<int> >::push(int&&)")
    assert "operator<<" in plain_forms("operator<<(std::ostream&, int)")
    assert "ns::K::operator()" in plain_forms("ns::K::operator()(int) const")
