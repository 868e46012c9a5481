"""The machine: loads programs, holds maps and frames, runs steps.

It takes the place of kernel, verifier and processor for tests: what a verified program can do has the same
result here, and what the verifier would refuse raises VmFault where it is reached (not for paths that never
run). Memory that the kernel leaves undefined (a fresh frame, a reserved record) is filled with 0xa5, so a
program that depends on it shows.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat
from operator import length_hint
from typing import Any

from kernscope.asm.decode import decode
from kernscope.asm.encode import Assembled
from kernscope.asm.vm import helper_maps, helper_memory, helper_task
from kernscope.asm.vm.arithmetic import Step
from kernscope.asm.vm.environment import Environment
from kernscope.asm.vm.helper import HELPERS, Helper
from kernscope.asm.vm.map import AnyMap, VmMap, VmRing
from kernscope.asm.vm.memory import AddressSpace, Region, VmFault
from kernscope.asm.vm.steps import MapReference, translate
from kernscope.tables.bpf import MapType
from kernscope.tables.opcodes import MAX_CALL_FRAMES, MAX_LOOPS, STACK_BYTES

__all__ = ["LoadedProgram", "Machine"]

# The helper modules fill HELPERS when imported.
_HELPER_MODULES = (helper_maps, helper_memory, helper_task)

_LOW = 0xFFFFFFFF
# Addresses of things that a program may hold but not look into.
_MAPS = 0xC0000000
_FUNCTIONS = 0xC0000001

_UNDEFINED_BYTE = b"\xa5"
_UNDEFINED_FRAME = _UNDEFINED_BYTE * STACK_BYTES
_RETURN_TO_CALLER = -1


class LoadedProgram:
    """A program translated for one machine."""

    __slots__ = ("steps",)

    def __init__(self, steps: list[Step]) -> None:
        self.steps = steps


class Machine:
    """Maps by name, an environment, and programs that run on them one at a time.

    may_goto_budget: how often each function may pass a may_goto (BPF_MAX_LOOPS in the kernel).
    executed: how many instructions the last run took.
    """

    def __init__(
        self,
        maps: Mapping[str, AnyMap] | None = None,
        environment: Environment | None = None,
        helpers: Mapping[int, Helper] | None = None,
        *,
        may_goto_budget: int = MAX_LOOPS,
    ) -> None:
        self.environment = environment or Environment()
        self.maps = dict(maps or {})
        self.helpers: Mapping[int, Helper] = HELPERS if helpers is None else {**HELPERS, **helpers}
        self.may_goto_budget = may_goto_budget
        self.space = AddressSpace(self.environment.memory)
        self.open_records: dict[int, VmRing] = {}
        self.loops_left = 0
        self.executed = 0
        self._handles = list(self.maps.values())
        self._context = Region("context", bytearray(), writable=False)
        self.space.address_of(self._context)
        self._frames: list[tuple[int, list[Any], int]] = []
        self._stacks = [Region("stack", bytearray(STACK_BYTES), aligned=True) for _ in range(MAX_CALL_FRAMES)]
        self._tops = [self.space.address_of(stack) + STACK_BYTES for stack in self._stacks]
        self._budget: Iterator[None] = repeat(None, 0)
        self._steps: list[Step] = []
        for name, table in self.maps.items():
            if (
                table.type in MapType.PERCPU
                and isinstance(table, VmMap)
                and table.copies != self.environment.cpus
            ):
                raise ValueError(f"map {name!r} has {table.copies} copies for {self.environment.cpus} CPUs")

    def load(self, code: bytes | Assembled, relocations: Iterable[MapReference] = ()) -> LoadedProgram:
        """Translate a program: what `assemble` returned, or code with its relocations.

        Raises DecodeError for bytes that are no instructions and VmFault for references to maps that do not
        exist.
        """
        if isinstance(code, Assembled):
            return self.load(code.code, code.relocations)
        return LoadedProgram(translate(self, decode(code), {entry.slot: entry for entry in relocations}))

    def run(
        self, program: LoadedProgram | Assembled, ctx: bytes | Region = b"", max_steps: int = 1_000_000
    ) -> int:
        """Run a program from its first instruction and return r0, unsigned.

        Args:
            ctx: bytes for a read-only context, or a region of the caller's. r1 points to it.
            max_steps: instructions after which the run is given up.

        Raises:
            VmFault: see the module's description; also when `max_steps` is used up.
        """
        loaded = program if isinstance(program, LoadedProgram) else self.load(program)
        if isinstance(ctx, Region):
            context = ctx
        else:
            context = self._context
            context.data, context.size = bytearray(ctx), len(ctx)
        self._frames.clear()
        self.open_records.clear()
        self._steps = loaded.steps
        self._budget = repeat(None, max_steps)
        r: list[Any] = [None] * 11
        self.enter(r, _RETURN_TO_CALLER)
        r[1] = self.space.address_of(context)
        try:
            result = self._execute(0, r)
        finally:
            self.executed = max_steps - length_hint(self._budget)
        if self.open_records:
            raise VmFault("ends with a ring-buffer record reserved and neither submitted nor discarded")
        return result

    def _execute(self, pc: int, r: list[Any]) -> int:
        """Run from a slot until the function that was entered last returns; the result is its r0."""
        steps = self._steps
        try:
            for _ in self._budget:
                pc = steps[pc](r)
                if pc < 0:
                    return int(r[0])
        except VmFault as fault:
            if fault.pc < 0:
                fault.pc = pc
            raise
        except TypeError as error:
            raise VmFault("uses a register that was never set", pc) from error
        raise VmFault("still running when its steps were used up", pc)

    # -- for steps and helpers --------------------------------------------------------------------------

    def enter(self, r: list[Any], return_to: int) -> None:
        """Begin a function: save what the caller gets back, give it a fresh frame."""
        depth = len(self._frames)
        if depth == MAX_CALL_FRAMES:
            raise VmFault(f"calls nest deeper than {MAX_CALL_FRAMES} functions")
        self._frames.append((return_to, r[6:11], self.loops_left))
        self._stacks[depth].data[:] = _UNDEFINED_FRAME
        self.loops_left = self.may_goto_budget
        r[6:11] = (None, None, None, None, self._tops[depth])

    def leave(self, r: list[Any]) -> int:
        """End a function (the exit instruction) and return the slot to go on with."""
        if r[0] is None:
            raise VmFault("returns without having set r0")
        return_to, saved, self.loops_left = self._frames.pop()
        r[6:11] = saved
        r[1:6] = (None, None, None, None, None)
        return return_to

    def call_back(self, function: int, *arguments: int) -> int:
        """Call a function of the running program from a helper; the result is its r0."""
        if function >> 32 != _FUNCTIONS:
            raise VmFault("passes something that is not a function as a callback")
        r: list[Any] = [None] * 11
        self.enter(r, _RETURN_TO_CALLER)
        r[1 : 1 + len(arguments)] = arguments
        return self._execute(function & _LOW, r)

    def function_address(self, slot: int) -> int:
        """What a program gets when it loads the address of the function at a slot."""
        return _FUNCTIONS << 32 | slot

    def resolve(self, relocation: MapReference) -> int:
        """The 64-bit value that a map reference stands for."""
        table = self.maps.get(relocation.name)
        if table is None:
            raise VmFault(f"there is no map {relocation.name!r}", relocation.slot)
        if relocation.kind == "map_fd":
            return _MAPS << 32 | self._handles.index(table)
        if not isinstance(table, VmMap):
            raise VmFault("direct access to the value of a ring buffer", relocation.slot)
        return self.space.address_of(table.direct_value(relocation.addend)) + relocation.addend

    def map_at(self, pointer: int) -> AnyMap:
        """The map that a program passes to a helper."""
        if pointer >> 32 != _MAPS:
            raise VmFault("passes something that is not a map as a map")
        return self._handles[pointer & _LOW]
