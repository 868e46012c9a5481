"""One system call's raw arguments and result, as text."""

from __future__ import annotations

from os import strerror

from kernscope.syscalls.structures import STRUCTURES, quoted, quoted_bytes, sockaddr
from kernscope.tables.errno_names import ERRNO_NAMES, KERNEL_TEXTS, MAX_ERRNO
from kernscope.tables.syscalls.calls import POINTED_BYTES, STRINGS, Argument, Call
from kernscope.tables.syscalls.number_text import number_text, pointer_text, signed_64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["STRING_BYTES", "arguments_text", "error_text", "read_strings", "result_text"]

STRING_BYTES = 256
"""How much of a string or path is read, its NUL included."""

BUFFER_BYTES = 64
"""How much of a buffer is read."""

SOCKADDR_BYTES = 112
"""struct sockaddr_un, the longest in use, has 110."""

PEER_SOCKADDR_BYTES = 28
"""How much of an address that the kernel wrote is read: struct sockaddr_in6. Its length is known only by
pointer."""

_TEXTS = STRINGS | {"buf"}

EFAULT = 14


def arguments_text(
    call: Call, values: Sequence[int], memory: Sequence[object], result: int | None
) -> list[str]:
    """The arguments as text, those that do not exist left out.

    `values` are the raw arguments; `memory` has for each argument with `in_memory`, in order, what was read
    there:
    str, or bytes (empty where it could not be read). `result` is None if the call has not returned.
    """
    texts: list[str] = []
    # What the kinds of later arguments depend on: an address's content is not among it, since others choose it.
    decided: list[str] = []
    contents = iter(memory)
    for argument, value in zip(call.arguments, values):
        if argument.in_memory:
            texts.append(_content_text(call, argument, value, next(contents, b""), values, result))
            decided.append("")
            continue
        kind = argument.kind
        if kind == "select":
            kind = call.selected(argument.name, decided)
        if not kind or (argument.only_with and not _flag_given(argument.only_with, decided)):
            break
        text = number_text(kind, value)
        texts.append(text)
        decided.append(text)
    return texts


def read_strings(
    call: Call, values: Sequence[int], memory: Sequence[object], result: int | None
) -> dict[str, str | None]:
    """What was read of those arguments that are texts and could be read, by name; None for NULL."""
    found: dict[str, str | None] = {}
    contents = iter(memory)
    for argument, value in zip(call.arguments, values):
        if not argument.in_memory:
            continue
        content = next(contents, b"")
        if argument.kind in _TEXTS and not value:
            found[argument.name] = None
            continue
        if argument.kind not in _TEXTS or _content_text(
            call, argument, value, content, values, result
        ) == pointer_text(value):
            continue
        if isinstance(content, bytes):
            length = _length(call, argument, values, result)
            content = content[:length].decode("utf-8", "surrogateescape")
        found[argument.name] = str(content)
    return found


def _flag_given(wanted: frozenset[str], decided: Sequence[str]) -> bool:
    return any(not wanted.isdisjoint(text.split("|")) for text in decided)


def _content_text(
    call: Call, argument: Argument, address: int, content: object, values: Sequence[int], result: int | None
) -> str:
    if address == 0:
        return "NULL"
    if argument.written and (result is None or -MAX_ERRNO <= result < 0):
        return pointer_text(address)
    if argument.kind in STRINGS:
        # Memory that cannot be read gives an empty string, too; the call then failed with EFAULT, or is not
        # over.
        if not isinstance(content, str) or (not content and (result is None or signed_64(result) == -EFAULT)):
            return pointer_text(address)
        return quoted(content, cut=len(content.encode("utf-8", "surrogateescape")) >= STRING_BYTES - 1)
    if not isinstance(content, bytes) or not content:
        return (
            '""'
            if argument.kind == "buf" and _length(call, argument, values, result) == 0
            else pointer_text(address)
        )
    if argument.kind == "sockaddr":
        return sockaddr(content)
    if argument.kind == "buf":
        length = _length(call, argument, values, result)
        return quoted_bytes(content if length is None else content[:length], cut=(length or 0) > len(content))
    size = POINTED_BYTES[argument.kind]
    return STRUCTURES[argument.kind](content[:size]) if len(content) >= size else pointer_text(address)


def _length(call: Call, argument: Argument, values: Sequence[int], result: int | None) -> int | None:
    """How many bytes a buffer has; None where only the kernel knew."""
    if argument.length == "ret":
        return result
    for index, other in enumerate(call.arguments):
        if other.name == argument.length:
            return values[index]
    return None


def error_text(number: int) -> str:
    """`2` → `ENOENT (No such file or directory)`."""
    name = ERRNO_NAMES.get(number)
    if name is None:
        return f"errno {number}"
    return f"{name} ({KERNEL_TEXTS.get(name) or strerror(number)})"


def result_text(call: Call, values: Sequence[int], result: int | None) -> str:
    """What stands after `=`: the result by its kind, `-1 ENOENT (…)`, or `?` for a call that does not
    return."""
    if result is None:
        return "?"
    result = signed_64(result)
    if -MAX_ERRNO <= result < 0:
        return f"-1 {error_text(-result)}"
    kind = call.result
    if kind == "select":
        decided = [
            number_text(argument.kind, value) if not argument.in_memory and argument.kind != "select" else ""
            for argument, value in zip(call.arguments, values)
        ]
        kind = call.selected("ret", decided)
    if kind in ("int", "fd", "pid", "size"):
        return str(result)
    return number_text(kind, result)
