"""What the operators mean: for a field's type, an operator and the values on the right, a test of one value.

A test gets a value that is there; that a missing one compares as false, and what several values mean, is decided in
`evaluate`. Wrong values on the right raise ValueError with a message.
"""

from __future__ import annotations

import operator as arithmetic
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from kernscope.detector.patterns import RefusedPattern, compile_glob, compile_regex

__all__ = ["as_number", "as_text", "make_test"]

Test = Callable[[object], bool]

_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": arithmetic.lt,
    "<=": arithmetic.le,
    ">": arithmetic.gt,
    ">=": arithmetic.ge,
}


def as_text(value: object) -> str:
    if value.__class__ is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, list | tuple):
        return " ".join(map(as_text, value))
    return str(value)


def as_number(value: object) -> float | None:
    """A number from a number or its text (decimal, or `0x…`); None where it is none."""
    if isinstance(value, int | float):
        return value
    try:
        return int(value, 0) if isinstance(value, str) and len(value) < 64 else None
    except ValueError:
        try:
            return int(str(value))
        except ValueError:
            return None


def make_test(type: str, operator: str, values: list[str]) -> Test:
    """A test of a value of a field of this type. Raises ValueError, RefusedPattern."""
    if type in _BY_TYPE and operator in ("=", "!=", "in", *_ORDER):
        return _BY_TYPE[type](operator, values)
    if operator in _ORDER:
        return _number_test(operator, values)
    return _TEXT_TESTS[operator](values)


def _number_test(operator: str, values: list[str]) -> Test:
    numbers = [as_number(value) for value in values]
    for value, number in zip(values, numbers):
        if number is None:
            raise ValueError(f"`{value}` is not a number")
    if operator in _ORDER:
        compare, wanted = _ORDER[operator], numbers[0]
        assert wanted is not None
        return lambda value: (found := as_number(value)) is not None and compare(found, wanted)
    known = frozenset(numbers)
    return lambda value: (found := as_number(value)) is not None and found in known


def _truth_test(operator: str, values: list[str]) -> Test:
    for value in values:
        if value.lower() not in ("true", "false"):
            raise ValueError(f"`{value}` is not `true` or `false`")
    if operator in _ORDER:
        raise ValueError(f"`{operator}` cannot compare truth values")
    known = frozenset(value.lower() for value in values)
    return lambda value: as_text(value).lower() in known


def _address_test(operator: str, values: list[str]) -> Test:
    if operator in _ORDER:
        raise ValueError(f"`{operator}` cannot compare addresses")
    networks: list[IPv4Network | IPv6Network] = []
    for value in values:
        try:
            networks.append(ip_network(value, strict=False))
        except ValueError:
            raise ValueError(f"`{value}` is not an address or a network such as `10.0.0.0/8`") from None

    def test(value: object) -> bool:
        try:
            address = ip_address(as_text(value))
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any(
            a in n for n in networks for a in (address, mapped) if a is not None and a.version == n.version
        )

    return test


def _any_test(operator: str, values: list[str]) -> Test:
    """What an argument is depends on the call: numbers are compared with numbers, all else as text."""
    if operator in _ORDER:
        return _number_test(operator, values)
    texts = frozenset(values)
    numbers = frozenset(n for n in map(as_number, values) if n is not None)

    def test(value: object) -> bool:
        if as_text(value) in texts:
            return True
        return isinstance(value, int | float) and not isinstance(value, bool) and value in numbers

    return test


_BY_TYPE: dict[str, Callable[[str, list[str]], Test]] = {
    "number": _number_test,
    "port": _number_test,
    "bool": _truth_test,
    "address": _address_test,
    "network": _address_test,
    "any": _any_test,
}


def _one_of(values: list[str]) -> Test:
    known = frozenset(values)
    return lambda value: as_text(value) in known


def _intersects(values: list[str]) -> Test:
    known = frozenset(values)
    return lambda value: (
        as_text(value) in known or (isinstance(value, str) and not known.isdisjoint(value.split()))
    )


def _contains(values: list[str]) -> Test:
    return lambda value: values[0] in as_text(value)


def _icontains(values: list[str]) -> Test:
    wanted = values[0].lower()
    return lambda value: wanted in as_text(value).lower()


def _starts(values: list[str]) -> Test:
    return lambda value: as_text(value).startswith(values[0])


def _ends(values: list[str]) -> Test:
    return lambda value: as_text(value).endswith(values[0])


def _bytes_of(value: object) -> bytes:
    return value if isinstance(value, bytes) else as_text(value).encode("utf-8", "surrogateescape")


def _hexadecimal(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError(f"`{text}` is not a row of bytes in hexadecimal, such as `CAFEBABE`") from None


def _bcontains(values: list[str]) -> Test:
    wanted = _hexadecimal(values[0])
    return lambda value: wanted in _bytes_of(value)


def _bstarts(values: list[str]) -> Test:
    wanted = _hexadecimal(values[0])
    return lambda value: _bytes_of(value).startswith(wanted)


def _pattern(values: list[str], *, glob: bool, ignore_case: bool = False) -> Test:
    try:
        pattern = (compile_glob if glob else compile_regex)(values[0], ignore_case)
    except RefusedPattern as problem:
        raise RefusedPattern(f"`{values[0]}` cannot be used as a pattern: {problem}") from None
    return lambda value: pattern.matches(as_text(value))


def _path_prefixes(values: list[str]) -> Test:
    """Whole components: `/etc` is a prefix of `/etc/passwd`, not of `/etcetera`; globs do not go beyond `/`."""
    plain: set[tuple[str, ...]] = set()
    globs = []
    for value in values:
        parts = _components(value)
        if any(c in value for c in "*?["):
            globs.append([compile_glob(part) for part in parts])
        else:
            plain.add(parts)

    def test(value: object) -> bool:
        parts = _components(as_text(value))
        if any(parts[:length] in plain for length in range(1, len(parts) + 1)):
            return True
        return any(len(g) <= len(parts) and all(p.matches(part) for p, part in zip(g, parts)) for g in globs)

    return test


def _components(path: str) -> tuple[str, ...]:
    parts = [part for part in path.split("/") if part]
    return ("/", *parts) if path.startswith("/") else tuple(parts)


_TEXT_TESTS: dict[str, Callable[[list[str]], Test]] = {
    "=": _one_of,
    "!=": _one_of,
    "in": _one_of,
    "intersects": _intersects,
    "pmatch": _path_prefixes,
    "contains": _contains,
    "icontains": _icontains,
    "startswith": _starts,
    "endswith": _ends,
    "bcontains": _bcontains,
    "bstartswith": _bstarts,
    "glob": lambda values: _pattern(values, glob=True),
    "iglob": lambda values: _pattern(values, glob=True, ignore_case=True),
    "regex": lambda values: _pattern(values, glob=False),
}
