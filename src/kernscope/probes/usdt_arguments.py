"""`arg0` to `arg9` of static probes: each place has its own way to them, and code that serves several places switches.

Where all places have an argument in the same way, which is so for most, there is nothing to switch.
"""

from collections.abc import Sequence

from kernscope.diagnostics import Span, error, warning
from kernscope.elf.usdt_arguments import UsdtArgument, parse_usdt_arguments
from kernscope.ssa import Cond
from kernscope.tables.helpers import HELPER_IDS
from kernscope.types import INT64, UINT64, Type

from .base import EventReader, Report, Target
from .cookies import in_order
from .usdt import TARGET_BITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelFacts
    from kernscope.ssa import Value

    Place = tuple[int, int, int, str]

__all__ = ["check", "forms", "load", "place_arguments"]

_WORD = 8


def place_arguments(kernel: "KernelFacts", target: Target) -> "list[tuple[Place, tuple[UsdtArgument, ...]]]":
    """The places of a target, each with its arguments."""
    file, _, _, places, _ = target.key
    assert isinstance(places, tuple)
    machine = kernel.arch.machine
    variables = _Variables(kernel, str(file))
    return [(place, parse_usdt_arguments(place[3], machine, place[2], variables.address)) for place in places]


class _Variables:
    """Addresses of a file's variables, read when an argument names one."""

    def __init__(self, kernel: "KernelFacts", path: str) -> None:
        self.kernel, self.path = kernel, path

    def address(self, name: str) -> int | None:
        from kernscope.elf import ElfError, ElfFile

        try:
            found = ElfFile(self.kernel.map_file(self.path)).symbols(data=True).find(name)
        except (OSError, ElfError):
            return None
        return found[0] if found is not None else None


def forms(kernel: "KernelFacts", targets: Sequence[Target]) -> "dict[Place, int]":
    """A number for each place of the targets of a program; equal where all arguments are read the same way."""
    numbers: dict[object, int] = {}
    found = {}
    for target in targets:
        for place, arguments in place_arguments(kernel, target):
            form = tuple(argument.form for argument in arguments)
            found[place] = numbers.setdefault(form, len(numbers))
    return found


def check(
    kernel: "KernelFacts",
    targets: Sequence[Target],
    index: int,
    span: Span,
    report: Report,
    *,
    cookies: bool,
) -> Type | None:
    """The type of an argument that the code reads; None after reporting that none of the targets has it."""
    name = f"arg{index}"
    count = 0
    found: list[tuple[Target, UsdtArgument]] = []
    problems: list[tuple[Target, UsdtArgument]] = []
    for target in targets:
        for _, arguments in place_arguments(kernel, target):
            count = max(count, len(arguments))
            if index < len(arguments):
                argument = arguments[index]
                (problems if argument.problem else found).append((target, argument))
    if not found and not problems:
        report(
            error(
                "not-available-here",
                f"`{targets[0].name}` has no `{name}`",
                span,
                label=f"its arguments end at `arg{count - 1}`" if count else "it has no arguments",
            )
        )
        return None
    if problems:
        target, argument = problems[0]
        message = f"`{name}` of `{target.name}` cannot be read"
        notes = f"{argument.problem} (`{argument.text}`)"
        if not found:
            report(error("unreadable-argument", message, span, notes=notes))
            return None
        report(warning("unreadable-argument", message, span, label="it is 0 there", notes=notes))
    if not cookies and len({argument.form for _, argument in found}) > 1:
        report(
            error(
                "unreadable-argument",
                f"`{name}` of `{targets[0].name}` is in several places, which this kernel cannot tell apart",
                span,
                notes="it needs attach cookies (Linux 5.15)",
            )
        )
        return None
    return UINT64 if all(not argument.signed for _, argument in found) else INT64


def load(reader: EventReader, targets: Sequence[Target], index: int) -> "Value":
    """Read an argument as a 64-bit number; where a place does not have it, it is 0."""
    kernel = reader.kernel
    targets = in_order(targets)
    numbers = forms(kernel, targets)
    ways: dict[object, tuple[UsdtArgument | None, set[int]]] = {}
    for target in targets:
        for place, arguments in place_arguments(kernel, target):
            argument = arguments[index] if index < len(arguments) else None
            if argument is not None and argument.problem:
                argument = None
            form = argument.form if argument is not None else None
            ways.setdefault(form, (argument, set()))[1].add(numbers[place])
    if len(ways) == 1:
        return _load_one(reader, next(iter(ways.values()))[0])
    return _switch(reader, list(ways.values()))


def _switch(reader: EventReader, ways: list[tuple[UsdtArgument | None, set[int]]]) -> "Value":
    """Choose by the form that the cookie names; the way that most forms take is the last, which is not compared."""
    b = reader.builder
    ways.sort(key=lambda way: len(way[1]))
    cookie = b.call(HELPER_IDS["get_attach_cookie"], reader.context, pure=True)
    form = b.lshr(cookie, TARGET_BITS)
    result = object()
    done = b.block("argument")
    for argument, numbers in ways[:-1]:
        here, following = b.block("place"), b.block("other_place")
        for number in sorted(numbers):
            further = b.block("other_form")
            b.branch_cmp(Cond.EQ, form, number, here, further)
            b.seal(further)
            b.position(further)
        b.jump(following)
        b.seal(here)
        b.position(here)
        b.write_var(result, _load_one(reader, argument))
        b.jump(done)
        b.seal(following)
        b.position(following)
    b.write_var(result, _load_one(reader, ways[-1][0]))
    b.jump(done)
    b.seal(done)
    b.position(done)
    return b.read_var(result)


def _load_one(reader: EventReader, argument: UsdtArgument | None) -> "Value":
    b = reader.builder
    if argument is None:
        return b.const(0)
    if argument.in_memory:
        return _from_memory(reader, argument)
    if not argument.base:
        return b.const(_cut(argument.offset, argument))
    value = _register(reader, argument.base)
    if argument.shift:
        value = b.lshr(value, argument.shift)
    return b.ext(value, 8 * argument.size, argument.signed) if argument.size < _WORD else value


def _cut(number: int, argument: UsdtArgument) -> int:
    """A constant as its size and sign make it."""
    bits = 8 * argument.size
    number &= (1 << bits) - 1
    return number - (1 << bits) if argument.signed and number >> (bits - 1) else number


def _register(reader: EventReader, name: str) -> "Value":
    return reader.builder.load(_WORD, reader.context, reader.kernel.arch.register_offsets[name])


def _from_memory(reader: EventReader, argument: UsdtArgument) -> "Value":
    b = reader.builder
    address = b.const(argument.offset)
    if argument.base:
        address = b.add(_register(reader, argument.base), argument.offset)
    if argument.index:
        index = _register(reader, argument.index)
        address = b.add(address, b.mul(index, argument.scale) if argument.scale > 1 else index)
    place = reader.place(UINT64)
    reader.read_bytes(address, "user", place, argument.size)
    return b.load(argument.size, place, signed=argument.signed)
