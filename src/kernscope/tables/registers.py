"""The names that assemblers give to registers and their parts, and which register of `struct pt_regs` they are of.

Sources: System V ABI for x86-64, Arm Architecture Reference Manual; the names on the right are those of
`kernscope.tables.arch`. Registers for floating-point numbers are not in `struct pt_regs`.
"""

__all__ = ["REGISTER_NAMES"]

_X86_OLD = {"ax": "a", "bx": "b", "cx": "c", "dx": "d"}
_X86_POINTERS = ("si", "di", "bp", "sp")


def _x86_64() -> dict[str, tuple[str, int, int]]:
    names = {"rip": ("ip", 0, 8)}
    for register, letter in _X86_OLD.items():
        names[f"r{register}"] = (register, 0, 8)
        names[f"e{register}"] = (register, 0, 4)
        names[register] = (register, 0, 2)
        names[f"{letter}l"] = (register, 0, 1)
        names[f"{letter}h"] = (register, 8, 1)
    for register in _X86_POINTERS:
        names[f"r{register}"] = (register, 0, 8)
        names[f"e{register}"] = (register, 0, 4)
        names[register] = (register, 0, 2)
        names[f"{register}l"] = (register, 0, 1)
    for number in range(8, 16):
        for suffix, size in (("", 8), ("d", 4), ("w", 2), ("b", 1)):
            names[f"r{number}{suffix}"] = (f"r{number}", 0, size)
    return names


def _aarch64() -> dict[str, tuple[str, int, int]]:
    names = {"sp": ("sp", 0, 8), "fp": ("x29", 0, 8), "lr": ("x30", 0, 8)}
    for number in range(31):
        names[f"x{number}"] = (f"x{number}", 0, 8)
        names[f"w{number}"] = (f"x{number}", 0, 4)
    return names


REGISTER_NAMES: dict[str, dict[str, tuple[str, int, int]]] = {"x86_64": _x86_64(), "aarch64": _aarch64()}
"""By machine and name (without `%`): the register of `struct pt_regs`, the first bit and the number of bytes."""
