"""Addresses to names: of the kernel, and of processes.

`KernelSymbols` reads /proc/kallsyms, `UserSymbols` what a process has mapped and the symbol tables of those
files. Both keep what they have read for as long as they live.
"""

from kernscope.symbols.kernel import KernelSymbols
from kernscope.symbols.user import UserSymbol, UserSymbols

__all__ = ["KernelSymbols", "UserSymbol", "UserSymbols"]
