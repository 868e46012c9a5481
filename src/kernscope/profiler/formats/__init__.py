"""Files that a profile can be written as: one module per format, and the table here.

A format is a function from a `Profile` to bytes. What it writes comes from processes and files that others chose, so
each escapes what its readers would take for structure.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.profiler.profile import Profile

__all__ = ["FORMATS", "Format", "format_for", "write"]


class Format:
    """One entry: `module` has the function `encode(profile) -> bytes`; `suffixes` of files that are of this format.

    `timed` formats are for viewers that show when something was: they want samples with their times.
    """

    __slots__ = ("doc", "module", "name", "suffixes", "timed")

    def __init__(
        self, name: str, module: str, suffixes: tuple[str, ...], doc: str, *, timed: bool = False
    ) -> None:
        self.name, self.module, self.suffixes, self.doc, self.timed = name, module, suffixes, doc, timed


_TABLE = (
    Format("html", "html", (".html", ".htm"), "an interactive flame graph in one file, for any browser"),
    Format("svg", "svg", (".svg",), "a flame graph as an image"),
    Format("collapsed", "collapsed", (".collapsed", ".folded", ".txt"), "one line per stack: `a;b;c 42`"),
    Format(
        "pprof", "pprof", (".pb.gz", ".pprof"), "profile.proto, for `go tool pprof` and what reads its files"
    ),
    Format("speedscope", "speedscope", (".speedscope.json",), "for https://www.speedscope.app", timed=True),
    Format("firefox", "firefox", (".firefox.json",), "for https://profiler.firefox.com", timed=True),
    Format("perf", "perf_script", (".perf",), "the text of `perf script`", timed=True),
    Format("json", "json_file", (".json",), "all of it; what `profile show` and `profile diff` read"),
)

FORMATS: dict[str, Format] = {entry.name: entry for entry in _TABLE}
"""By name, in the order in which help shows them."""


def format_for(path: str) -> Format | None:
    """The format that a file's name asks for, or None."""
    fits = [
        (len(suffix), entry) for entry in _TABLE for suffix in entry.suffixes if path.lower().endswith(suffix)
    ]
    return max(fits, key=lambda fit: fit[0])[1] if fits else None


def write(profile: Profile, name: str) -> bytes:
    """The profile in the format of this name."""
    encode = import_module(f"kernscope.profiler.formats.{FORMATS[name].module}").encode
    content: bytes = encode(profile)
    return content
