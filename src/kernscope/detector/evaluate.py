"""Evaluating an expanded condition on an event: the reference for what rules mean.

An event maps names of fields (`proc.name`, `proc.aname[2]`, `evt.arg.flags`) to values; None, or no entry, is a field
that is missing. Every comparison with a missing field is false, also `!=`; `not` turns it round. With several values
(any ancestor, either side of a connection) one that fits is enough, and `!=` means that none is equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kernscope.detector.conditions import (
    And,
    Call,
    Check,
    Condition,
    Field,
    Items,
    Not,
    Operand,
    Or,
    Reference,
    Word,
)
from kernscope.detector.fields import MOST_ANCESTORS, FieldEntry, find_field
from kernscope.detector.operators import as_number, as_text, make_test
from kernscope.detector.patterns import RefusedPattern
from kernscope.diagnostics import Diagnostic, error

__all__ = ["Event", "Predicate", "compile_condition", "follows_from_others", "operand_type", "operand_value"]

Event = Mapping[str, object]
Predicate = Callable[[Event], bool]
Getter = Callable[[Event], object]

# Fields that an event need not have, as they follow from others.
_ADDRESSES = ("fd.cip", "fd.sip", "fd.lip", "fd.rip")
_FROM_OTHERS: dict[str, tuple[str, ...]] = {
    "fd.ip": _ADDRESSES,
    "fd.net": ("fd.ip", *_ADDRESSES),
    "fd.cnet": ("fd.cip",),
    "fd.snet": ("fd.sip",),
    "fd.lnet": ("fd.lip",),
    "fd.rnet": ("fd.rip",),
    "fd.port": ("fd.cport", "fd.sport", "fd.lport", "fd.rport"),
    "fd.proto": ("fd.cproto", "fd.sproto", "fd.lproto", "fd.rproto"),
    "syscall.type": ("evt.type",),
    # They differ in the first word only, and a recording may have one of them.
    "proc.exeline": ("proc.cmdline",),
}


def compile_condition(condition: Condition, problems: list[Diagnostic]) -> Predicate:
    """A function from events to truth. What is wrong with values is added to `problems`, and compares as false."""
    known: dict[int, Predicate] = {}  # macros' trees are shared

    def build(node: Condition) -> Predicate:
        found = known.get(id(node))
        if found is None:
            found = known[id(node)] = make(node)
        return found

    def make(node: Condition) -> Predicate:
        match node:
            case And():
                all_of = [build(part) for part in node.parts]
                return lambda event: all(part(event) for part in all_of)
            case Or():
                any_of = [build(part) for part in node.parts]
                return lambda event: any(part(event) for part in any_of)
            case Not():
                part = build(node.part)
                return lambda event: not part(event)
            case Check():
                return _check(node, problems)
        raise AssertionError("macros are expanded before")

    return build(condition)


def operand_value(operand: Operand, event: Event) -> object:
    """The value of a field, perhaps transformed; None where it is missing."""
    return _getter(operand)(event)


def follows_from_others(field: Field) -> bool:
    """Whether a field that an event does not have may follow from others that it has."""
    return field.key in _FROM_OTHERS or field.name in _DERIVED


def operand_type(operand: Operand) -> str:
    if isinstance(operand, Call):
        return "number" if operand.name == "len" else "text"
    entry = find_field(operand.name)
    return entry.type if entry is not None else "any"


def _check(node: Check, problems: list[Diagnostic]) -> Predicate:
    getter = _getter(node.operand)
    if node.value is None:
        return lambda event: getter(event) is not None
    if isinstance(node.value, Reference):
        return _comparison_of_fields(getter, node.operator, _getter(node.value.operand))
    words = [node.value] if isinstance(node.value, Word) else node.value.words
    type = operand_type(node.operand)
    try:
        test = make_test(type, node.operator, [word.value for word in words])
    except RefusedPattern as problem:
        problems.append(error("refused-pattern", str(problem), node.value.span))
        return lambda event: False
    except ValueError as problem:
        message = f"{problem}; `{_name(node.operand)}` is a field of type {type}"
        place = next((w for w in words if str(problem).startswith(f"`{w.value}` ")), node.value)
        problems.append(error("bad-rule-value", message, place.span))
        return lambda event: False
    return _with_several(getter, node.operator, test, isinstance(node.value, Items) and type == "list")


def _with_several(getter: Getter, operator: str, test: Callable[[object], bool], is_set: bool) -> Predicate:
    negated = operator == "!="
    # A field that is a set lies in another one where all its members do.
    wanted = all if is_set and operator == "in" else any

    def predicate(event: Event) -> bool:
        value = getter(event)
        if value is None:
            return False
        if isinstance(value, list):
            return bool(value) and wanted(map(test, value)) is not negated
        return test(value) is not negated

    return predicate


def _comparison_of_fields(left: Getter, operator: str, right: Getter) -> Predicate:
    """Another field's value on the right: each time a test of its own, as patterns too may come from a field."""

    def predicate(event: Event) -> bool:
        a, b = left(event), right(event)
        if a is None or b is None:
            return False
        numbers = as_number(a) is not None and as_number(b) is not None
        values = [as_text(v) for v in b] if isinstance(b, list) else [as_text(b)]
        try:
            test = make_test("any" if numbers else "text", operator, values)
        except ValueError:
            return False
        return _with_several(lambda _: a, operator, test, False)(event)

    return predicate


def _name(operand: Operand) -> str:
    return f"{operand.name}(…)" if isinstance(operand, Call) else operand.key


def _getter(operand: Operand) -> Getter:
    if isinstance(operand, Call):
        inner, transform = _getter(operand.operand), _TRANSFORMS[operand.name]

        def transformed(event: Event) -> object:
            value = inner(event)
            if value is None:
                return None
            if isinstance(value, list) and transform is not _length:
                return [new for one in value if (new := transform(one)) is not None]
            return transform(value)

        return transformed
    return _field_getter(operand, find_field(operand.name))


def _field_getter(field: Field, entry: FieldEntry | None) -> Getter:
    keys = [field.key]
    constant: object = None
    if entry is not None:
        constant = entry.constant
        if entry.argument == "dotted" and field.argument is not None:
            keys.append(f"{field.name}.{field.argument}")
        elif entry.argument == "dotted" and field.name != entry.name:
            keys.append(f"{entry.name}[{field.name[len(entry.name) + 1 :]}]")
        if entry.several and field.argument is None and entry.argument:
            return lambda event: _ancestors(field.name, event)
    others = _FROM_OTHERS.get(field.key, ())
    derived = _DERIVED.get(field.name)

    def get(event: Event) -> object:
        for key in keys:
            value = event.get(key)
            if value is not None:
                return value
        if others:
            found = [value for key in others if (value := event.get(key)) is not None]
            if found:
                return found if len(found) > 1 else found[0]
        return constant if derived is None else derived(event, field.argument)

    return get


def _word_of_command(event: Event, number: str | None) -> object:
    """Where only the command line is known, as one text: its words end at blanks."""
    line = event.get("proc.exeline")
    if line is None and (first := event.get("proc.exe")) is not None:
        line = f"{as_text(first)} {as_text(event.get('proc.args') or '')}"
    if line is None:
        line = event.get("proc.cmdline")
    words = [] if line is None else as_text(line).split()
    return words[int(number)] if number is not None and int(number) < len(words) else None


_DERIVED: dict[str, Callable[[Event, str | None], object]] = {"proc.argv": _word_of_command}


def _ancestors(name: str, event: Event) -> object:
    value = event.get(name)
    if value is not None:
        return value
    found = []
    for number in range(1, MOST_ANCESTORS):
        ancestor = event.get(f"{name}[{number}]")
        if ancestor is None:
            break
        found.append(ancestor)
    return found or None


def _length(value: object) -> object:
    return len(value) if isinstance(value, list | bytes) else len(as_text(value))


def _decoded(value: object) -> object:
    from base64 import b64decode
    from binascii import Error

    try:
        return b64decode(as_text(value), validate=True).decode("utf-8", "surrogateescape")
    except (Error, ValueError):
        return None


_TRANSFORMS: dict[str, Callable[[object], object]] = {
    "tolower": lambda value: as_text(value).lower(),
    "toupper": lambda value: as_text(value).upper(),
    "basename": lambda value: as_text(value).rpartition("/")[2],
    "b64": _decoded,
    "len": _length,
}
