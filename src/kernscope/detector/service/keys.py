"""The keys of the service's configuration: one table. Defaults are written as in the file."""

from __future__ import annotations

from kernscope.detector.reactions.protection import ADDRESSES, PATHS
from kernscope.detector.sinks import settings
from kernscope.detector.sinks.base import Setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SECTIONS", "TOP", "Key", "texts"]


class Key:
    """A key: its setting, its default as text or list of texts, None for none, and an example that is printed as a
    comment.
    """

    __slots__ = ("default", "example", "setting")

    def __init__(
        self,
        name: str,
        doc: str,
        read: Callable[[object], object],
        default: str | list[str] | None = None,
        example: str = "",
    ) -> None:
        self.setting = Setting(name, doc, read, None if default is None else read(default))
        self.default, self.example = default, example


def texts(check: Callable[[str], str] = lambda text: text) -> Callable[[object], list[str]]:
    """Reads a list of texts, or one."""

    def read(value: object) -> list[str]:
        words = [value] if isinstance(value, str) else value
        if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
            raise ValueError("is a list of texts")
        return [check(word) for word in words]

    return read


def _rules(word: str) -> str:
    if word != "default" and not word.startswith("/"):
        raise ValueError(f"has `default` and absolute paths, not `{word}`")
    return word


def _path(word: str) -> str:
    if not word.startswith("/"):
        raise ValueError(f"has absolute paths, not `{word}`")
    return word


def _network(word: str) -> str:
    from ipaddress import ip_network

    try:
        ip_network(word, strict=False)
    except ValueError:
        raise ValueError(f"has addresses and networks such as 10.0.0.0/8, not `{word}`") from None
    return word


TOP = (
    Key(
        "rules",
        "rule files and folders, in order, later ones change earlier ones; `default`: those that come with Kernscope",
        texts(_rules),
        ["default"],
        "rules: [default, /etc/kernscope/rules.d]",
    ),
    Key("enforce", "whether reactions may stop, kill, deny and block", settings.truth, "false"),
    Key("dry_run", "whether reactions only say what they would do", settings.truth, "false"),
    Key(
        "drop_privileges",
        "whether capabilities that are not needed are given up once all is attached",
        settings.truth,
        "true",
    ),
    Key(
        "baseline", "what executables usually do; default: where `detect learn` keeps it", settings.file_path
    ),
)
SECTIONS: dict[str, tuple[str, tuple[Key, ...]]] = {
    "store": (
        "where alerts are kept",
        (
            Key("enabled", "whether alerts are kept at all", settings.truth, "true"),
            Key("path", "the database; default: alerts.db in /var/lib/kernscope", settings.file_path),
            Key("max_size", "older alerts leave when it is larger", settings.size_bytes, "256M"),
            Key("max_age", "older alerts leave", settings.duration_s, "90d"),
        ),
    ),
    "limit": (
        "how often reactions may stop, kill, deny or block, all together",
        (
            Key("count", "so many times", settings.number(1, 100_000), "10"),
            Key("within", "in this time", settings.duration_s, "1m"),
        ),
    ),
    "protect": (
        "what reactions never touch, besides process 1, kernel threads, the detector and its ancestors",
        (
            Key("paths", "executables, with `*`", texts(_path), list(PATHS)),
            Key(
                "addresses",
                "networks; the machine's own addresses are never blocked",
                texts(_network),
                list(ADDRESSES),
            ),
        ),
    ),
}
"""Sections and their keys. `sinks` and `reactions` are lists, see `configuration`."""
