"""Names of users and groups, asked for once a minute at most, of /etc/passwd or where this machine looks them up."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    _Entry = TypeVar("_Entry")

__all__ = ["UserEntry", "group_name", "root_is_root", "user_entry"]

_FRESH_S = 60.0
_MOST = 4096


class UserEntry:
    """A user of this machine."""

    __slots__ = ("home", "name", "shell")

    def __init__(self, name: str, home: str, shell: str) -> None:
        self.name, self.home, self.shell = name, home, shell


_users: dict[int, tuple[float, UserEntry | None]] = {}
_groups: dict[int, tuple[float, str | None]] = {}


def _kept(known: dict[int, tuple[float, _Entry]], number: int, ask: Callable[[int], _Entry]) -> _Entry:
    now = time.monotonic()
    found = known.get(number)
    if found is None or found[0] < now:
        if len(known) >= _MOST:
            known.clear()
        found = known[number] = (now + _FRESH_S, ask(number))
    return found[1]


def _ask_user(uid: int) -> UserEntry | None:
    import pwd

    try:
        entry = pwd.getpwuid(uid)
    except (KeyError, OverflowError):
        return None
    return UserEntry(entry.pw_name, entry.pw_dir, entry.pw_shell)


def _ask_group(gid: int) -> str | None:
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except (KeyError, OverflowError):
        return None


def user_entry(uid: int) -> UserEntry | None:
    """Who has this number; None for nobody."""
    return _kept(_users, uid, _ask_user)


def root_is_root() -> bool:
    """Whether the user 0 is called root, and nobody else is."""
    import pwd

    try:
        return pwd.getpwuid(0).pw_name == "root" and pwd.getpwnam("root").pw_uid == 0
    except KeyError:
        return False


def group_name(gid: int) -> str | None:
    """The group of this number; None where there is none."""
    return _kept(_groups, gid, _ask_group)
