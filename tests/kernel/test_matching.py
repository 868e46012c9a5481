"""A string against many constants, in the kernel: its verifier accepts a thousand, and they are found."""

import random

import pytest
from command_line import kernscope, needs_tracing

pytestmark = needs_tracing


@pytest.mark.parametrize("function", ["strequals", "strstarts", "strends", "strcontains"])
@pytest.mark.parametrize("count", [1, 7, 1000])
def test_as_python_does(function: str, count: int) -> None:
    rng = random.Random(f"{function} {count}")
    folders = ("/etc/", "/usr/lib/x86_64-linux-gnu/", "/proc/", "/home/somebody/.ssh/", "")
    wanted = [
        rng.choice(folders) + "".join(rng.choice("abcde") for _ in range(rng.randint(4, 30)))
        for _ in range(count)
    ]
    constants = ", ".join(f'"{text}"' for text in wanted)
    for text in (wanted[0], wanted[-1] + "z", "/" + wanted[count // 2], "z"):
        answer = {
            "strequals": text in wanted,
            "strstarts": text.startswith(tuple(wanted)),
            "strends": text.endswith(tuple(wanted)),
            "strcontains": any(part in text for part in wanted),
        }[function]
        # From a buffer of the shape that variables for paths have.
        program = f'begin {{ $t = str($1, 512); $u = ""; $u = $t; print((int64){function}($u, {constants})); exit(); }}'
        done = kernscope("run", "-q", "-e", program, text)
        assert (done.returncode, done.stderr, done.stdout.strip()) == (0, "", str(int(answer)))
