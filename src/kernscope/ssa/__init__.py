"""The compiler's back end: SSA form, passes, register allocation and emission of BPF instructions."""

from kernscope.ssa.builder import Builder
from kernscope.ssa.frame import FrameTooLarge
from kernscope.ssa.ir import POINTER, SCALAR, Block, Cond, FrameSlot, Function, Module, Op, Value
from kernscope.ssa.pipeline import DEFAULT, compile_module

__all__ = [
    "DEFAULT",
    "POINTER",
    "SCALAR",
    "Block",
    "Builder",
    "Cond",
    "FrameSlot",
    "FrameTooLarge",
    "Function",
    "Module",
    "Op",
    "Value",
    "compile_module",
]
