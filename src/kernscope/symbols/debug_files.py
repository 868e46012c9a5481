"""Symbols that do not lie in the file itself: in a file of their own, or packed into it.

Files of debug information are found as GDB finds them ("Debugging Information in Separate Files"): by build id, or by
the name in `.gnu_debuglink`. Some distributions pack the names of all functions into the file itself, into
`.gnu_debugdata` ("MiniDebugInfo").
"""

from kernscope.elf import ElfError, ElfFile, FunctionTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kernscope.elf.file import Buffer, Content

    OpenFile = Callable[[str], Buffer | Content]

__all__ = ["debug_file", "debug_file_and_path", "packed_symbols", "separate_symbols", "supplementary_file"]

_FOLDER = "/usr/lib/debug"
_MOST_BYTES = 1 << 26
"""A packed table larger than that is not unpacked."""
_MOST_LINK = 4096
"""Bytes of the name of another file."""


def debug_file(elf: ElfFile, path: str, open_file: "OpenFile", root: str = "") -> ElfFile | None:
    """The file with the debug information of `elf`, which lies at `path`; None if it is not on this machine."""
    found = debug_file_and_path(elf, path, open_file, root)
    return None if found is None else found[0]


def debug_file_and_path(
    elf: ElfFile, path: str, open_file: "OpenFile", root: str = ""
) -> tuple[ElfFile, str] | None:
    """The same, and where it lies.

    Args:
        open_file: gives the content of a file, or raises OSError.
        root: what stands before a path of the process that uses the file, where that sees other files than we do.
            Its own files are looked at, too.
    """
    build_id = elf.build_id()
    link = elf.debug_link()
    for candidate in _candidates(build_id, link, path, root):
        try:
            content = open_file(candidate)
            found = ElfFile(content)
            same = found.build_id() == build_id if build_id else link is not None and _sum(content) == link[1]
        except (OSError, ElfError):
            continue
        if same:
            return found, candidate
    return None


def supplementary_file(elf: ElfFile, path: str, open_file: "OpenFile", root: str = "") -> ElfFile | None:
    """What `dwz -m` has put into one file for several: the one that `.gnu_debugaltlink` of `elf` at `path` names."""
    link = elf.content(".gnu_debugaltlink")
    name, _, build_id = bytes(link[:_MOST_LINK]).partition(b"\0")
    if not name or not build_id:
        return None
    text = name.decode("utf-8", "surrogateescape")
    beside = text if text.startswith("/") else f"{path.rpartition('/')[0]}/{text}"
    wanted = build_id.hex()
    found = [beside, f"{_FOLDER}/.build-id/{wanted[:2]}/{wanted[2:]}.debug"]
    for candidate in [root + one for one in found] + found if root else found:
        try:
            other = ElfFile(open_file(candidate))
            if other.build_id() == wanted:
                return other
        except (OSError, ElfError, ValueError):
            continue
    return None


def _candidates(build_id: str, link: tuple[str, int] | None, path: str, root: str) -> list[str]:
    found = []
    if len(build_id) > 2:
        found.append(f"{_FOLDER}/.build-id/{build_id[:2]}/{build_id[2:]}.debug")
    if link is not None and link[0] and "/" not in link[0]:
        folder = path.rpartition("/")[0]
        found += [f"{folder}/{link[0]}", f"{folder}/.debug/{link[0]}", f"{_FOLDER}{folder}/{link[0]}"]
    found = [candidate for candidate in found if candidate != path]
    return [root + candidate for candidate in found] + found if root else found


def _sum(content: "Buffer | Content") -> int:
    """CRC-32 of a whole file."""
    from zlib import crc32

    total, step = 0, 1 << 20
    for start in range(0, len(content), step):
        total = crc32(content[start : start + step], total)
    return total


def packed_symbols(elf: ElfFile) -> ElfFile | None:
    """The file of symbols that is packed into `elf`. Raises ElfError where it is broken."""
    packed = elf.content(".gnu_debugdata")
    return ElfFile(_unpack(packed)) if packed else None


def separate_symbols(elf: ElfFile, path: str, open_file: "OpenFile", root: str = "") -> FunctionTable | None:
    """The functions that a stripped file's separate symbols name; None where there are none here."""
    try:
        other = debug_file(elf, path, open_file, root) or packed_symbols(elf)
        return None if other is None else other.functions()
    except (OSError, ElfError):
        return None


def _unpack(packed: memoryview) -> bytes:
    from lzma import LZMADecompressor, LZMAError

    try:
        return LZMADecompressor(memlimit=_MOST_BYTES).decompress(packed, _MOST_BYTES)
    except (LZMAError, EOFError) as problem:
        raise ElfError(f"its packed symbols are broken: {problem}") from None
