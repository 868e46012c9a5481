"""How the kernel knows a field: one entry for each that it knows at all.

An entry makes of a comparison what is surely and what is perhaps true (`gate_text.Bounds`). It must agree with what the
field of the record will be (`call_fields`, `process_fields`). Where something else than the record decides that (the
tree of processes, /proc), the kernel does not know it.
"""

from __future__ import annotations

import os
import stat
from ipaddress import IPv4Network, ip_network

from kernscope.detector.conditions import Check, Field, Items, Word
from kernscope.detector.operators import as_number
from kernscope.detector.watch.call_fields import MODE_NAMES, OPENS, argument_place
from kernscope.detector.watch.gate_logic import FALSE, TRUE, Test, Truth, all_of, any_of, inverse
from kernscope.detector.watch.gate_text import (
    UNKNOWN,
    Bounds,
    Subject,
    both,
    bounds,
    either,
    negated,
    text_bounds,
)
from kernscope.detector.watch.users import root_is_root
from kernscope.tables.errno_names import errno_number
from kernscope.tables.flags import FlagSet, Names, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kernscope.detector.watch.calls import WatchedCall

    Entry = Callable[["Place", str, Sequence[str]], Bounds]

__all__ = ["Place", "check_bounds", "succeeded"]

_ORDER = ("<", "<=", ">", ">=")
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_S_IFMT = 0o170000
_MOST_INT64 = (1 << 63) - 1


class Place:
    """Where in the program a gate stands: of which call, and what stands for which value there (see `gate.gate`)."""

    __slots__ = ("call", "names", "type")

    def __init__(self, type: str, names: Mapping[str, str], call: WatchedCall) -> None:
        self.type, self.names, self.call = type, names, call

    @property
    def has_descriptor(self) -> bool:
        """Whether the call is about a file or a socket, be it known at this place or not."""
        return any(key in part.names for part in self.call.parts for key in ("mode", "lip", "rip"))


def check_bounds(check: Check, place: Place) -> Bounds:
    """What a comparison is in the kernel."""
    if not isinstance(check.operand, Field) or not isinstance(check.value, Word | Items):
        return UNKNOWN
    values = [check.value.value] if isinstance(check.value, Word) else [w.value for w in check.value.words]
    field = check.operand
    entry = _FIELDS.get(field.key)
    if entry is not None:
        return entry(place, check.operator, values)
    for family, argument_entry in _ARGUMENTS.items():
        name = field.key.removeprefix(f"{family}.")
        if name == field.key and field.name == family and field.argument is not None:
            name = field.argument
        if name != field.key:
            return argument_entry(place, name, check.operator, values)
    return UNKNOWN


# --- numbers ------------------------------------------------------------------------------------------------


def _number(key: str) -> Entry:
    def entry(place: Place, operator: str, values: Sequence[str]) -> Bounds:
        expression = place.names.get(key)
        return UNKNOWN if expression is None else _compared(expression, operator, values)

    return entry


def _compared(expression: str, operator: str, values: Sequence[str]) -> Bounds:
    """A number that is always there."""
    wanted: list[int] = []
    for value in values:
        number = as_number(value)
        if isinstance(number, int):
            wanted.append(number)
    if len(wanted) < len(values) or any(abs(n) > _MOST_INT64 for n in wanted):
        return UNKNOWN
    signed = f"(int64)({expression})"
    if (operator, wanted[0]) in (
        (">=", 0),
        ("<", 0),
    ):  # the same test in all rules, so that it is known again
        return bounds(succeeded(expression) if operator == ">=" else inverse(succeeded(expression)))
    if operator in _ORDER:
        return bounds(Test(f"{signed} {operator} {wanted[0]}", 2))
    if operator not in ("=", "in", "!="):
        return UNKNOWN
    found = bounds(any_of([Test(f"{signed} == {number}", 2) for number in wanted]))
    return negated(found) if operator == "!=" else found


def _truth(make: Callable[[Place], Bounds]) -> Entry:
    """A field that is true or false, and always there."""

    def entry(place: Place, operator: str, values: Sequence[str]) -> Bounds:
        if operator not in ("=", "in", "!="):
            return UNKNOWN
        lower = [value.lower() for value in values]
        if not all(value in ("true", "false") for value in lower):
            return UNKNOWN
        made = make(place)
        found = either([made if value == "true" else negated(made) for value in lower])
        return negated(found) if operator == "!=" else found

    return entry


def succeeded(result: str) -> Truth:
    return Test(f"(int64)({result}) >= 0", 2)


def _failed(place: Place) -> Bounds:
    result = place.names.get("res")
    return UNKNOWN if result is None else bounds(inverse(succeeded(result)))


def _result_name(place: Place, operator: str, values: Sequence[str]) -> Bounds:
    """SUCCESS, or the name of an error."""
    result = place.names.get("res")
    if result is None or operator not in ("=", "in", "!="):
        return UNKNOWN
    parts = []
    for value in values:
        if value == "SUCCESS":
            parts.append(negated(_failed(place)))
            continue
        if value.isdigit():
            return UNKNOWN  # an error without a name
        try:
            parts.append(bounds(Test(f"(int64)({result}) == -{errno_number(value)}", 2)))
        except KeyError:
            continue  # no result is called that
    found = either(parts)
    return negated(found) if operator == "!=" else found


def _opened(make: Callable[[str, Place], Truth | None]) -> Entry:
    def truth(place: Place) -> Bounds:
        flags = place.names.get("flags")
        if flags is None:
            return UNKNOWN if place.type in OPENS else bounds(FALSE)
        made = make(f"(uint64)({flags})", place)
        return UNKNOWN if made is None else bounds(made)

    return _truth(truth)


def _may_create(place: Place) -> Bounds:
    """What the open file says of it is only recorded."""
    flags = place.names.get("flags")
    if flags is None:
        return UNKNOWN if place.type in OPENS else bounds(FALSE)
    return Bounds(Test(f"((uint64)({flags}) & {os.O_CREAT}) != 0", 2), FALSE)


def _created_executable(flags: str, place: Place) -> Truth | None:
    mode = {"open": "$a2", "openat": "$a3", "creat": "$a1"}.get(place.type)
    if mode is None:
        return None
    return all_of([Test(f"({flags} & {os.O_CREAT}) != 0", 2), Test(f"({mode} & {0o111}) != 0", 2)])


# --- text ---------------------------------------------------------------------------------------------------


def _text(key: str, cost: float) -> Entry:
    def entry(place: Place, operator: str, values: Sequence[str]) -> Bounds:
        expression = place.names.get(key)
        if expression is None:
            return UNKNOWN
        return text_bounds(Subject(expression, cost), operator, values)

    return entry


def _path_of(place: Place, key: str) -> Subject | None:
    expression = place.names.get(key)
    return Subject(expression, 1, is_path=True) if expression is not None else None


def _path(key: str) -> Entry:
    def entry(place: Place, operator: str, values: Sequence[str]) -> Bounds:
        subject = _path_of(place, key)
        return UNKNOWN if subject is None else text_bounds(subject, operator, values)

    return entry


def _file(entry: Callable[[Subject, str, Sequence[str]], Bounds]) -> Entry:
    """A field of calls about an open file: its path, or a part of that."""

    def of_file(place: Place, operator: str, values: Sequence[str]) -> Bounds:
        if not place.has_descriptor:
            return bounds(FALSE)
        subject = _path_of(place, "path") if "mode" in place.names else None
        return UNKNOWN if subject is None else entry(subject, operator, values)

    return of_file


def _file_name(subject: Subject, operator: str, values: Sequence[str]) -> Bounds:
    """What is behind the last slash."""
    values = [value for value in values if value]
    if operator == "!=":
        return both([subject.present(), negated(_file_name(subject, "=", values))])
    if operator in ("=", "in"):
        values = [value for value in values if "/" not in value]
        behind = subject.match("strends", ["/" + value for value in values])
        return bounds(any_of([behind, subject.match("strequals", values)]))
    if operator in ("endswith", "contains"):
        function = "strends" if operator == "endswith" else "strcontains"
        return Bounds(subject.match(function, [v for v in values if "/" not in v]), FALSE)
    return UNKNOWN


def _directory(subject: Subject, operator: str, values: Sequence[str]) -> Bounds:
    """What is in front of it: perhaps, as a path may also be deeper."""
    if operator in ("=", "in", "startswith"):
        ends = ["" if value.endswith("/") or operator == "startswith" else "/" for value in values]
        starts = [value + end for value, end in zip(values, ends) if value]
        return Bounds(subject.match("strstarts", starts), FALSE)
    return UNKNOWN


def _user(place: Place, operator: str, values: Sequence[str]) -> Bounds:
    """Names may be given anew while we watch, but for root's."""
    uid = place.names.get("uid")
    if uid is None or operator not in ("=", "in", "!=") or not root_is_root():
        return UNKNOWN
    root = Test(f"(int64)({uid}) == 0", 2)
    if operator == "!=":
        return Bounds(inverse(root) if "root" in values else TRUE, FALSE)
    others = [value for value in values if value != "root"]
    found = bounds(root if "root" in values else FALSE)
    return either([found, Bounds(inverse(root), FALSE)]) if others else found


# --- files and sockets by their mode -------------------------------------------------------------------------


def _mode_is(mode: str, *types: int) -> Truth:
    return any_of([Test(f"({mode} & {_S_IFMT}) == {type}", 2) for type in types])


def _type(which: int) -> Entry:
    """`fd.type` (0) or `fd.typechar` (1)."""

    def entry(place: Place, operator: str, values: Sequence[str]) -> Bounds:
        mode = place.names.get("mode")
        if mode is None or operator not in ("=", "in", "!="):
            return UNKNOWN
        mode, family = f"(uint64)({mode})", place.names.get("family")
        regular = _mode_is(mode, stat.S_IFREG, stat.S_IFCHR, stat.S_IFBLK)
        socket = _mode_is(mode, stat.S_IFSOCK)
        known: dict[str, Bounds] = {
            ("file", "f")[which]: Bounds(regular, FALSE),  # perhaps a file in memory
            ("memfd", "m")[which]: Bounds(regular, FALSE),
            ("directory", "d")[which]: bounds(_mode_is(mode, stat.S_IFDIR)),
            ("pipe", "p")[which]: bounds(_mode_is(mode, stat.S_IFIFO)),
        }
        for number, name in ((_AF_INET, "ipv4"), (_AF_INET6, "ipv6"), (_AF_UNIX, "unix")):
            one = Bounds(socket, FALSE)
            if family is not None:
                one = bounds(all_of([socket, Test(f"(uint64)({family}) == {number}", 2)]))
            known[name if not which else {"ipv4": "4", "ipv6": "6", "unix": "u"}[name]] = one
        if operator == "!=":
            # There is a type: sockets of other families, and other files, have none.
            some = any_of([part.perhaps for part in known.values()])
            surely = any_of([part.sure for part in known.values()])
            found = either([known.get(value, bounds(FALSE)) for value in values])
            return both([Bounds(some, surely), negated(found)])
        return either([known.get(value, bounds(FALSE)) for value in values])

    return entry


_PROTOCOLS = {"icmp": (1, 58), "tcp": (6,), "udp": (17,), "raw": (255,)}


def _protocol(place: Place, operator: str, values: Sequence[str]) -> Bounds:
    family, protocol = place.names.get("family"), place.names.get("protocol")
    if family is None or protocol is None or operator not in ("=", "in"):
        return UNKNOWN
    internet = any_of([Test(f"(uint64)({family}) == {f}", 2) for f in (_AF_INET, _AF_INET6)])
    others = [n for numbers in _PROTOCOLS.values() for n in numbers]
    unnamed = all_of([inverse(Test(f"(uint64)({protocol}) == {n}", 2)) for n in others])
    parts = []
    for value in values:
        named = any_of([Test(f"(uint64)({protocol}) == {n}", 2) for n in _PROTOCOLS.get(value, ())])
        parts.append(both([bounds(internet), Bounds(any_of([named, unnamed]), named)]))
    return either(parts)


def _port(key: str) -> Entry:
    def entry(place: Place, operator: str, values: Sequence[str]) -> Bounds:
        expression = place.names.get(key)
        if expression is None:
            return UNKNOWN
        return _sent(expression, _compared(expression, operator, values))

    return entry


def _sent(expression: str, found: Bounds) -> Bounds:
    """Of an address that a call was given: where there is none, the expression is 0, and the field perhaps missing."""
    some = inverse(Test(f"(uint64)({expression}) == 0", 2))
    return Bounds(found.perhaps, all_of([some, found.sure]))


def _address(key: str) -> Entry:
    """IPv4 addresses are decided, others pass."""

    def entry(place: Place, operator: str, values: Sequence[str]) -> Bounds:
        expression = place.names.get(key)
        if expression is None or operator not in ("=", "in", "!="):
            return UNKNOWN
        parts = []
        for value in values:
            try:
                network = ip_network(value, strict=False)
            except ValueError:
                return UNKNOWN
            if isinstance(network, IPv4Network):
                mask, wanted = int(network.netmask), int(network.network_address)
                test = Test(f"((uint64)({expression}) & {mask}) == {wanted}", 2)
                parts.append(bounds(test if mask else TRUE))
        found = either(parts)
        return _sent(expression, negated(found) if operator == "!=" else found)

    return entry


# --- arguments ----------------------------------------------------------------------------------------------


_RETURN_FILES = (*OPENS, "accept", "accept4", "socket", "memfd_create", "dup")


def _descriptor(place: Place, operator: str, values: Sequence[str]) -> Bounds:
    """`fd.num`: what is opened, or the call's first descriptor."""
    if place.type in _RETURN_FILES:
        return _number("res")(place, operator, values)
    for number, argument in enumerate(place.call.arguments):
        if argument.kind == "fd":
            return _compared(f"(int64)(int32)$a{number}", operator, values)
    return UNKNOWN


def _argument(place: Place, name: str, operator: str, values: Sequence[str]) -> Bounds:
    """An argument's text: names of flags and constants, numbers, paths."""
    if name == "res":
        return _result_name(place, operator, values)
    if name == "flags" and "flags" in place.names:
        return _named_number(f"(uint64)({place.names['flags']})", "open_flags", operator, values)
    number = argument_place(place.call, name)
    if number is None:
        return UNKNOWN
    argument = place.call.arguments[number]
    if argument.in_memory or argument.written:
        return UNKNOWN
    return _named_number(f"$a{number}", argument.kind, operator, values)


def _named_number(value: str, kind: str, operator: str, values: Sequence[str]) -> Bounds:
    if kind in ("int", "fd", "pid", "uid"):
        return _decimal(value, operator, values)
    if kind in ("mode", "file_mode"):
        return _mode_bits(value, operator, values)
    try:
        names = find(kind)
    except KeyError:
        return UNKNOWN
    if operator == "contains":
        return either([_contains_name(value, names, wanted) for wanted in values])
    if operator not in ("=", "in", "!="):
        return UNKNOWN
    parts = []
    for wanted in values:
        numbers = _numbers_named(names, wanted)
        if not numbers:
            return UNKNOWN
        low = f"({value} & 0xffffffff)"
        parts.append(bounds(any_of([Test(f"{low} == {n & 0xFFFF_FFFF}", 2) for n in numbers])))
    # Numbers that differ in their upper half may have the same name, or not.
    found = either(parts)
    return Bounds(TRUE, FALSE) if operator == "!=" else Bounds(found.perhaps, FALSE)


def _mode_bits(value: str, operator: str, values: Sequence[str]) -> Bounds:
    if operator != "contains" or not all(wanted.startswith("S_I") for wanted in values):
        return UNKNOWN
    bits = [
        bit for wanted in values for name in MODE_NAMES if wanted in name for bit in [getattr(stat, name)]
    ]
    return Bounds(any_of([Test(f"({value} & {bit}) != 0", 2) for bit in bits]), FALSE)


def _decimal(value: str, operator: str, values: Sequence[str]) -> Bounds:
    """A number of 32 bits with a sign, as text."""
    if operator not in ("=", "in", "!="):
        return UNKNOWN
    wanted: list[int] = []
    for text in values:
        number = as_number(text)
        if not isinstance(number, int):
            continue
        if not -(1 << 31) <= number < 1 << 31:
            return UNKNOWN
        wanted.append(number)
    found = bounds(any_of([Test(f"(int64)(int32)({value}) == {number}", 2) for number in wanted]))
    return Bounds(TRUE, FALSE) if operator == "!=" else Bounds(found.perhaps, FALSE)


def _numbers_named(names: FlagSet | Names, text: str) -> list[int]:
    """The numbers that are shown as a text."""
    if isinstance(names, Names):
        return [number for number, name in names.names.items() if name == text]
    known = {name: bit for bit, name in names.bits.items()}
    if names.field is not None:
        known |= {name: number for number, name in names.field[1].items()}
    number = 0
    for part in text.split("|"):
        if part not in known:
            return []
        number |= known[part]
    return [number] if names.decode(number) == text else []


def _contains_name(value: str, names: FlagSet | Names, text: str) -> Bounds:
    """Whether a part of the text is in one of the names; with anything but names it is not known."""
    if not text.isidentifier() or text.isdigit() or not any(c.isupper() for c in text):
        return UNKNOWN
    if isinstance(names, Names):
        numbers = [number for number, name in names.names.items() if text in name]
        low = f"({value} & 0xffffffff)"
        return Bounds(any_of([Test(f"{low} == {n & 0xFFFF_FFFF}", 2) for n in numbers]), FALSE)
    parts: list[Truth] = []
    if names.field is not None:
        mask, field = names.field
        parts += [Test(f"({value} & {mask}) == {n}", 2) for n, name in field.items() if text in name]
    parts += [Test(f"({value} & {bit}) == {bit}", 2) for bit, name in names.bits.items() if text in name]
    if text in names.zero:
        parts.append(Test(f"{value} == 0", 2))
    return Bounds(any_of(parts), FALSE)


def _raw_argument(place: Place, name: str, operator: str, values: Sequence[str]) -> Bounds:
    number = argument_place(place.call, name)
    return UNKNOWN if number is None else _compared(f"$a{number}", operator, values)


_ARGUMENTS: dict[str, Callable[[Place, str, str, Sequence[str]], Bounds]] = {
    "evt.rawarg": _raw_argument,
    "evt.arg": _argument,
}

_COMM_COST = 25
_FIELDS: dict[str, Entry] = {
    "evt.res": _result_name,
    "evt.rawres": _number("res"),
    "evt.failed": _truth(_failed),
    "evt.is_open_read": _opened(lambda flags, _: inverse(Test(f"({flags} & 3) == {os.O_WRONLY}", 2))),
    "evt.is_open_write": _opened(lambda flags, _: inverse(Test(f"({flags} & 3) == {os.O_RDONLY}", 2))),
    "evt.is_open_create": _truth(_may_create),
    "evt.is_open_exec": _opened(_created_executable),
    "proc.name": _text("comm", _COMM_COST),
    "proc.pname": _text("pcomm", _COMM_COST),
    "proc.pid": _number("pid"),
    "thread.tid": _number("tid"),
    "user.uid": _number("uid"),
    "group.gid": _number("gid"),
    "user.name": _user,
    "fd.num": _descriptor,
    "fd.name": _file(text_bounds),
    "fd.filename": _file(_file_name),
    "fd.directory": _file(_directory),
    "fd.type": _type(0),
    "fd.typechar": _type(1),
    "fd.l4proto": _protocol,
    "fs.path.name": _path("path"),
    "evt.abspath": _path("path"),
    "fs.path.source": _path("source"),
    "fs.path.target": _path("target"),
    "fd.sip": _address("sip"),
    "fd.cip": _address("cip"),
    "fd.lip": _address("lip"),
    "fd.rip": _address("rip"),
    "fd.snet": _address("sip"),
    "fd.cnet": _address("cip"),
    "fd.sport": _port("sport"),
    "fd.cport": _port("cport"),
    "fd.lport": _port("lport"),
    "fd.rport": _port("rport"),
}
