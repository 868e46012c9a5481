"""The compiler's back end: SSA form, passes, register allocation and emission of BPF instructions."""

from kernscope.ssa.builder import Builder
from kernscope.ssa.ir import POINTER, SCALAR, Block, Cond, FrameSlot, Function, Module, Op, Value

__all__ = [
    "POINTER",
    "SCALAR",
    "Block",
    "Builder",
    "Cond",
    "FrameSlot",
    "Function",
    "Module",
    "Op",
    "Value",
]
