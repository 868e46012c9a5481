"""Symbols that do not lie in the file itself: in a file of their own, or packed into it.

Files of debug information are found as GDB finds them ("Debugging Information in Separate Files"): by build id, or by
the name in `.gnu_debuglink`. Some distributions pack the names of all functions into the file itself, into
`.gnu_debugdata` ("MiniDebugInfo").
"""

from kernscope.elf import ElfError, ElfFile, FunctionTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelFacts

__all__ = ["debug_file", "separate_symbols"]

_FOLDER = "/usr/lib/debug"
_MOST_BYTES = 1 << 28
"""A packed table larger than that is not unpacked."""


def debug_file(elf: ElfFile, path: str, kernel: "KernelFacts") -> ElfFile | None:
    """The file with the debug information of `elf`, which lies at `path`; None if it is not on this machine."""
    for candidate in _candidates(elf, path):
        try:
            found = ElfFile(kernel.map_file(candidate))
        except (OSError, ElfError):
            continue
        if not elf.build_id() or found.build_id() == elf.build_id():
            return found
    return None


def _candidates(elf: ElfFile, path: str) -> list[str]:
    found = []
    build_id = elf.build_id()
    if len(build_id) > 2:
        found.append(f"{_FOLDER}/.build-id/{build_id[:2]}/{build_id[2:]}.debug")
    link = elf.debug_link()
    if link is not None and "/" not in link[0]:
        folder = path.rpartition("/")[0]
        found += [f"{folder}/{link[0]}", f"{folder}/.debug/{link[0]}", f"{_FOLDER}{folder}/{link[0]}"]
    return [candidate for candidate in found if candidate != path]


def separate_symbols(elf: ElfFile, path: str, kernel: "KernelFacts") -> FunctionTable | None:
    """The functions that a stripped file's separate symbols name; None where there are none here."""
    try:
        other = debug_file(elf, path, kernel)
        if other is None:
            packed = elf.content(".gnu_debugdata")
            if not packed:
                return None
            other = ElfFile(_unpack(packed))
        return other.functions()
    except ElfError:
        return None


def _unpack(packed: memoryview) -> bytes:
    from lzma import LZMADecompressor, LZMAError

    try:
        return LZMADecompressor().decompress(packed, _MOST_BYTES)
    except LZMAError as problem:
        raise ElfError(f"its packed symbols are broken: {problem}") from None
