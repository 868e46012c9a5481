"""What this kernel can do, found out by trying, and remembered until the next boot.

Each feature is one entry of `feature_table.FEATURES`: how to probe it, what it needs, what works instead.
A probe loads a tiny program, creates a small map or looks for a file; nobody else would notice it.
"""

import os

from kernscope.kernel.cache import read_cached, write_cached
from kernscope.kernel.errors import KernelError, NotSupportedError, VerifierError
from kernscope.kernel.facts import boot_id, capabilities, kernel_build_id

__all__ = ["Features"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.feature_table import Feature
    from kernscope.kernel.kernel import Kernel

_PREFIX = "features-"
_TABLE_VERSION = "4"
"""Part of the cache key: raised when a probe changes its meaning."""


def _table() -> "dict[str, Feature]":
    """Imported late: the probes import most of this room, and cached answers need none of it."""
    from kernscope.kernel.feature_table import FEATURES

    return FEATURES


class Features:
    """Answers per feature, out of the cache where there is one. Only what is asked for is probed.

    Answers belong to one boot, one kernel build and one set of capabilities. Only what works is remembered:
    what does not may after a mount or a sysctl, and asking again costs less than a wrong no.
    """

    def __init__(self, kernel: "Kernel") -> None:
        self._kernel = kernel
        self._results: dict[str, str] = {}
        self._key = f"{_TABLE_VERSION} {boot_id()} {kernel_build_id()} {kernel.release} {capabilities():x}"
        self._file = f"{_PREFIX}{os.geteuid()}"
        self._load()

    def has(self, name: str) -> bool:
        """Whether the feature works here. KeyError for a name that is not in the table."""
        return not self.why_not(name)

    def why_not(self, name: str) -> str:
        """The empty string if it works, else what the kernel said."""
        result = self._results.get(name)
        if result is None:
            result = self._results[name] = self._probe(_table()[name])
            self._save()
        return result

    def has_helper(self, program_type: int, attach_type: int, number: int) -> bool:
        """Whether programs of a type may call a helper; True where none can be loaded, which says why later."""
        name = f"helper-{program_type}-{attach_type}-{number}"
        if name not in self._results:
            from kernscope.kernel.probing import call_helper

            try:
                call_helper(number, program_type, attach_type)
                self._results[name] = ""
            except VerifierError as error:
                self._results[name] = str(error)
            except KernelError:
                return True
            self._save()
        return not self._results[name]

    def probe_all(self, *, again: bool = False) -> dict[str, str]:
        """`why_not` of every feature, in order; `again` forgets what is cached."""
        if again:
            self._results.clear()
        missing = [feature for feature in _table().values() if feature.name not in self._results]
        for feature in missing:
            self._results[feature.name] = self._probe(feature)
        if missing:
            self._save()
        return {name: self._results[name] for name in _table()}

    def require(self, name: str) -> None:
        """Raises NotSupportedError, with what it needs, unless the feature works here."""
        if self.why_not(name):
            feature = _table()[name]
            instead = f"here, {feature.instead} can be used" if feature.instead else ""
            raise NotSupportedError(feature.title, feature.needs, instead)

    def _probe(self, feature: "Feature") -> str:
        try:
            feature.probe(self._kernel)
        except NotSupportedError as error:
            return error.needs or "not supported"
        except KernelError as error:
            return str(error)
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def _load(self) -> None:
        """First line: the key; then the names of features that work."""
        content = read_cached(self._file)
        if content is None:
            return
        key, _, rest = content.decode("utf-8", "replace").partition("\n")
        if key != self._key:
            return
        for name in rest.split():
            self._results[name] = ""

    def _save(self) -> None:
        works = [name for name, reason in self._results.items() if not reason]
        write_cached(self._file, "\n".join([self._key, *works, ""]).encode())
