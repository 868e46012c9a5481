"""A network of a test's own: nothing of the machine's is seen or touched."""

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

__all__ = ["Receiver", "frame", "ipv4", "ipv6", "own_network", "send_frame", "set_up", "udp"]

_CLONE_NEWNET = 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_IFF_UP = 1

SOURCE = bytes.fromhex("020000000001")


def set_up(name: str) -> None:
    """Bring a network interface up."""
    request = name.encode().ljust(16, b"\0") + bytes(24)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        answer = bytearray(fcntl.ioctl(asking, _SIOCGIFFLAGS, request))
        flags = struct.unpack_from("=H", answer, 16)[0]
        struct.pack_into("=H", answer, 16, flags | _IFF_UP)
        fcntl.ioctl(asking, _SIOCSIFFLAGS, bytes(answer))


@contextmanager
def own_network(*, up: bool = True) -> Iterator[None]:
    """This thread, and the processes that it starts, in a new network namespace with a loopback interface."""
    libc = ctypes.CDLL(None, use_errno=True)
    outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.unshare(_CLONE_NEWNET) != 0:
            pytest.skip(f"no network namespace can be made here: {os.strerror(ctypes.get_errno())}")
        try:
            if up:
                set_up("lo")
            yield
        finally:
            assert libc.setns(outside, _CLONE_NEWNET) == 0
    finally:
        os.close(outside)


class Receiver:
    """A UDP socket on the loopback interface that takes what is sent to it."""

    def __init__(self, family: int = socket.AF_INET) -> None:
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        self.address = self.socket.getsockname()
        self.port = self.address[1]
        self.sender = socket.socket(family, socket.SOCK_DGRAM)

    def send(self, count: int = 1, content: bytes = b"hello") -> None:
        """Send, whatever becomes of it: a dropped packet may be reported as EPERM."""
        for _ in range(count):
            with suppress(PermissionError):
                self.sender.sendto(content, self.address[:2])

    def take(self, most: int, seconds: float = 10) -> int:
        """How many of `most` packets come; waits for no longer than `seconds` for each."""
        self.socket.settimeout(seconds)
        for taken in range(most):
            try:
                self.socket.recv(65536)
            except TimeoutError:
                return taken
        return most

    def is_empty(self) -> bool:
        """Whether nothing waits to be taken."""
        self.socket.setblocking(False)
        try:
            self.socket.recv(65536)
        except BlockingIOError:
            return True
        return False

    def close(self) -> None:
        self.socket.close()
        self.sender.close()

    def __enter__(self) -> "Receiver":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# --- packets, put together by hand ------------------------------------------------------------------------


def udp(port: int, content: bytes = b"abc") -> bytes:
    return struct.pack(">HHHH", 4321, port, 8 + len(content), 0) + content


def ipv4(content: bytes, protocol: int = 17, *, options: bytes = b"", fragment: int = 0) -> bytes:
    words = 5 + len(options) // 4
    addresses = socket.inet_aton("10.0.0.1") + socket.inet_aton("10.0.0.2")
    size = 4 * words + len(content)
    head = struct.pack(">BBHHHBBH", 0x40 | words, 0, size, 77, fragment, 64, protocol, 0)
    return head + addresses + options + content


def ipv6(content: bytes, following: int = 17) -> bytes:
    addresses = socket.inet_pton(socket.AF_INET6, "fd00::1") + socket.inet_pton(socket.AF_INET6, "fd00::2")
    return (
        struct.pack(">IHBB", 6 << 28 | 0xAB << 20 | 0x12345, len(content), following, 63)
        + addresses
        + content
    )


def frame(kind: int, content: bytes, tags: bytes = b"") -> bytes:
    return bytes(6) + SOURCE + tags + struct.pack(">H", kind) + content


def send_frame(content: bytes, interface: str = "lo") -> None:
    """Put an Ethernet frame on an interface."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((interface, 0))
        sender.send(content)
