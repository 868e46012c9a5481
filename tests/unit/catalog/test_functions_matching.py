"""`strequals`, `strstarts`, `strends` against Python's own comparisons."""

import random

import pytest
from vm_output import errors_of, output_of

from kernscope.syntax.literals import encode_string

_TESTS = {
    "strequals": lambda text, wanted: text in wanted,
    "strstarts": lambda text, wanted: text.startswith(tuple(wanted)),
    "strends": lambda text, wanted: text.endswith(tuple(wanted)),
    "strcontains": lambda text, wanted: any(w in text for w in wanted),
}


def answer_of(function: str, text: str, constants: str, size: int) -> list[str]:
    """The string comes out of memory, so that the compiler does not know it."""
    program = f"""config = {{ max_strlen = {size} }}
begin {{
  @t[2] = {encode_string("x" * (size - 1))}; @t[1] = {encode_string(text)}; $t = @t[1]; clear(@t);
  print({function}($t, {constants})); exit();
}}"""
    return output_of(program).split()


def asked(function: str, text: str, wanted: list[str], size: int) -> bool:
    (answer,) = answer_of(function, text, ", ".join(map(encode_string, wanted)), size)
    return answer in ("true", "1")


@pytest.mark.parametrize("function", sorted(_TESTS))
@pytest.mark.parametrize("seed", range(12))
def test_as_python_does(function: str, seed: int) -> None:
    """Short alphabets, so that much is alike; lengths around those of words."""
    rng = random.Random(f"{function} {seed}")
    size = rng.choice([16, 24, 64, 65, 513])

    def text(longest: int) -> str:
        return "".join(
            rng.choice("ab/") for _ in range(rng.choice([0, 1, 3, 7, 8, 9, 15, 16, 17, 23, longest]))
        )[: size - 1]

    wanted = [text(30) for _ in range(rng.choice([1, 2, 5, 40]))]
    wanted = [w for w in wanted if len(w) > 1] or ["ab"]
    base = rng.choice(wanted)
    for given in (base, text(30), base + "a", base[:-1], "b" + base, base[1:], base + base, ""):
        given = given[: size - 1]
        assert asked(function, given, wanted, size) == _TESTS[function](given, wanted), (given, wanted, size)


@pytest.mark.parametrize("seed", range(12))
def test_bits_of_all_that_fits(seed: int) -> None:
    rng = random.Random(f"bits {seed}")
    size = rng.choice([16, 24, 64, 65, 513])

    def text() -> str:
        return "".join(rng.choice("ab/") for _ in range(rng.choice([1, 2, 3, 7, 8, 9, 15, 16, 17, 23])))[
            : size - 1
        ]

    wanted = [(rng.choice("=^$") + text(), 1 << n) for n in range(rng.choice([1, 3, 20, 60]))]
    wanted += [("^", 1 << 61), ("$", 1 << 62)]
    for given in (text(), wanted[0][0][1:], wanted[0][0][1:] + "b", "a" + wanted[0][0][1:], ""):
        given = given[: size - 1]
        fits = {"=": given.__eq__, "^": given.startswith, "$": given.endswith}
        expected = sum(bits for marked, bits in wanted if fits[marked[0]](marked[1:]))
        constants = ", ".join(f"{encode_string(marked)}, {bits}" for marked, bits in wanted)
        assert answer_of("strmask", given, constants, size) == [str(expected)], (given, wanted, size)


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ('begin { print(strmask(comm, "=a")); }', "wrong-arguments"),
        ('begin { print(strmask(comm, "a", 1)); }', "wrong-arguments"),
        ('begin { print(strmask(comm, "=a", pid)); }', "constant-needed"),
        ("begin { print(strmask(comm, comm, 1)); }", "constant-needed"),
        ('begin { print(strequals(pid, "a")); }', "type-mismatch"),
        ("begin { print(strstarts(comm, comm)); }", "constant-needed"),
    ],
)
def test_wrong_arguments(program: str, code: str) -> None:
    assert code in errors_of(program)
