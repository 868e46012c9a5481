"""Names of C++ and Rust functions in few columns: what tells a function stays longest."""

import time

import pytest

from kernscope.output.function_names import shorten_function
from kernscope.output.quantities import display_width

PUSH = "std::vector<int, std::allocator<int> >::push_back(int const&)"
SORT = (
    "void std::__sort<int*, __ops::_Iter_comp_iter<main::{lambda(int, int)#2}> >(int*, int*, __ops::_Iter<x>)"
)
HIDDEN = "ns::(anonymous namespace)::hidden(int, long) const"
SHIFT = "std::ostream& operator<< <std::char_traits<char> >(std::ostream&, char)"
RUST = "<alloc::vec::Vec<T> as core::iter::traits::collect::FromIterator<T>>::from_iter"


@pytest.mark.parametrize(
    ("name", "columns", "expected"),
    [
        (PUSH, 61, PUSH),
        (PUSH, 60, "std::vector<int, std::allocator<int> >::push_back(…)"),
        (PUSH, 40, "std::vector<…>::push_back(…)"),
        (PUSH, 26, "std::vector<…>::push_back"),
        (PUSH, 24, "…::vector<…>::push_back"),
        (PUSH, 14, "…::push_back"),
        (PUSH, 9, "push_back"),
        (PUSH, 6, "push_…"),
        (SORT, 60, "void std::__sort<…>(…)"),
        (SORT, 18, "std::__sort<…>(…)"),
        (SORT, 15, "std::__sort<…>"),
        (HIDDEN, 45, "ns::(anonymous namespace)::hidden(…) const"),
        (HIDDEN, 38, "ns::(anonymous namespace)::hidden(…)"),
        (HIDDEN, 12, "…::hidden"),
        ("main::{lambda(int)#1}::operator()(int) const", 40, "main::{lambda(int)#1}::operator()(…)"),
        (SHIFT, 40, "std::ostream& operator<< <…>(…)"),
        (SHIFT, 20, "operator<< <…>(…)"),
        ("Foo<int, long>::operator->() const", 20, "Foo<…>::operator->()"),
        ("Foo<int, long>::operator std::string() const", 30, "Foo<…>::operator std::string()"),
        ("operator new(unsigned long)", 18, "operator new(…)"),
        (RUST, 40, "<…>::from_iter"),
        ("core::ptr::drop_in_place<alloc::string::String>", 30, "core::ptr::drop_in_place<…>"),
        ("a_function_of_c_with_a_long_name", 20, "a_function_of_c_wit…"),
        ("read", 20, "read"),
        ("名前::関数<とても長い>::ずっと(引数)", 28, "名前::関数<…>::ずっと(…)"),
        (PUSH, 1, "…"),
        (PUSH, 0, ""),
        ("", 5, ""),
    ],
)  # fmt: skip
def test_shortened(name: str, columns: int, expected: str) -> None:
    assert shorten_function(name, columns) == expected


def test_any_text_fits_and_ends_soon() -> None:
    started = time.process_time()
    hostile = ["<" * 50_000, "a<b>::" * 20_000, "(" * 9_000 + ")" * 9_000, "operator" * 3_000, "::" * 9_000]
    hostile += ["> -> <- ) (", "operator<", "a operator ", "<", "x::"]
    for name in hostile:
        for columns in (1, 7, 30, 200):
            assert display_width(shorten_function(name, columns)) <= columns
    assert time.process_time() - started < 20
