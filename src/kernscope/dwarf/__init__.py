"""DWARF debug information: bytes → functions, their parameters, types, lines. No I/O inside.

    dwarf = Dwarf(elf.content)
    function = dwarf.function_at(address)
    for parameter in parameters(function, "x86_64"): ...

    index = UnitIndex.read(dwarf, code)
    for offset in index.units_at(address):
        unit = dwarf.unit_starting(offset)
        table = read_unit(unit, code)
        frames = table.frames(address, read_function(unit, table.function_at(address), code))

Nothing in a file is trusted: what makes no sense raises DwarfError, and every loop is bounded by the size of the data.
Source: "DWARF Debugging Information Format", versions 4 and 5.
"""

from kernscope.dwarf.die import Die
from kernscope.dwarf.errors import DwarfError
from kernscope.dwarf.file import Dwarf
from kernscope.dwarf.parameters import Parameter, parameters
from kernscope.dwarf.source import (
    FunctionTable,
    SourceFrame,
    UnitIndex,
    UnitTable,
    read_function,
    read_unit,
)

__all__ = [
    "Die",
    "Dwarf",
    "DwarfError",
    "FunctionTable",
    "Parameter",
    "SourceFrame",
    "UnitIndex",
    "UnitTable",
    "parameters",
    "read_function",
    "read_unit",
]
