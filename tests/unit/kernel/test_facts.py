"""Facts: parsers on texts and bytes, and answers that can be checked without privileges."""

import os
import time

import pytest

from kernscope.kernel import facts
from kernscope.kernel.kallsyms import Kallsyms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", (0,)),
        ("0-3\n", (0, 1, 2, 3)),
        ("0-1,4,6-7", (0, 1, 4, 6, 7)),
        ("", ()),
    ],
)
def test_cpu_lists(text: str, expected: tuple[int, ...]) -> None:
    assert facts.parse_cpu_list(text) == expected


def test_build_id_note() -> None:
    other = b"\x06\0\0\0\x04\0\0\0\x01\x01\0\0Linux\0\0\0abcd"
    ours = b"\x04\0\0\0\x05\0\0\0\x03\0\0\0GNU\0\x01\x02\xab\xcd\xef\0\0\0"
    assert facts.build_id_of_notes(other + ours) == "0102abcdef"
    assert facts.build_id_of_notes(other) == ""
    assert facts.build_id_of_notes(b"\x04\0") == ""


def test_boot_offset_is_time_of_day_minus_time_since_boot() -> None:
    with open("/proc/uptime") as file:
        uptime = float(file.read().split()[0])
    assert abs(facts.boot_offset_ns() / 1e9 - (time.time() - uptime)) < 0.5


def test_this_process() -> None:
    assert facts.possible_cpus() >= len(facts.online_cpus()) >= 1
    assert facts.pid_namespace().inode == os.stat("/proc/self/ns/pid").st_ino
    assert facts.user_name(0) == "root"
    assert facts.user_name(4_000_000_123) == "4000000123"
    assert facts.errno_name(-2) == "ENOENT" and facts.errno_name(512) == "ERESTARTSYS"
    assert facts.errno_name(9999) == "E9999"


KALLSYMS = """0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000000 T startup_64
ffffffff81000200 t do_one
ffffffffc0000000 t helper\t[loop]
ffffffff81000100 T first
"""


def test_kallsyms() -> None:
    symbols = Kallsyms(KALLSYMS)
    assert len(symbols) == 5 and not symbols.hidden
    assert symbols.lookup(0xFFFFFFFF81000110) == ("first", 0x10)
    assert symbols.lookup(0xFFFFFFFF81000000) == ("_stext", 0)
    assert symbols.lookup(0xFFFFFFFF810001FF) == ("first", 0xFF)
    assert symbols.lookup(0xFFFFFFFFC0000004) == ("helper", 4)
    assert symbols.lookup(0x1000) is None
    assert symbols.address("do_one") == 0xFFFFFFFF81000200
    assert symbols.address("nothing") is None
    assert symbols.module("helper") == "loop" and symbols.module("first") == ""


def test_kallsyms_hidden_from_the_unprivileged() -> None:
    assert Kallsyms("0000000000000000 T _stext\n0000000000000000 t do_one\n").hidden
