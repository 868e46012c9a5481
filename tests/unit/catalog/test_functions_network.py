"""Addresses as text and back; what is expected comes from the modules socket and ipaddress."""

import ipaddress
import socket

import pytest
from vm_output import errors_of, output_of


@pytest.mark.parametrize("text", ["0.0.0.0", "127.0.0.1", "192.0.2.200", "255.255.255.255"])
def test_ipv4(text: str) -> None:
    number = int.from_bytes(ipaddress.ip_address(text).packed, "little")
    program = f'print(ntop({number})); print(ntop(2, {number})); print(ntop(pton("{text}"))); $a = {number};'
    assert output_of(f"begin {{ {program} print(ntop($a)); exit(); }}") == f"{text}\n" * 4


@pytest.mark.parametrize("text", ["::", "::1", "2001:db8::8a2e:370:7334", "fe80::1:2", "::ffff:192.0.2.1"])
def test_ipv6(text: str) -> None:
    shown = socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, text))
    program = f'print(ntop(pton("{text}"))); print(ntop(10, pton("{text}")));'
    assert output_of(f"begin {{ {program} exit(); }}") == f"{shown}\n" * 2


def test_an_address_is_a_value_like_others() -> None:
    program = 'begin { @[ntop(1), ntop(pton("::1"))] = count(); @x = ntop(5); printf("%12s|\\n", ntop(2)); exit(); }'
    assert output_of(program) == "     2.0.0.0|\n@[1.0.0.0, ::1]: 1\n@x: 5.0.0.0\n"
    assert output_of(program, json=True).splitlines()[1:] == [
        '{"type": "map", "data": {"@": {"1.0.0.0,::1": 1}}}',
        '{"type": "map", "data": {"@x": "5.0.0.0"}}',
    ]


def test_macaddr() -> None:
    program = 'begin { print(macaddr(pton("180:c04d:82e:bb00::"))); exit(); }'
    assert output_of(program) == "01:80:C0:4D:08:2E\n"


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ('pton("1.2.3")', "wrong-arguments"),
        ('pton("::zz")', "wrong-arguments"),
        ("pton(comm)", "constant-needed"),
        ('ntop("abcd")', "type-mismatch"),
        ("ntop()", "wrong-arguments"),
        ("ntop(comm, 1)", "type-mismatch"),
        ('macaddr("abcdef")', "type-mismatch"),
        ('macaddr(pton("1.2.3.4"))', "type-mismatch"),
    ],
)
def test_wrong_arguments(program: str, code: str) -> None:
    assert code in errors_of(f"begin {{ {program}; exit(); }}")
