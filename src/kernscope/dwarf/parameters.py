"""Where a function's parameters are when it begins, by the calling convention of C.

x86-64: integers and pointers in six registers; structs of up to 16 bytes in two of them if both are left; numbers with
a fraction in registers that programs in the kernel cannot read; the rest on the stack. Source: "System V Application
Binary Interface, AMD64", section 3.2.3. arm64: eight registers, larger structs by pointer. Source: "Procedure Call
Standard for the Arm 64-bit Architecture", section 6.8.2.

The weakness: a function that the compiler changed because it knows all callers (`static`, or link-time optimisation)
may get its parameters elsewhere; debug information does not say so at this place.
"""

from kernscope.dwarf.die import Die
from kernscope.tables.dwarf import Attribute, Encoding, Tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Parameter", "parameters", "size_of", "without_names"]

_MODIFIERS = frozenset(
    (
        Tag.TYPEDEF,
        Tag.CONST_TYPE,
        Tag.VOLATILE_TYPE,
        Tag.RESTRICT_TYPE,
        Tag.ATOMIC_TYPE,
        Tag.IMMUTABLE_TYPE,
    )
)
_POINTERS = frozenset((Tag.POINTER_TYPE, Tag.REFERENCE_TYPE, Tag.RVALUE_REFERENCE_TYPE))
_RECORDS = frozenset((Tag.STRUCTURE_TYPE, Tag.CLASS_TYPE, Tag.UNION_TYPE))
_FRACTIONS = frozenset(
    (Encoding.FLOAT, Encoding.COMPLEX_FLOAT, Encoding.IMAGINARY_FLOAT, Encoding.DECIMAL_FLOAT)
)

_PASSED_BY_REFERENCE = 4
"""DW_CC_pass_by_reference: an object of C++ that cannot be copied byte by byte."""

_DEFAULTED_IN_CLASS = 1
"""DW_DEFAULTED_in_class: `= default` where it is declared, which copies byte by byte if all members do."""

_DEEPEST = 64
"""Bound of typedefs of typedefs, and of structs in structs."""

_MOST_PARAMETERS = 256
_MOST_TYPES = 512
_MOST_PARTS = 64
"""A struct that fits into registers has at most 16 parts, unless its description is damaged."""

_WORD = 8
_X86_REGISTERS, _ARM_REGISTERS = 6, 8
_X86_FRACTIONS = _ARM_FRACTIONS = 8


class Parameter:
    """One parameter: `type` is the entry of its type, None where it has none.

    `registers` are the numbers of the integer registers that carry it, eight bytes each; `stack` is its offset from the
    stack pointer at the function's first instruction, or -1. Where it has neither, `problem` says why.
    `by_reference`: what is passed is a pointer to it.
    """

    __slots__ = ("by_reference", "name", "problem", "registers", "stack", "type")

    def __init__(self, name: str, type: Die | None) -> None:
        self.name, self.type = name, type
        self.registers: tuple[int, ...] = ()
        self.stack = -1
        self.problem = ""
        self.by_reference = False


def parameters(function: Die, machine: str) -> list[Parameter]:
    """A function's parameters in order, those without a name too, as they are passed on a machine (uname(2))."""
    found = [Parameter(die.name, die.type) for die in _formal(function)]
    if machine == "x86_64":
        _X86(function).place(found)
    elif machine == "aarch64":
        _Arm().place(found)
    else:
        for parameter in found:
            parameter.problem = f"where {machine} passes arguments is not known"
    return found


def _formal(function: Die) -> "Iterator[Die]":
    """The entries of the parameters; those of the function that it is a definition of where it has none."""
    own = [die for die in function.children() if die.tag == Tag.FORMAL_PARAMETER][:_MOST_PARAMETERS]
    if not own:
        further = function.reference(Attribute.ABSTRACT_ORIGIN) or function.reference(Attribute.SPECIFICATION)
        if further is not None and further.offset != function.offset:
            own = [die for die in further.children() if die.tag == Tag.FORMAL_PARAMETER][:_MOST_PARAMETERS]
    return iter(own)


def without_names(type: Die | None) -> Die | None:
    """What a type is behind typedefs and `const`."""
    for _ in range(_DEEPEST):
        if type is None or type.tag not in _MODIFIERS:
            return type
        type = type.type
    return None


def size_of(type: Die | None) -> int:
    """Bytes of a type; 0 where that is not said."""
    total = 1
    for _ in range(_DEEPEST):
        type = without_names(type)
        if type is None:
            return 0
        size = type.number(Attribute.BYTE_SIZE)
        if size is not None:
            return size * total
        if type.tag in _POINTERS:
            return _WORD * total
        if type.tag != Tag.ARRAY_TYPE:
            return 0
        for die in type.children():
            if die.tag == Tag.SUBRANGE_TYPE:
                total *= element_count(die)
        type = type.type
    return 0


def element_count(subrange: Die) -> int:
    """How many elements a dimension of an array has; 0 where that is not known when compiling."""
    count = subrange.number(Attribute.COUNT)
    if count is None:
        bound = subrange.number(Attribute.UPPER_BOUND)
        count = bound + 1 if bound is not None else 0
    return count if 0 < count < 1 << 32 else 0


def _scalars(type: Die | None, offset: int, left: list[int]) -> "Iterator[tuple[int, Die]]":
    """The parts of a type that are no structs and arrays, with their offsets in bytes; `left` is how many more types
    may be looked at.
    """
    type = without_names(type)
    left[0] -= 1
    if type is None or left[0] < 0:
        return
    if type.tag in _RECORDS:
        for die in type.children():
            if die.tag in (Tag.MEMBER, Tag.INHERITANCE):
                bit = die.number(Attribute.DATA_BIT_OFFSET)
                if bit is None:
                    at = die.number(Attribute.DATA_MEMBER_LOCATION) or 0
                else:  # the unit of its type that it lies in
                    unit = size_of(die.type) or 1
                    at = bit // 8 // unit * unit
                yield from _scalars(die.type, offset + at, left)
    elif type.tag == Tag.ARRAY_TYPE:
        step = size_of(type.type)
        if step:
            for i in range(min(16, size_of(type)) // step):
                yield from _scalars(type.type, offset + i * step, left)
    else:
        yield offset, type


def _is_fraction(type: Die) -> bool:
    return type.tag == Tag.BASE_TYPE and type.number(Attribute.ENCODING) in _FRACTIONS


def _parts(type: Die) -> list[tuple[int, Die]] | None:
    """The scalars of a small struct; None where there are more than can be."""
    found = []
    for part in _scalars(type, 0, [_MOST_TYPES]):
        found.append(part)
        if len(found) > _MOST_PARTS:
            return None
    return found


def _passed_by_reference(type: Die) -> bool:
    """Whether a caller makes a copy of an object and passes its address: where C++ says how it is copied or destroyed
    (Itanium C++ ABI, section 3.1.2.3). Not every compiler notes it.
    """
    convention = type.number(Attribute.CALLING_CONVENTION)
    if convention is not None:
        return convention == _PASSED_BY_REFERENCE
    waiting, left = [type], _MOST_TYPES
    while waiting and left:
        left -= 1
        record = waiting.pop()
        if record.has(Attribute.CONTAINING_TYPE):  # it has virtual functions
            return True
        for die in record.children():
            if die.tag in (Tag.MEMBER, Tag.INHERITANCE):
                inner = without_names(die.type)
                if inner is not None and inner.tag == Tag.ARRAY_TYPE:
                    inner = without_names(inner.type)
                if inner is not None and inner.tag in _RECORDS:
                    waiting.append(inner)
            elif die.tag == Tag.SUBPROGRAM and _copies_or_destroys(die, record):
                return True
    return False


def _copies_or_destroys(method: Die, record: Die) -> bool:
    """Whether a method is a destructor, or a constructor from another object, that its author wrote."""
    if method.flag(Attribute.ARTIFICIAL) or method.number(Attribute.DEFAULTED) == _DEFAULTED_IN_CLASS:
        return False
    name = method.text(Attribute.NAME)
    if name.startswith("~"):
        return True
    if name.partition("<")[0] != record.text(Attribute.NAME).partition("<")[0]:
        return False
    formal = [die for die in method.children() if die.tag == Tag.FORMAL_PARAMETER][1:3]
    other = formal[0].type if len(formal) == 1 else None
    if other is None or other.tag not in (Tag.REFERENCE_TYPE, Tag.RVALUE_REFERENCE_TYPE):
        return False
    target = without_names(other.type)
    return target is not None and target.key == record.key


class _Convention:
    """Hands out what the functions of a processor get their parameters in."""

    def place(self, parameters: list[Parameter]) -> None:
        for i, parameter in enumerate(parameters):
            type = without_names(parameter.type)
            size = size_of(type)
            if type is None or not size:
                for later in parameters[i:]:
                    later.problem = "the debug information does not say how large it is"
                return
            self._place(parameter, type, size)

    def _place(self, parameter: Parameter, type: Die, size: int) -> None:
        raise NotImplementedError


class _X86(_Convention):
    """Hands out registers and stack of x86-64."""

    def __init__(self, function: Die) -> None:
        self.stack = _WORD  # the return address is first
        self.integers = self.fractions = 0
        result = without_names(function.type)
        if result is not None and result.tag in _RECORDS:
            in_memory = not self._classes(result) or _passed_by_reference(result)
            self.integers = int(in_memory)  # where to put the result

    def _place(self, parameter: Parameter, type: Die, size: int) -> None:
        if type.tag in _RECORDS:
            if _passed_by_reference(type):
                parameter.by_reference = True
                size = _WORD
                classes = ["integer"]
            else:
                classes = self._classes(type)
        elif _is_fraction(type):
            complex = type.number(Attribute.ENCODING) == Encoding.COMPLEX_FLOAT
            large = size > 16 or (size == 16 and not complex and "long" in type.text(Attribute.NAME))
            classes = [] if large else ["fraction"] * (2 if complex and size == 16 else 1)
        else:
            classes = ["integer"] * ((size + _WORD - 1) // _WORD)
        integers, fractions = classes.count("integer"), classes.count("fraction")
        fits = self.integers + integers <= _X86_REGISTERS and self.fractions + fractions <= _X86_FRACTIONS
        if classes and fits:
            first = self.integers
            self.integers += integers
            self.fractions += fractions
            if fractions:
                parameter.problem = "it is in a register for floating-point numbers, which cannot be read"
            else:
                parameter.registers = tuple(range(first, first + integers))
        else:
            if size == 16 and type.tag not in _RECORDS:
                self.stack = ((self.stack - _WORD + 15) & ~15) + _WORD
            parameter.stack = self.stack
            self.stack += (size + _WORD - 1) & -_WORD

    @staticmethod
    def _classes(type: Die) -> list[str]:
        """What registers the eightbytes of a struct are in; empty for one that is in memory."""
        size = size_of(type)
        parts = _parts(type)
        if not 0 < size <= 16 or parts is None:
            return []
        classes = ["fraction"] * ((size + _WORD - 1) // _WORD)
        for offset, part in parts:
            width = size_of(part) or 1
            if offset % min(width, _WORD) or (_is_fraction(part) and width > _WORD):
                return []  # packed, or a number of 80 bits
            if not _is_fraction(part):
                for word in range(offset // _WORD, min(len(classes), (offset + width + _WORD - 1) // _WORD)):
                    classes[word] = "integer"
        return classes


class _Arm(_Convention):
    """Hands out registers and stack of arm64."""

    def __init__(self) -> None:
        self.stack = 0  # the return address is in a register; that of a large result in x8
        self.integers = self.fractions = 0

    def _place(self, parameter: Parameter, type: Die, size: int) -> None:
        fractions = self._fractions(type)
        if fractions:
            if self.fractions + fractions <= _ARM_FRACTIONS:
                self.fractions += fractions
                parameter.problem = "it is in a register for floating-point numbers, which cannot be read"
                return
            self.fractions = _ARM_FRACTIONS
        elif type.tag in _RECORDS and (size > 16 or _passed_by_reference(type)):
            parameter.by_reference = True
            size = _WORD
        words = (size + _WORD - 1) // _WORD
        if not fractions and self.integers + words <= _ARM_REGISTERS:
            if size == 16 and type.tag == Tag.BASE_TYPE:
                self.integers += self.integers % 2
            parameter.registers = tuple(range(self.integers, self.integers + words))
            self.integers += words
            return
        if not fractions:
            self.integers = _ARM_REGISTERS
        parameter.stack = self.stack
        self.stack += words * _WORD

    @staticmethod
    def _fractions(type: Die) -> int:
        """How many floating-point registers a number, or a struct of up to four equal ones, takes; else 0."""
        if _is_fraction(type):
            return 1
        parts = _parts(type) if type.tag in _RECORDS else None
        if parts and len(parts) <= 4 and all(_is_fraction(part) for _, part in parts):
            sizes = {size_of(part) for _, part in parts}
            return len(parts) if len(sizes) == 1 else 0
        return 0
