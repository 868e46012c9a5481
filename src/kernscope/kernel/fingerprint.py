"""What a compiled program takes for granted about its machine, so that another one can refuse it.

While a program is compiled, `AskedFacts` stands before the kernel and notes what is asked; `machine` is what
was answered, as plain data. `check_machine` asks again: the same build of the kernel answers the same, another one
may (a tracepoint's fields seldom change), and what differs is named.
"""

from zlib import crc32

from kernscope.bundle.serial import BundleError
from kernscope.kernel.errors import KernelError, NotSupportedError
from kernscope.kernel.facts import kernel_build_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from kernscope.kernel.kernel import Kernel
    from kernscope.kernel.tracefs import TracepointFormat

__all__ = ["AskedFacts", "check_machine"]

_UNCHANGING = frozenset(
    ("tracepoint_categories", "tracepoints", "raw_tracepoints", "release", "user_name", "btf_modules")
)
"""Answers that only choose what to attach to: attaching finds out whether it is still there."""


class AskedFacts:
    """A kernel's facts; remembers which were asked for."""

    def __init__(self, kernel: "Kernel") -> None:
        self._kernel = kernel
        self._asked: set[str] = set()
        self._formats: dict[str, int] = {}
        self._features: dict[str, bool] = {}

    def __getattr__(self, name: str) -> "Any":
        self._asked.add(name)
        return getattr(self._kernel, name)

    def tracepoint_format(self, category: str, name: str) -> "TracepointFormat":
        found = self._kernel.tracepoint_format(category, name)
        self._formats[f"{category}:{name}"] = _checksum(found)
        return found

    def has_feature(self, name: str) -> bool:
        works = self._features[name] = self._kernel.has_feature(name)
        return works

    @property
    def machine(self) -> dict[str, object]:
        """What the answers given so far depend on."""
        kernel, asked = self._kernel, self._asked
        found: dict[str, object] = {
            "architecture": kernel.arch.machine,
            "release": kernel.release,
            "build": kernel_build_id(),
            "types": bool(asked - _UNCHANGING - set(_SIMPLE) - {"arch"}),
            "formats": self._formats,
            "features": self._features,
        }
        found |= {name: read(kernel) for name, read in _SIMPLE.items() if name in asked}
        return found


def _checksum(format: "TracepointFormat") -> int:
    rows = [(f.name, f.type_text, f.offset, f.size, f.signed, f.count, f.dynamic) for f in format.fields]
    return crc32(repr(rows).encode())


_SIMPLE: "dict[str, Callable[[Kernel], object]]" = {
    "possible_cpus": lambda kernel: kernel.possible_cpus,
    "page_size": lambda kernel: kernel.page_size,
    "pid_namespace": lambda kernel: (kernel.pid_namespace.device, kernel.pid_namespace.inode),
}
_TITLES = {
    "architecture": "the machine's architecture",
    "possible_cpus": "the number of possible processors",
    "page_size": "the page size in bytes",
    "pid_namespace": "the pid namespace (device, inode)",
}


def check_machine(machine: dict[str, object], kernel: "Kernel") -> None:
    """Raises BundleError if a program compiled on `machine` cannot run on `kernel`."""
    for name, title in _TITLES.items():
        if name not in machine:
            continue
        here = kernel.arch.machine if name == "architecture" else _SIMPLE[name](kernel)
        if here != machine[name]:
            raise BundleError(
                f"the program was compiled for another machine: {title} was {machine[name]}, here it is {here}"
            )
    if machine["build"] == kernel_build_id() and machine["release"] == kernel.release:
        return
    _check_other_kernel(machine, kernel)


def _check_other_kernel(machine: dict[str, object], kernel: "Kernel") -> None:
    was = f"the program was compiled for Linux {machine['release']}, here runs {kernel.release}"
    if machine["types"]:
        raise BundleError(f"{was}, whose structures may differ")
    formats, features = machine["formats"], machine["features"]
    assert isinstance(formats, dict) and isinstance(features, dict)
    for name, checksum in formats.items():
        category, _, event = name.partition(":")
        try:
            same = _checksum(kernel.tracepoint_format(category, event)) == checksum
        except (KernelError, NotSupportedError):
            raise BundleError(f"{was}, which has no tracepoint `{name}`") from None
        if not same:
            raise BundleError(f"{was}, whose tracepoint `{name}` has other fields")
    for name, works in features.items():
        if works and not kernel.has_feature(name):
            raise BundleError(f"{was}, where the feature `{name}` is missing")
