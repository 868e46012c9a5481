"""DWARF debug information: bytes → functions, their parameters, and types. No I/O inside.

    dwarf = Dwarf(elf.content)
    function = dwarf.function_at(address)
    for parameter in parameters(function, "x86_64"): ...

Nothing in a file is trusted: what makes no sense raises DwarfError, and every loop is bounded by the size of the data.
Source: "DWARF Debugging Information Format", versions 4 and 5.
"""

from kernscope.dwarf.die import Die
from kernscope.dwarf.errors import DwarfError
from kernscope.dwarf.file import Dwarf
from kernscope.dwarf.parameters import Parameter, parameters

__all__ = ["Die", "Dwarf", "DwarfError", "Parameter", "parameters"]
