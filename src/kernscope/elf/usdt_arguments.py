"""Where the arguments of a static probe are: the texts of its notes, `-4@%edi 8@8(%rsp) 1@$7`.

Each argument is `N@OPERAND`, as an assembler writes operands. N is its size in bytes, below 0 where it is signed; an
`f` behind N says that it is a floating-point number. Without `N@` it has the operand's own size. Source: "User Space
Probe Implementation" of the SystemTap wiki, and what GCC and Clang write.
"""

from kernscope.tables.registers import REGISTER_NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    SymbolAddress = Callable[[str], int | None]

__all__ = ["UsdtArgument", "parse_usdt_arguments"]

_WORD_BYTES = 8


class UsdtArgument:
    """One argument of one place.

    - a constant: `offset`;
    - in memory (`in_memory`): at `base` + `index` * `scale` + `offset`, both registers or "";
    - in a register: `base`, from bit `shift` on.

    Registers are named as in `kernscope.tables.arch`. `problem` says why an argument cannot be read, or is empty.
    """

    __slots__ = (
        "base",
        "in_memory",
        "index",
        "offset",
        "problem",
        "scale",
        "shift",
        "signed",
        "size",
        "text",
    )

    def __init__(self, text: str, size: int = _WORD_BYTES, *, signed: bool = False) -> None:
        self.text, self.size, self.signed = text, size, signed
        self.base = self.index = self.problem = ""
        self.in_memory = False
        self.offset = self.shift = 0
        self.scale = 1

    @property
    def form(self) -> tuple[object, ...]:
        """Equal for two arguments that are read the same way."""
        return (
            self.size,
            self.signed,
            self.in_memory,
            self.base,
            self.index,
            self.scale,
            self.offset,
            self.shift,
            self.problem,
        )


def parse_usdt_arguments(
    text: str, machine: str, address: int, symbol_address: "SymbolAddress"
) -> tuple[UsdtArgument, ...]:
    """All arguments of a place, in order; at most the ten that have names in the language.

    Args:
        machine: as uname(2) calls it.
        address: of the place, for operands relative to it.
        symbol_address: the address of a variable of the file, or None.
    """
    return tuple(_Parser(part, machine, address, symbol_address).parse() for part in _split(text)[:10])


def _split(text: str) -> list[str]:
    """At spaces, except for those in brackets."""
    parts, depth = [""], 0
    for c in text:
        if c == " " and not depth:
            parts.append("")
            continue
        depth += (c in "([") - (c in ")]")
        parts[-1] += c
    return [part for part in parts if part]


class _Parser:
    """Reads one argument."""

    def __init__(self, text: str, machine: str, address: int, symbol_address: "SymbolAddress") -> None:
        self.text, self.machine, self.address, self.symbol_address = text, machine, address, symbol_address
        self.names = REGISTER_NAMES.get(machine, {})
        self.found = UsdtArgument(text)

    def parse(self) -> UsdtArgument:
        """The argument; one that cannot be read has a `problem`."""
        size, at, operand = self.text.partition("@")
        try:
            if not at:
                size, operand = "", size
            self._size(size)
            if not operand:
                raise _Unreadable("its place is empty")
            if self.machine == "aarch64":
                self._aarch64(operand, sized=bool(size))
            else:
                self._x86_64(operand, sized=bool(size))
        except _Unreadable as problem:
            self.found.problem = problem.args[0]
        return self.found

    def _size(self, text: str) -> None:
        if text.endswith("f"):
            raise _Unreadable("it is a floating-point number, which cannot be read")
        if text:
            size = _number(text)
            if size is None or abs(size) not in (1, 2, 4, 8):
                raise _Unreadable(f"it has {text.lstrip('-')} bytes; 1, 2, 4 and 8 can be read")
            self.found.size, self.found.signed = abs(size), size < 0

    def _register(self, name: str) -> tuple[str, int, int]:
        if name not in self.names:
            if name[:3] in ("xmm", "ymm", "zmm") or (self.machine == "aarch64" and name[:1] in "vqdsh"):
                raise _Unreadable(
                    f"it is in a register for floating-point numbers, `{name}`, which cannot be read"
                )
            raise _Unreadable(f"`{name}` is no register of {self.machine}")
        return self.names[name]

    def _in_register(self, name: str, *, sized: bool) -> None:
        register, shift, size = self._register(name)
        self.found.base, self.found.shift = register, shift
        if not sized or size < self.found.size:
            self.found.size = size

    def _sum(self, text: str) -> int:
        """A number, a symbol's address, or a sum of them."""
        total = 0
        for term in text.replace("-", "+-").split("+"):
            if not term:
                continue
            value = _number(term)
            if value is None:
                value = self.symbol_address(term)
            if value is None:
                raise _Unreadable(f"the file has no variable `{term}`")
            total += value
        if not -(1 << 63) <= total < 1 << 64:
            raise _Unreadable(f"`{text}` has more than 64 bits")
        return total - (1 << 64) if total >> 63 > 0 else total

    def _scale(self, factor: int | None) -> int:
        if factor not in (1, 2, 4, 8, 16):
            raise _Unreadable("its index has no such factor")
        return factor

    def _x86_64(self, text: str, *, sized: bool) -> None:
        found = self.found
        if text.startswith("$"):
            found.offset = self._sum(text[1:])
        elif text.startswith("%") and ":" in text:
            raise _Unreadable("it is in a variable that each thread has of its own")
        elif text.startswith("%"):
            self._in_register(text[1:], sized=sized)
        else:
            offset, bracket, registers = text.partition("(")
            found.in_memory = True
            parts = [part.strip() for part in registers.rstrip(") ").split(",")] if bracket else []
            found.offset = self._sum(offset.strip())
            if parts and parts[0]:
                found.base = self._register(parts[0].lstrip("%"))[0]
                if found.base == "ip":  # relative to the place, wherever the file is mapped
                    found.offset -= self.address
            if len(parts) > 1:
                found.index = self._register(parts[1].lstrip("%"))[0]
            if len(parts) > 2:
                found.scale = self._scale(_number(parts[2]))

    def _aarch64(self, text: str, *, sized: bool) -> None:
        found = self.found
        if _number(text.lstrip("#")) is not None:
            found.offset = self._sum(text.lstrip("#"))
        elif text.startswith("["):
            found.in_memory = True
            parts = [part.strip() for part in text.strip("[]").split(",")]
            found.base = self._register(parts[0])[0]
            for part in parts[1:]:
                if _number(part.lstrip("#")) is not None:
                    found.offset = self._sum(part.lstrip("#"))
                elif part.startswith("lsl"):
                    shift = _number(part[3:].strip(" #"))
                    found.scale = self._scale(1 << shift if shift is not None and 0 <= shift < 5 else None)
                else:
                    found.index = self._register(part)[0]
        else:
            self._in_register(text, sized=sized)


class _Unreadable(Exception):
    """Why an argument cannot be read."""


def _number(text: str) -> int | None:
    try:
        return int(text, 0)
    except ValueError:
        return None
