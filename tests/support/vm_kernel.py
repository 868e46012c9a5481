"""A kernel made of the user-space eBPF machine: a session runs on it as on the real one, without privileges.

What is loaded is the code as the loader patched it, with map file descriptors in it; here they are small
numbers of our own.
"""

import os
from collections.abc import Sequence
from typing import Any

from fake_kernel import FakeKernel

from kernscope.asm.vm import Environment, LoadedProgram, Machine, VmRing, create_map
from kernscope.asm.vm.map import AnyMap, VmMap
from kernscope.bundle import Relocation

__all__ = ["VmKernel", "VmProgram"]

_LD_IMM64, _CALL = 0x18, 0x85
_KINDS = {1: "map_fd", 2: "map_value"}
"""BPF_PSEUDO_MAP_FD and BPF_PSEUDO_MAP_VALUE of include/uapi/linux/bpf.h."""
_PSEUDO_KFUNC_CALL = 2


class _Map:
    def __init__(self, fd: int, name: str, map: AnyMap) -> None:
        self.fd, self.name, self.map = fd, name, map

    def update(self, key: bytes, value: bytes, flags: int = 0) -> None:
        assert isinstance(self.map, VmMap)
        self.map.update(key, value)

    def items(self) -> list[tuple[bytes, bytes]]:
        assert isinstance(self.map, VmMap)
        return self.map.items()

    def clear(self) -> None:
        assert isinstance(self.map, VmMap)
        for key in self.map.program_keys():
            self.map.delete(key)

    def zero(self) -> None:
        assert isinstance(self.map, VmMap)
        for key in self.map.program_keys():
            self.map.update(key, bytes(self.map.value_size))

    def mmap(self) -> memoryview:
        assert isinstance(self.map, VmMap)
        return memoryview(self.map.direct_value(0).data)

    def close(self) -> None:
        pass


class _Ring:
    def __init__(self, ring: VmRing) -> None:
        self.ring = ring
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    @property
    def producer_pos(self) -> int:
        return self.ring.producer

    @property
    def consumer_pos(self) -> int:
        return self.ring.consumer

    @property
    def pending_bytes(self) -> int:
        return self.ring.producer - self.ring.consumer

    def drain(self, limit: int = 0, until: int | None = None) -> list[bytes]:
        return self.ring.drain(limit, until)

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        os.close(self._fd)


class VmProgram:
    """One loaded program; `recursion_misses` as the kernel's statistics have it."""

    recursion_misses = 0

    def __init__(self, kernel: "VmKernel", name: str, program: LoadedProgram) -> None:
        self.kernel, self.name, self.program = kernel, name, program

    def test_run(self, context: bytes = b"") -> None:
        """Run it once; a context that is too short reads as zeros behind its end."""
        # A raw tracepoint's arguments: at most 12 words (see kernscope.probes.rawtracepoint).
        self.kernel.machine.run(self.program, context.ljust(96, b"\0"), max_steps=self.kernel.max_steps)

    def statistics(self) -> "VmProgram":
        return self

    def close(self) -> None:
        pass


class VmKernel(FakeKernel):
    """Implements `kernscope.kernel.interface.KernelAccess`, with nothing to attach to.

    `attached` has `(probe, program)` of what a session wanted to attach: a test runs those itself.
    """

    def __init__(
        self, environment: Environment | None = None, *, max_steps: int = 2_000_000, **facts: Any
    ) -> None:
        super().__init__(**facts)
        self.environment = environment or Environment(cpus=self.possible_cpus, cpu=self.possible_cpus - 1)
        self.max_steps = max_steps
        self.compiled_for: Any = self
        """The kernel whose types the programs were compiled with."""
        self.maps: dict[str, AnyMap] = {}
        self.attached: list[tuple[Any, VmProgram]] = []
        self._machine: Machine | None = None

    @property
    def machine(self) -> Machine:
        """One machine for all maps that there are when the first program is loaded."""
        if self._machine is None:
            self._machine = Machine(self.maps, self.environment)
        return self._machine

    def map_create(
        self, type: int, key_size: int, value_size: int, max_entries: int, flags: int = 0, name: str = ""
    ) -> _Map:
        assert self._machine is None and name not in self.maps
        self.maps[name] = create_map(type, key_size, value_size, max_entries, flags, cpus=self.possible_cpus)
        return _Map(len(self.maps), name, self.maps[name])

    def prog_load(self, type: int, code: bytes, *, name: str = "", **_: Any) -> VmProgram:
        return VmProgram(self, name, self.machine.load(code, self._references(code)))

    def _references(self, code: bytes) -> list[Relocation]:
        """The maps that the loader wrote into the code, and the kernel functions that are in it."""
        names = list(self.maps)
        found = []
        at = 0
        while at < len(code):
            wide = code[at] == _LD_IMM64
            kind = _KINDS.get(code[at + 1] >> 4) if wide else None
            if kind is not None:
                fd = int.from_bytes(code[at + 4 : at + 8], "little")
                addend = int.from_bytes(code[at + 12 : at + 16], "little")
                found.append(Relocation(at // 8, kind, names[fd - 1], addend))
            if code[at] == _CALL and code[at + 1] >> 4 == _PSEUDO_KFUNC_CALL:
                btf_id = int.from_bytes(code[at + 4 : at + 8], "little")
                found.append(Relocation(at // 8, "kfunc", self.compiled_for.btf().type(btf_id).name, btf_id))
            at += 16 if wide else 8
        return found

    def btf_load(self, data: bytes) -> _Map:
        return _Map(1000, "btf", VmRing(4096))

    def ring_buffer(self, map: _Map) -> _Ring:
        assert isinstance(map.map, VmRing)
        return _Ring(map.map)

    def attach(self, kernel: object, where: Any, program: VmProgram) -> list[Any]:
        """For a session's `attach`."""
        self.attached.append((where, program))
        return []

    def detach(self, links: Sequence[Any], *, background: bool = False) -> None:
        pass
