"""An eBPF machine in user space: the same bytecode, with emulated maps and helpers.

machine = Machine({"counts": create_map(MapType.HASH, 8, 8, 100)}, Environment(pid=7, tgid=7))
result = machine.run(assemble([("main", instructions)]), ctx=bytes(64))
"""

from kernscope.asm.vm.environment import Environment
from kernscope.asm.vm.machine import LoadedProgram, Machine
from kernscope.asm.vm.map import AnyMap, VmMap, VmRing, create_map
from kernscope.asm.vm.memory import Region, VmFault

__all__ = [
    "AnyMap",
    "Environment",
    "LoadedProgram",
    "Machine",
    "Region",
    "VmFault",
    "VmMap",
    "VmRing",
    "create_map",
]
