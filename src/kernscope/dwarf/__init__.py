"""DWARF debug information: bytes → functions, their parameters, types, lines. No I/O inside.

    dwarf = Dwarf(elf.content)
    function = dwarf.function_at(address)
    for parameter in parameters(function, "x86_64"): ...

    index = UnitIndex.read(dwarf, code)
    for offset in index.units_at(address):
        frames = read_source(dwarf.unit_starting(offset), code).lookup(address)

Nothing in a file is trusted: what makes no sense raises DwarfError, and every loop is bounded by the size of the data.
Source: "DWARF Debugging Information Format", versions 4 and 5.
"""

from kernscope.dwarf.die import Die
from kernscope.dwarf.errors import DwarfError
from kernscope.dwarf.file import Dwarf
from kernscope.dwarf.parameters import Parameter, parameters
from kernscope.dwarf.source import SourceFrame, SourceTable, UnitIndex, read_source

__all__ = [
    "Die",
    "Dwarf",
    "DwarfError",
    "Parameter",
    "SourceFrame",
    "SourceTable",
    "UnitIndex",
    "parameters",
    "read_source",
]
