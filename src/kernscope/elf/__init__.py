"""ELF files: bytes → segments, symbols, build id. No I/O inside.

Source of the layouts: elf(5), include/uapi/linux/elf.h.
"""

from kernscope.elf.file import ElfError, ElfFile, Segment
from kernscope.elf.functions import Function, FunctionTable
from kernscope.elf.symbols import SymbolTable

__all__ = ["ElfError", "ElfFile", "Function", "FunctionTable", "Segment", "SymbolTable"]
