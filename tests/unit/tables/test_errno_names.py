"""Error names against the C library's."""

import errno

import pytest

from kernscope.tables.errno_names import ERRNO_NAMES, errno_name, errno_number

# The C library knows these numbers under two names and lists the other one.
ALIASES = {35: "EDEADLOCK", 95: "ENOTSUP"}


def test_all_names_are_those_of_the_c_library() -> None:
    for number, name in errno.errorcode.items():
        assert ERRNO_NAMES[number] == name or ALIASES.get(number) == name
    # EHWPOISON (133) is missing in Python.
    assert set(errno.errorcode) | {133} == {n for n in ERRNO_NAMES if n < 512}


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (133, "EHWPOISON"),
        (512, "ERESTARTSYS"),
        (516, "ERESTART_RESTARTBLOCK"),
        (524, "ENOTSUPP"),
        (530, "ERECALLCONFLICT"),
    ],
)
def test_kernel_internal_errors_have_names(number: int, name: str) -> None:
    assert errno_name(number) == name
    assert errno_number(name) == number


def test_unknown_numbers_stay_numbers() -> None:
    assert errno_name(4000) == "4000"
    with pytest.raises(KeyError):
        errno_number("EWHATEVER")
