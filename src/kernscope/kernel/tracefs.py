"""tracefs: the kernel's tracepoints, their ids and fields; mounted for us alone if nobody has mounted it.

Source: Documentation/trace/events.rst, fsopen(2)-family of mount calls (Linux 5.2).
"""

import errno
import os

from kernscope.kernel.errors import KernelError
from kernscope.kernel.syscall import Buffer, syscall

__all__ = ["Field", "Tracefs", "TracepointFormat", "parse_format"]

MOUNT_POINTS = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")

# The new mount calls have the same numbers on all architectures (they came after unification).
_NR_FSOPEN, _NR_FSCONFIG, _NR_FSMOUNT = 430, 431, 432
_FSOPEN_CLOEXEC = _FSMOUNT_CLOEXEC = 1
_FSCONFIG_CMD_CREATE = 6

_FOLDER_FILES = frozenset(("enable", "filter"))
"""Files in a category's folder that are no events."""

_NOT_ATTACHABLE = "ftrace"
"""A category of the function tracer's own records: folders, but no events."""

_MOUNT_HINT = "as root, run `mount -t tracefs tracefs /sys/kernel/tracing`"


class Field:
    """One field of a tracepoint's record.

    Attributes:
        type_text: the C type without name and array brackets: ``const char *``, ``unsigned long``, ``char``.
        offset, size: bytes in the record; of dynamic fields of the 4-byte locator.
        signed: as the kernel says.
        count: number of elements of a fixed array, 0 if the field is no array.
        dynamic: ``""``, ``"data_loc"`` (locator: low 16 bits offset from the record's start, high 16 bits
            length), or ``"rel_loc"`` (the offset counts from the end of the locator).
    """

    __slots__ = ("count", "dynamic", "name", "offset", "signed", "size", "type_text")

    def __init__(
        self,
        name: str,
        type_text: str,
        offset: int,
        size: int,
        signed: bool,
        count: int = 0,
        dynamic: str = "",
    ) -> None:
        self.name = name
        self.type_text = type_text
        self.offset = offset
        self.size = size
        self.signed = signed
        self.count = count
        self.dynamic = dynamic

    @property
    def is_array(self) -> bool:
        return self.count > 0 or bool(self.dynamic)

    @property
    def is_pointer(self) -> bool:
        return self.type_text.endswith("*")

    @property
    def is_common(self) -> bool:
        """Part of every record's header (``common_pid`` …)."""
        return self.name.startswith("common_")

    @property
    def declaration(self) -> str:
        """As C would write it."""
        space = "" if self.is_pointer else " "
        if self.dynamic:
            return f"__{self.dynamic} {self.type_text}[] {self.name}"
        return f"{self.type_text}{space}{self.name}" + (f"[{self.count}]" if self.count else "")

    def __repr__(self) -> str:
        return f"<Field {self.declaration} at {self.offset}, {self.size} bytes, signed={self.signed}>"


class TracepointFormat:
    """One event: `category`, `name`, tracefs `id` and all `fields`, the common ones first."""

    __slots__ = ("category", "fields", "id", "name")

    def __init__(self, category: str, name: str, id: int, fields: tuple[Field, ...]) -> None:
        self.category = category
        self.name = name
        self.id = id
        self.fields = fields

    def field(self, name: str) -> Field | None:
        for field in self.fields:
            if field.name == name:
                return field
        return None

    @property
    def own_fields(self) -> tuple[Field, ...]:
        """The fields without the common header."""
        return tuple(field for field in self.fields if not field.is_common)


def parse_format(category: str, text: str) -> TracepointFormat:
    """The content of an event's ``format`` file. Raises ValueError if it is not one."""
    name, identity = "", -1
    fields = []
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("field:"):
            fields.append(_parse_field(line))
        elif line.startswith("name:"):
            name = line[5:].strip()
        elif line.startswith("ID:"):
            identity = int(line[3:])
        elif line.startswith("print fmt:"):
            break
    if not name or identity < 0:
        raise ValueError(f"not a tracepoint format: {text[:60]!r}")
    return TracepointFormat(category, name, identity, tuple(fields))


def _parse_field(line: str) -> Field:
    parts = {}
    for part in line.split(";"):
        key, colon, value = part.strip().partition(":")
        if colon:
            parts[key] = value
    declaration = parts["field"].strip()
    size = int(parts["size"])
    dynamic = ""
    for kind in ("data_loc", "rel_loc"):
        if declaration.startswith(f"__{kind} "):
            dynamic = kind
            declaration = declaration[len(kind) + 3 :]
    # Two spellings of arrays: `char comm[16]`, and `char[] name` for dynamic fields.
    count = 0
    left, bracket, right = declaration.partition("[")
    if bracket:
        inside, _, after = right.partition("]")
        if after.strip():
            type_text, name = left.strip(), after.strip()
        else:
            type_text, name = _split_name(left)
        if not dynamic:
            count = (
                int(inside) if inside.strip().isdigit() else size // (_BASE_SIZES.get(type_text) or size or 1)
            )
    else:
        type_text, name = _split_name(declaration)
    return Field(name, type_text, int(parts["offset"]), size, parts.get("signed", "0") == "1", count, dynamic)


_BASE_SIZES = {
    "char": 1, "signed char": 1, "unsigned char": 1, "u8": 1, "__u8": 1, "s8": 1, "uint8_t": 1, "bool": 1,
    "short": 2, "unsigned short": 2, "u16": 2, "__u16": 2, "s16": 2, "__be16": 2,
    "int": 4, "unsigned int": 4, "u32": 4, "__u32": 4, "s32": 4, "__be32": 4,
    "long": 8, "unsigned long": 8, "u64": 8, "__u64": 8, "s64": 8,
}  # fmt: skip
"""For arrays whose length the kernel prints as a macro's name (``char comm[TASK_COMM_LEN]``)."""


def _split_name(declaration: str) -> tuple[str, str]:
    """``const char * filename`` → (``const char *``, ``filename``)."""
    text = declaration.strip()
    end = len(text)
    while end and (text[end - 1].isalnum() or text[end - 1] == "_"):
        end -= 1
    return text[:end].strip(), text[end:]


class Tracefs:
    """Access to one tracefs, through a directory descriptor. Found or mounted when made.

    A detached mount (fsmount) is used where tracefs is mounted nowhere: it is visible to nobody, changes no
    mount namespace, and goes away with its descriptor.

    Raises:
        KernelError: command ``mount tracefs``, with a hint, when there is none to be had.
    """

    __slots__ = ("_by_category", "_by_listing", "_fd", "_formats", "is_private")

    def __init__(self) -> None:
        self.is_private = False
        self._formats: dict[tuple[str, str], TracepointFormat] = {}
        self._by_category: dict[str, list[str]] | None = None
        self._by_listing: dict[str, list[str]] = {}
        self._fd = -1
        for path in MOUNT_POINTS:
            # An unmounted mount point is an empty directory; `events` tells.
            if os.access(f"{path}/events", os.X_OK):
                self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                break
        if self._fd < 0:
            self._fd = _mount_detached()
            self.is_private = True

    def categories(self) -> list[str]:
        """All event categories, sorted."""
        return sorted(self._events())

    def events(self, category: str) -> list[str]:
        """All events of `category`, sorted; empty if there is none such."""
        if self._by_category is not None or category == _NOT_ATTACHABLE:
            return self._events().get(category, [])
        names = self._by_listing.get(category)
        if names is None:
            names = self._by_listing[category] = self._list(category)
        return names

    def _list(self, category: str) -> list[str]:
        """The folder's entries; faster than the file of all events where one category is wanted."""
        try:
            fd = os.open(
                f"events/{_checked(category)}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._fd
            )
        except OSError:  # KernelError included: there is no such category
            return []
        try:
            return sorted(name for name in os.listdir(fd) if name not in _FOLDER_FILES)
        finally:
            os.close(fd)

    def all_events(self) -> list[tuple[str, str]]:
        """(category, event) of all, sorted."""
        events = self._events()
        return [(category, name) for category in sorted(events) for name in events[category]]

    def event_id(self, category: str, name: str) -> int:
        """The number perf_event_open(2) wants."""
        return int(self._read(f"events/{_checked(category)}/{_checked(name)}/id", f"{category}:{name}"))

    def event_format(self, category: str, name: str) -> TracepointFormat:
        """Id and fields of one event; remembered. Raises KernelError(ENOENT)."""
        key = (category, name)
        found = self._formats.get(key)
        if found is None:
            text = self._read(f"events/{_checked(category)}/{_checked(name)}/format", f"{category}:{name}")
            found = self._formats[key] = parse_format(category, text)
        return found

    def read(self, path: str) -> str:
        """The text of the file `path` below the mount point."""
        return self._read(path, path)

    def _events(self) -> dict[str, list[str]]:
        """One file names all events; walking the directories takes a hundred times as long."""
        if self._by_category is None:
            found: dict[str, list[str]] = {}
            for line in self._read("available_events", "available_events").splitlines():
                category, colon, name = line.partition(":")
                if colon:
                    found.setdefault(category, []).append(name)
            for names in found.values():
                names.sort()
            self._by_category = found
        return self._by_category

    def _read(self, path: str, what: str) -> str:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._fd)
        except OSError as error:
            raise KernelError(error.errno or errno.EIO, "open in tracefs", what) from None
        try:
            parts = []
            while part := os.read(fd, 1 << 16):
                parts.append(part)
        except OSError as error:
            raise KernelError(error.errno or errno.EIO, "read in tracefs", what) from None
        finally:
            os.close(fd)
        return b"".join(parts).decode("utf-8", "replace")

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _checked(name: str) -> str:
    """`name` if it can only be one directory's name; a user typed it."""
    if not name or "/" in name or name in (".", "..") or "\0" in name:
        raise KernelError(errno.ENOENT, "open in tracefs", name)
    return name


def _mount_detached() -> int:
    """A file descriptor of a tracefs mounted nowhere."""
    kind = Buffer(b"tracefs\0")
    context = syscall(_NR_FSOPEN, kind.address, _FSOPEN_CLOEXEC)
    if context < 0:
        raise KernelError(-context, "mount tracefs", MOUNT_POINTS[0], _mount_hint(-context))
    try:
        result = syscall(_NR_FSCONFIG, context, _FSCONFIG_CMD_CREATE, 0, 0, 0)
        if result >= 0:
            result = syscall(_NR_FSMOUNT, context, _FSMOUNT_CLOEXEC, 0)
    finally:
        os.close(context)
    if result < 0:
        raise KernelError(-result, "mount tracefs", MOUNT_POINTS[0], _mount_hint(-result))
    return result


def _mount_hint(number: int) -> str | None:
    return f"this kernel is older than 5.2: {_MOUNT_HINT}" if number == errno.ENOSYS else None
