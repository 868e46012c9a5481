"""Telling systemd how the service is (sd_notify(3)): a datagram to the socket that `NOTIFY_SOCKET` names."""

from __future__ import annotations

import os
import socket
import time

__all__ = ["notify", "reloading"]


def notify(text: str) -> None:
    """Nothing without systemd; a message that cannot be sent changes nothing for us."""
    name = os.environ.get("NOTIFY_SOCKET", "")
    if not name.startswith(("/", "@")):
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.sendto(text.encode("utf-8", "replace"), "\0" + name[1:] if name[0] == "@" else name)
    except OSError:
        pass


def reloading() -> None:
    """`RELOADING=1` with the time, which `Type=notify-reload` asks for."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
