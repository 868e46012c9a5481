"""Typed arguments of functions in user space: what debug information (DWARF) says of a function, and how to read it.

found = function_arguments(kernel, file, address, name)      the members of `args`, or None
load_argument(reader, field)                                 code that reads one
"""

from kernscope.dwarf import Dwarf, DwarfError, parameters
from kernscope.elf import ElfError, ElfFile
from kernscope.kernel.user_files import UserPath
from kernscope.types import Array, Bool, Integer, Pointer, String, Struct, StructField, Type
from kernscope.types.from_dwarf import DwarfTypes

from .base import EventReader, Target
from .user_target import UserFile, open_user_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kernscope.kernel.interface import KernelFacts
    from kernscope.ssa import Value

__all__ = [
    "Argument",
    "ProgramTypes",
    "absent_argument",
    "describe_function",
    "file_types",
    "function_arguments",
    "load_argument",
    "program_types",
    "target_arguments",
]

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


def file_types(kernel: "KernelFacts", file: UserFile) -> DwarfTypes | None:
    """The types that a file's debug information describes, its own or in a file beside it; None where there is none."""
    known = _known.get(id(file.elf))
    if known is not None:
        return known[1]
    types = None
    try:
        dwarf = Dwarf(file.elf.content)
        if dwarf.empty:
            from kernscope.symbols.debug_files import debug_file

            other = debug_file(file.elf, file.path, kernel.map_file)
            if other is not None:
                dwarf = Dwarf(other.content)
        types = None if dwarf.empty else DwarfTypes(dwarf)
    except (DwarfError, ElfError):  # damaged: as if there were none
        pass
    while len(_known) >= _MOST_FILES:
        del _known[next(iter(_known))]
    _known[id(file.elf)] = file.elf, types
    return types


def function_arguments(kernel: "KernelFacts", file: UserFile, address: int, name: str = "") -> Struct | None:
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


def target_arguments(kernel: "KernelFacts", target: Target) -> Struct | None:
    """The members of `args` in a probe of `uprobe`; None where nothing describes them, or its places differ."""
    found: Struct | None = None
    for file, address, name in _functions(kernel, target):
        arguments = function_arguments(kernel, file, address, name)
        if arguments is None or (found is not None and _signature(arguments) != _signature(found)):
            return None
        found = arguments
    return found


def describe_function(kernel: "KernelFacts", probe: str) -> list[tuple[str, str]]:
    """(C type, name) of all parameters of the function that a probe of this full name is on (`uprobe:FILE:NAME`)."""
    path, _, name = probe.partition(":")[2].rpartition(":")
    path = path.removesuffix(":cpp").removesuffix(":rust")
    try:
        file = open_user_file(kernel, kernel.user_files(path)[0])
        for function in file.functions().named(name):
            return describe_arguments(kernel, file, function.address, name)
    except (OSError, ElfError, IndexError):
        pass
    return []


def absent_argument(kernel: "KernelFacts", target: Target, name: str) -> str:
    """Why a parameter of the function is not in `args`; empty if the function has none of that name."""
    for file, address, function_name in _functions(kernel, target):
        types = file_types(kernel, file)
        try:
            function = types.dwarf.function_at(address, function_name) if types is not None else None
            for parameter in parameters(function, kernel.arch.machine) if function is not None else ():
                if parameter.name == name:
                    return parameter.problem
        except DwarfError:
            pass
    return ""


class ProgramTypes:
    """The types of the program that a target is in, for casts: `near` is an address whose unit is looked in first."""

    def __init__(self, types: DwarfTypes, near: int) -> None:
        self._types, self._near = types, near

    def struct(self, tag: str, name: str) -> Struct | None:
        try:
            return self._types.struct(tag, name, self._near)
        except DwarfError:
            return None

    def enum(self, name: str) -> Type | None:
        try:
            return self._types.enum(name, self._near)
        except DwarfError:
            return None

    def typedef(self, name: str) -> Type | None:
        try:
            return self._types.typedef(name, self._near)
        except DwarfError:
            return None


def program_types(kernel: "KernelFacts", opened: str, path: str, offset: int) -> ProgramTypes | None:
    """The types that the debug information of a file describes; `offset` is a place in it."""
    try:
        file = open_user_file(kernel, UserPath(path, opened))
        types = file_types(kernel, file)
    except (OSError, ElfError):
        return None
    return ProgramTypes(types, file.elf.address_of(offset) or 0) if types is not None else None


def _functions(kernel: "KernelFacts", target: Target) -> "Iterator[tuple[UserFile, int, str]]":
    """The file, address and name of each function that a target of `uprobe` means."""
    opened, _, _, offsets, *_ = target.key
    assert isinstance(opened, str) and isinstance(offsets, tuple)
    path, _, name = target.name.partition(":")[2].rpartition(":")
    path = path.removesuffix(":cpp").removesuffix(":rust")
    try:
        file = open_user_file(kernel, UserPath(path, opened))
    except (OSError, ElfError):
        return
    for offset in offsets:
        address = file.elf.address_of(offset)
        if address is not None:
            yield file, address, name


def _signature(arguments: Struct) -> list[tuple[object, ...]]:
    return [(f.name, f.type, f.offset) for f in arguments.fields.values()]


def describe_arguments(
    kernel: "KernelFacts", file: UserFile, address: int, name: str = ""
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
