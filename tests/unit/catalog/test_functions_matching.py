"""`strequals`, `strstarts`, `strends` against Python's own comparisons."""

import random

import pytest
from vm_output import output_of

from kernscope.syntax.literals import encode_string

_TESTS = {
    "strequals": lambda text, wanted: text in wanted,
    "strstarts": lambda text, wanted: text.startswith(tuple(wanted)),
    "strends": lambda text, wanted: text.endswith(tuple(wanted)),
    "strcontains": lambda text, wanted: any(w in text for w in wanted),
}


def asked(function: str, text: str, wanted: list[str], size: int) -> bool:
    """The string comes out of memory, so that the compiler does not know it."""
    constants = ", ".join(encode_string(w) for w in wanted)
    program = f"""config = {{ max_strlen = {size} }}
begin {{
  @t[2] = {encode_string("x" * (size - 1))}; @t[1] = {encode_string(text)}; $t = @t[1]; clear(@t);
  print({function}($t, {constants})); exit();
}}"""
    (answer,) = [line for line in output_of(program).splitlines() if line in ("true", "false", "0", "1")]
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
