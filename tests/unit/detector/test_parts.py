"""What the parts of a record mean."""

import socket
import struct

import pytest

from kernscope.detector.watch.calls import watched_call
from kernscope.detector.watch.parts import Address, File, Named, Opened, SocketOf, Text, join_path


@pytest.mark.parametrize(
    ("base", "path", "joined"),
    [
        ("/home/u", "a", "/home/u/a"),
        ("/home/u", "/etc/passwd", "/etc/passwd"),
        ("/home/u", "../../etc/./passwd", "/etc/passwd"),
        ("/", "../../x", "/x"),
        ("/home", "a//b/", "/home/a/b"),
        ("/home", "..a/...b", "/home/..a/...b"),
        ("", "a", ""),
        ("socket:[1]", "a", ""),
        ("/x", "", ""),
        ("/x", "/", "/"),
    ],
)
def test_paths_are_joined(base: str, path: str, joined: str) -> None:
    assert join_path(base, path) == joined


def test_addresses() -> None:
    part = Address("$a1", "$a2")
    raw: dict[str, object] = {}
    part.decode(
        [struct.pack("<H", socket.AF_INET) + b"\x1f\x90" + socket.inet_aton("10.1.2.3") + bytes(8)], raw
    )
    assert (raw["rip"], raw["rport"], raw["family"]) == ("10.1.2.3", 8080, socket.AF_INET)
    raw = {}
    v6 = socket.inet_pton(socket.AF_INET6, "::ffff:10.1.2.3")
    part.decode([struct.pack("<HHI", socket.AF_INET6, 0x5000, 0) + v6 + bytes(4)], raw)
    assert (raw["rip"], raw["rport"]) == ("10.1.2.3", 0x50)
    raw = {}
    part.decode([struct.pack("<H", socket.AF_UNIX) + b"/run/x.sock\0rest"], raw)
    assert raw["path"] == "/run/x.sock"
    raw = {}
    part.decode([struct.pack("<H", socket.AF_UNIX) + b"\0abstract"], raw)
    assert raw["path"] == "@abstract"


@pytest.mark.parametrize(
    "data", [b"", b"\x02", b"\x02\0\x01", struct.pack("<H", socket.AF_INET6) + b"\0\1", b"\xff\xff..."]
)
def test_addresses_that_are_cut_off(data: bytes) -> None:
    raw: dict[str, object] = {}
    Address("$a1", "$a2").decode([data], raw)
    assert "rip" not in raw


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("openat", [Opened]),
        ("connect", [SocketOf, Address]),
        ("unlinkat", [Named]),
        ("renameat2", [Named, Named]),
        ("symlink", [Named, Named]),
        ("fchmod", [File]),
        ("mount", [Text, Named, Text]),
        ("memfd_create", [Text]),
        ("setxattr", [Named, Text]),
        ("ptrace", []),
        ("setuid", []),
        ("a call of tomorrow", []),
    ],
)
def test_parts_follow_from_the_arguments(name: str, kinds: list[type]) -> None:
    assert [type(part) for part in watched_call(name).parts] == kinds


def test_two_paths_have_their_own_keys() -> None:
    keys = [part.key for part in watched_call("renameat2").parts if isinstance(part, Named)]
    assert keys == ["source", "target"]
