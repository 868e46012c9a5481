"""CPython in processes: where its runtime is, and what its code objects are called.

Memory of a process is read, and nothing in it is trusted: sizes are bounded, and what makes no sense is not known.
"""

import os
from bisect import bisect_right
from struct import Struct, error, unpack_from

from kernscope.elf import ElfError
from kernscope.elf.function_parts import other_parts
from kernscope.kernel.mappings import Mapping, read_memory
from kernscope.tables.cpython import (
    CODE_BYTES,
    COOKIE,
    DEBUG_OFFSETS,
    FILE_BYTES,
    LAYOUTS,
    NAME_BYTES,
    NOWHERE,
    PROGRAM_FIELDS,
    PYTHON_FRAME_BYTES,
    PYTHON_PROCESS_BYTES,
    SENT_BYTES,
    Layout,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.symbols.files import MappedFile

__all__ = ["PythonCode", "PythonProcesses", "PythonRuntime", "read_code", "sent_code"]

MOST_NAME = 4096
"""Characters of a name that are read."""
MOST_LINETABLE_BYTES = 1 << 18
MOST_TABLE_BYTES = 1 << 25
"""Of all tables of lines together; functions that are met later have their first line only."""
_MOST_SHIFT = 60
"""Of the numbers in a table of lines."""
MOST_CODES_KNOWN = 1 << 17
MOST_UNREAD = 1 << 14
"""Processes of which it is known that their functions are not read."""
_MOST_TABLES_BYTES = 2048
"""Of the tables of lines that most functions have; reading more than there is does no harm."""
_LOOP = "_PyEval_EvalFrameDefault"
_LOOP_BYTES = 1 << 16
"""Of the loop's function where its symbol has no size."""

_LONG = Struct("<Q")
_ENCODINGS = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}
"""By the bytes of a character."""


class PythonRuntime:
    """CPython in one process: the address of `_PyRuntime`, its `version` and the `layout` of its structures.

    `loop` are the addresses from and to which the interpreter's loop goes: its native frames are those of Python's.
    """

    __slots__ = ("address", "layout", "loops", "version")

    def __init__(
        self, address: int, version: tuple[int, int], layout: Layout, loops: list[tuple[int, int]]
    ) -> None:
        self.address, self.version, self.layout, self.loops = address, version, layout, loops

    def packed(self) -> bytes:
        """What the kernel program is told, see `kernscope.tables.cpython`."""
        words = [self.layout[name] for name in PROGRAM_FIELDS]
        return (_LONG.pack(self.address) + Struct(f"<{len(words)}I").pack(*words)).ljust(
            PYTHON_PROCESS_BYTES, b"\0"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PythonRuntime) and (self.address, self.version) == (
            other.address,
            other.version,
        )

    __hash__ = None  # type: ignore[assignment]

    def in_loop(self, address: int) -> bool:
        """Whether a native address is in the interpreter's loop."""
        return any(start <= address < end for start, end in self.loops)


class _NotRead(Exception):
    """The functions of this interpreter are not read; the text says of which kind it is."""


class PythonCode:
    """A code object: its qualified name and file; `line` by instruction."""

    __slots__ = ("_lines", "file", "first_line", "name", "table")

    def __init__(self, name: str, file: str, first_line: int, table: bytes) -> None:
        self.name, self.file, self.first_line = name, file, first_line
        self.table = table
        self._lines: tuple[list[int], list[int]] | None = None

    def is_rest_of(self, other: "PythonCode") -> bool:
        """Whether they can be the same function, of which `other` may be cut off."""
        return (
            self.first_line == other.first_line
            and self.name.startswith(other.name)
            and self.file.startswith(other.file)
        )

    def line(self, index: int) -> int:
        """The line of the instruction `index` (in units of two bytes); the first line where it is not known."""
        if self._lines is None:
            self._lines = _line_numbers(self.table, self.first_line)
        starts, lines = self._lines
        at = bisect_right(starts, index) - 1
        return (lines[at] if at >= 0 else 0) or self.first_line


class _File:
    """What a file has of CPython, in its own addresses: the runtime, the version's variable, the loop."""

    __slots__ = ("loops", "runtime", "version")

    def __init__(self, file: "MappedFile") -> None:
        self.runtime: list[int] = []
        self.version: list[int] = []
        self.loops: list[tuple[int, int]] = []
        if file.elf is None:
            return
        table = file.elf.functions()
        self.runtime = [variable.address for variable in table.variables("_PyRuntime")]
        if not self.runtime:
            return
        self.version = [variable.address for variable in table.variables("Py_Version")]
        for function in table.named(_LOOP) or file.separate_functions(_LOOP):
            end = function.address + (function.size or _LOOP_BYTES)
            self.loops.append((function.address, end))
            if function.size:
                self.loops += other_parts(file.elf, function.address, end)


class PythonProcesses:
    """What is known of CPython in processes. Stays known when they end."""

    def __init__(self) -> None:
        self._files: dict[MappedFile, _File | None] = {}
        self._runtimes: dict[int, PythonRuntime] = {}
        self._codes: dict[tuple[int, int], PythonCode | None] = {}
        self._unread: dict[int, tuple[str, list[tuple[int, int]]]] = {}
        self._table_bytes = 0

    def find(self, pid: int, mapped: "list[tuple[Mapping, MappedFile | None]]") -> PythonRuntime | None:
        """CPython in a process, by the symbols of its executable and of libraries with `python` in their names.

        Versions before 3.11, builds without the global lock, and interpreters without symbols are not found.
        """
        seen: set[MappedFile] = set()
        for mapping, file in mapped:
            name = mapping.path.rpartition("/")[2].lower()
            if file is None or not mapping.path.startswith("/") or file in seen:
                continue
            if seen and "python" not in name:
                continue  # the first mapping is the executable's
            seen.add(file)
            try:
                found = self._runtime_in(pid, mapping, file)
            except (OSError, OverflowError, ElfError, error):
                continue
            if found is not None:
                self._runtimes[pid] = found
                return found
        return self._runtimes.get(pid)

    def met(self, pid: int, mapping: Mapping, file: "MappedFile") -> PythonRuntime | None:
        """The same, where only one mapping is known: None if it is not the one that has CPython in it."""
        try:
            if file not in self._files and not _may_have_python(pid, mapping):
                self._files[file] = None
            found = self._runtime_in(pid, mapping, file)
        except (OSError, OverflowError, ElfError, error):
            return None
        if found is not None:
            self._runtimes[pid] = found
        return found

    def learn(self, pid: int, number: int, address: int, sent: bytes) -> None:
        """Read a code object while its process lives. Stacks have its `number`.

        `sent` is what the kernel program read when it met it. Meanwhile something else may be in its place.
        """
        runtime = self._runtimes.get(pid)
        if runtime is None:
            return
        if len(self._codes) >= MOST_CODES_KNOWN:
            self._codes.clear()
            self._table_bytes = 0
        code = known = sent_code(sent, runtime.layout)
        if known is None or not _is_whole(sent, runtime.layout):
            code = read_code(pid, address, runtime.layout)
            if known is not None and (code is None or not code.is_rest_of(known)):
                code = known  # at most the end of its name or table is missing
        if code is not None:
            self._table_bytes += len(code.table)
            if self._table_bytes > MOST_TABLE_BYTES:
                code.table = b""
        self._codes[pid, number] = code

    def code(self, pid: int, number: int) -> PythonCode | None:
        """The code object of a number, or None where it is not known."""
        return self._codes.get((pid, number))

    def in_loop(self, pid: int, address: int) -> bool:
        """Whether a native address of a process is in the interpreter's loop."""
        runtime = self._runtimes.get(pid)
        return runtime is not None and runtime.in_loop(address)

    def not_read(self, pid: int, address: int) -> str:
        """Which kind of CPython it is whose functions are not read, where a native address is in the loop of such a
        one; else nothing.
        """
        kind, loops = self._unread.get(pid, ("", []))
        return kind if any(start <= address < end for start, end in loops) else ""

    def _runtime_in(self, pid: int, mapping: Mapping, mapped: "MappedFile") -> PythonRuntime | None:
        if mapped not in self._files:
            self._files[mapped] = None
            self._files[mapped] = _File(mapped)
        file = self._files[mapped]
        if file is None or not file.runtime or mapped.elf is None:
            return None
        address = mapped.elf.address_of(mapping.offset)
        if address is None:
            return None
        bias = mapping.start - address
        at = file.runtime[0] + bias
        loops = [(start + bias, end + bias) for start, end in file.loops]
        try:
            version, layout = _published(pid, at) or _tabled(pid, [place + bias for place in file.version])
        except _NotRead as kind:
            if len(self._unread) >= MOST_UNREAD:
                self._unread.clear()
            self._unread[pid] = str(kind), loops
            return None
        return PythonRuntime(at, version, layout, loops)


def _tabled(pid: int, places: list[int]) -> tuple[tuple[int, int], Layout]:
    """The offsets of a version that does not publish them; `places` are where the variable of its number may be."""
    for place in places:
        word = _word(pid, place)
        version = (word >> 24 & 0xFF, word >> 16 & 0xFF)
        if version in LAYOUTS:
            return version, LAYOUTS[version]
    raise _NotRead("Python before 3.11")


def _may_have_python(pid: int, mapping: Mapping) -> bool:
    """Whether it is worth while to look: by the name of a library, or because it is the executable."""
    if "python" in mapping.path.rpartition("/")[2].lower():
        return True
    return os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)") == mapping.path


def _published(pid: int, runtime: int) -> tuple[tuple[int, int], Layout] | None:
    """The offsets that the interpreter itself publishes (3.13 and newer); _NotRead if they are of no use."""
    longest = max(map(len, DEBUG_OFFSETS.values()))
    data = read_memory(pid, runtime, 8 * longest)
    if data[:8] != COOKIE or len(data) < 8 * longest:
        return None
    hexadecimal = _LONG.unpack_from(data, 8)[0]
    version = (hexadecimal >> 24 & 0xFF, hexadecimal >> 16 & 0xFF)
    kind = f"Python {version[0]}.{version[1]}"
    names = DEBUG_OFFSETS.get(version)
    if names is None:
        raise _NotRead(kind)
    layout: Layout = dict(zip(names, unpack_from(f"<{len(names)}Q", data), strict=True))
    if layout["free_threaded"]:
        raise _NotRead(f"{kind} without a global lock")
    if any(layout[name] > 1 << 20 for name in names[2:]):
        raise _NotRead(f"{kind} with strange offsets")
    for name, offset in layout.items():
        most = {"frame": PYTHON_FRAME_BYTES, "code": CODE_BYTES}.get(name.partition("_")[0], 1 << 20)
        if (
            name in PROGRAM_FIELDS
            and name != "code_bytecode"
            and offset > most - 8 + 7 * (name == "frame_owner")
        ):
            raise _NotRead(f"{kind} with strange offsets")
    strings = {name: LAYOUTS[3, 12][name] for name in ("ascii_data", "compact_data")}
    return version, layout | {"through": NOWHERE, "frame_entry": NOWHERE} | strings


def _word(pid: int, address: int) -> int:
    return int(_LONG.unpack(read_memory(pid, address, 8))[0])


def read_code(pid: int, address: int, layout: Layout) -> PythonCode | None:
    """The code object at an address of a process; None where there is none (any more)."""
    try:
        code = read_memory(pid, address, CODE_BYTES)
        name = _text(pid, _LONG.unpack_from(code, layout["code_qualname"])[0], layout)
        file = _text(pid, _LONG.unpack_from(code, layout["code_filename"])[0], layout)
        first = unpack_from("<i", code, layout["code_firstlineno"])[0]
        table = _bytes(pid, _LONG.unpack_from(code, layout["code_linetable"])[0])
    except (OSError, OverflowError, ValueError, IndexError, error):
        return None
    return PythonCode(name, file, first, table)


def sent_code(sent: bytes, layout: Layout) -> PythonCode | None:
    """The code object whose beginnings the kernel program has sent; None where it could not read them."""
    if len(sent) < SENT_BYTES:
        return None
    name_at, file_at, table_at = 8, 8 + NAME_BYTES, 8 + NAME_BYTES + FILE_BYTES
    try:
        name = _characters(sent[name_at:file_at], layout)
        file = _characters(sent[file_at:table_at], layout)
    except (UnicodeDecodeError, ValueError):
        return None
    table = sent[table_at + 32 :][: _LONG.unpack_from(sent, table_at + 16)[0]]
    return PythonCode(name, file, unpack_from("<i", sent)[0], table)


def _is_whole(sent: bytes, layout: Layout) -> bool:
    """Whether nothing of the name, the file and the table was cut off."""
    at = 8
    for room in (NAME_BYTES, FILE_BYTES):
        state = sent[at + 32]
        start = layout["ascii_data" if state >> 6 & 1 else "compact_data"]
        if _LONG.unpack_from(sent, at + 16)[0] * (state >> 2 & 7) > room - start:
            return False
        at += room
    return bool(_LONG.unpack_from(sent, at + 16)[0] <= len(sent) - at - 32)


def _characters(data: bytes, layout: Layout) -> str:
    """The text of a str, as far as it is in `data`."""
    length, state = _LONG.unpack_from(data, 16)[0], data[32]
    kind, compact, ascii = state >> 2 & 7, state >> 5 & 1, state >> 6 & 1
    if not compact or kind not in _ENCODINGS or not 0 < length <= MOST_NAME:
        raise ValueError("no string")
    start = layout["ascii_data" if ascii else "compact_data"]
    room = (len(data) - start) // kind
    raw = data[start : start + kind * min(length, room)]
    return raw.decode(_ENCODINGS[kind], "surrogatepass")


def _text(pid: int, address: int, layout: Layout) -> str:
    """A str (Include/cpython/unicodeobject.h): length at 16, state at 32; its characters lie behind PyASCIIObject
    if they are all ASCII, else behind PyCompactUnicodeObject.
    """
    data = read_memory(pid, address, layout["compact_data"] + 256)
    length = _LONG.unpack_from(data, 16)[0]
    state = data[32]
    kind, compact, ascii = state >> 2 & 7, state >> 5 & 1, state >> 6 & 1
    if not compact or kind not in (1, 2, 4) or length > MOST_NAME:
        raise ValueError("no string")
    start, size = layout["ascii_data" if ascii else "compact_data"], length * kind
    if start + size > len(data):
        data = read_memory(pid, address, start + size)
    raw = data[start : start + size]
    return raw.decode(_ENCODINGS[kind], "surrogatepass")


def _bytes(pid: int, address: int) -> bytes:
    """A bytes object: its size at 16, its content from 32 on."""
    data = read_memory(pid, address, 32 + _MOST_TABLES_BYTES)
    size: int = _LONG.unpack_from(data, 16)[0]
    if size > MOST_LINETABLE_BYTES:
        raise ValueError("no bytes")
    return data[32 : 32 + size] if size <= len(data) - 32 else read_memory(pid, address + 32, size)


def _line_numbers(table: bytes, line: int) -> tuple[list[int], list[int]]:
    """(first instruction, line) of each entry of a location table (CPython's InternalDocs/code_objects.md)."""
    starts, lines = [], []
    at = index = 0
    try:
        while at < len(table):
            code, length = table[at] >> 3 & 15, (table[at] & 7) + 1
            at += 1
            known = True
            if code < 10:
                at += 1
            elif code < 13:
                line += code - 10
                at += 2
            elif code < 15:
                delta, at = _signed_varint(table, at)
                line += delta
                for _ in range(3 if code == 14 else 0):
                    _, at = _varint(table, at)
            else:
                known = False
            starts.append(index)
            lines.append(line if known else 0)
            index += length
    except IndexError:
        pass  # cut off: the rest is not known
    return starts, lines


def _varint(table: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = table[at]
        at += 1
        if shift > _MOST_SHIFT:
            raise IndexError("no number of an interpreter's")
        value |= (byte & 63) << shift
        shift += 6
        if not byte & 64:
            return value, at


def _signed_varint(table: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(table, at)
    return (-(value >> 1) if value & 1 else value >> 1), at
