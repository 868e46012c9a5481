"""Typed arguments of functions in user space: what debug information (DWARF) says of a function, and how to read it.

found = function_arguments(kernel, file, address, name)      the members of `args`, or None
load_argument(reader, field)                                 code that reads one
"""

from kernscope.dwarf import Dwarf, DwarfError, parameters
from kernscope.elf import ElfError, ElfFile
from kernscope.types import Array, Bool, Integer, Pointer, String, Struct, StructField, Type
from kernscope.types.from_dwarf import DwarfTypes

from .base import EventReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelFacts
    from kernscope.ssa import Value

    from .user_target import UserFile

__all__ = ["Argument", "describe_arguments", "file_types", "function_arguments", "load_argument"]

_WORD = 8
_MOST_ARGUMENT_BYTES = 256
"""A larger struct on the stack is left out of `args`."""

_MOST_FILES = 64
_known: dict[int, tuple[ElfFile, DwarfTypes | None]] = {}
"""Types by the file that they are of."""


class Argument(StructField):
    """One member of `args`: in registers of `struct pt_regs` (`registers`: their offsets), or behind the stack pointer.

    `offset` tells apart places: that of the first register, or those of the stack behind all registers.
    """

    __slots__ = ("registers", "stack")

    def __init__(
        self, name: str, type: Type, text: str, registers: tuple[int, ...], stack: int, registers_size: int
    ) -> None:
        super().__init__(name, type, registers[0] if registers else registers_size + stack, type_text=text)
        self.registers, self.stack = registers, stack


def file_types(kernel: "KernelFacts", file: "UserFile") -> DwarfTypes | None:
    """The types that a file's debug information describes, its own or in a file beside it; None where there is none."""
    known = _known.get(id(file.elf))
    if known is not None:
        return known[1]
    types = None
    try:
        dwarf = Dwarf(file.elf.content)
        if dwarf.empty:
            from .debug_files import debug_file

            other = debug_file(file.elf, file.path, kernel)
            if other is not None:
                dwarf = Dwarf(other.content)
        types = None if dwarf.empty else DwarfTypes(dwarf)
    except (DwarfError, ElfError):  # damaged: as if there were none
        pass
    while len(_known) >= _MOST_FILES:
        del _known[next(iter(_known))]
    _known[id(file.elf)] = file.elf, types
    return types


def function_arguments(
    kernel: "KernelFacts", file: "UserFile", address: int, name: str = ""
) -> Struct | None:
    """The arguments of the function at an address of the file, by name; None where nothing describes it.

    Those that cannot be read (floating-point numbers) or have no name are left out.
    """
    types = file_types(kernel, file)
    if types is None:
        return None
    arch = kernel.arch
    offsets = arch.function_argument_offsets()
    fields: dict[str, StructField] = {}
    try:
        function = types.dwarf.function_at(address, name)
        if function is None:
            return None
        for parameter in parameters(function, arch.machine):
            if not parameter.name or parameter.problem:
                continue
            t, text = types.convert(parameter.type), types.c_text(parameter.type)
            if parameter.by_reference:
                t, text = Pointer(t, "user"), f"{text}*"
            if t.size and (parameter.registers or t.size <= _MOST_ARGUMENT_BYTES):
                registers = tuple(offsets[i] for i in parameter.registers)
                fields[parameter.name] = Argument(
                    parameter.name, t, text, registers, parameter.stack, arch.pt_regs_size
                )
    except DwarfError:
        return None
    return Struct(f"arguments of {name or hex(address)}", arch.pt_regs_size, fields)


def describe_arguments(
    kernel: "KernelFacts", file: "UserFile", address: int, name: str = ""
) -> list[tuple[str, str]]:
    """(C type, name) of all parameters of the function at an address, those that cannot be read too."""
    types = file_types(kernel, file)
    if types is None:
        return []
    try:
        function = types.dwarf.function_at(address, name)
        if function is None:
            return []
        found = parameters(function, kernel.arch.machine)
        return [(types.c_text(parameter.type), parameter.name) for parameter in found]
    except DwarfError:
        return []


def load_argument(reader: EventReader, field: StructField) -> "Value":
    """Read a member of `args` at a function's first instruction; for types kept in memory, its address."""
    assert isinstance(field, Argument)
    b, t = reader.builder, field.type
    in_memory = isinstance(t, Struct | Array | String)
    if field.registers and not in_memory:
        return _narrowed(reader, b.load(_WORD, reader.context, field.registers[0]), t)
    place = reader.place(t)
    if field.registers:
        for i, register in enumerate(field.registers):
            _store(reader, b.load(_WORD, reader.context, register), place, i * _WORD, t.size)
        return place
    arch = reader.kernel.arch
    stack = b.load(_WORD, reader.context, arch.register_offsets[arch.stack_pointer])
    reader.read_bytes(b.add(stack, field.stack), "user", place, t.size)
    if in_memory:
        return place
    return b.load(t.size, place, signed=isinstance(t, Integer) and t.signed)


def _narrowed(reader: EventReader, value: "Value", t: Type) -> "Value":
    """A scalar of a register, whose upper bits mean nothing."""
    b = reader.builder
    if isinstance(t, Bool):
        return b.and_(value, 0xFF)
    return b.ext(value, t.bits, t.signed) if isinstance(t, Integer) and t.bits < 64 else value


def _store(reader: EventReader, value: "Value", place: "Value", offset: int, end: int) -> None:
    """The bytes of a register that belong to a struct of `end` bytes."""
    b = reader.builder
    last = min(end, offset + _WORD)
    while offset < last:
        width = next(w for w in (8, 4, 2, 1) if offset + w <= last and offset % w == 0)
        b.store(width, place, value, offset)
        offset += width
        if offset < last:
            value = b.lshr(value, 8 * width)
