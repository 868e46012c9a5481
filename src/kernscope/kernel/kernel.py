"""`Kernel`: the running kernel as one object, each part opened when first used."""

import mmap
import os

from kernscope.kernel import facts
from kernscope.kernel.bpf import (
    Link,
    Map,
    Program,
    attach_function,
    btf_load,
    detach_together,
    map_create,
    prog_load,
    raw_tracepoint_open,
)
from kernscope.kernel.errors import NotSupportedError
from kernscope.tables.arch import ARCHITECTURES, Architecture

__all__ = ["Kernel"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from kernscope.btf import Btf
    from kernscope.kernel.features import Features
    from kernscope.kernel.functions import KernelFunctions
    from kernscope.kernel.interface import KernelAccess
    from kernscope.kernel.kallsyms import Kallsyms
    from kernscope.kernel.object import KernelObject
    from kernscope.kernel.process import Command
    from kernscope.kernel.ringbuf import RingBuffer
    from kernscope.kernel.tracefs import Tracefs, TracepointFormat
    from kernscope.kernel.user_files import UserPath


class Kernel:
    """Implements `interface.KernelFacts` and `interface.KernelAccess`. A context manager."""

    map_create = staticmethod(map_create)
    prog_load = staticmethod(prog_load)
    btf_load = staticmethod(btf_load)
    attach_raw_tracepoint = staticmethod(raw_tracepoint_open)
    attach_function = staticmethod(attach_function)
    detach = staticmethod(detach_together)
    user_name = staticmethod(facts.user_name)

    def __init__(self) -> None:
        self._uname = os.uname()
        self._tracefs: Tracefs | None = None
        self._btf: Btf | None = None
        self._module_btf: dict[str, Btf | None] = {}
        self._features: Features | None = None
        self._kallsyms: Kallsyms | None = None
        self._functions: KernelFunctions | None = None

    @property
    def release(self) -> str:
        return self._uname.release

    @property
    def arch(self) -> Architecture:
        found = ARCHITECTURES.get(self._uname.machine)
        if found is None:
            known = " or ".join(ARCHITECTURES)
            raise NotSupportedError(self._uname.machine, f"a 64-bit kernel on {known}")
        return found

    @property
    def page_size(self) -> int:
        return mmap.PAGESIZE

    @property
    def possible_cpus(self) -> int:
        return facts.possible_cpus()

    @property
    def online_cpus(self) -> tuple[int, ...]:
        return facts.online_cpus()

    @property
    def boot_offset_ns(self) -> int:
        return facts.boot_offset_ns()

    @property
    def pid_namespace(self) -> facts.PidNamespace:
        return facts.pid_namespace()

    @property
    def features(self) -> "Features":
        if self._features is None:
            from kernscope.kernel.features import Features

            self._features = Features(self)
        return self._features

    def has_feature(self, name: str) -> bool:
        return self.features.has(name)

    def has_helper(self, program_type: int, attach_type: int, number: int) -> bool:
        return self.features.has_helper(program_type, attach_type, number)

    @property
    def tracefs(self) -> "Tracefs":
        if self._tracefs is None:
            from kernscope.kernel.tracefs import Tracefs

            self._tracefs = Tracefs()
        return self._tracefs

    def tracepoint_categories(self) -> list[str]:
        return self.tracefs.categories()

    def tracepoints(self, category: str) -> list[str]:
        return self.tracefs.events(category)

    def tracepoint_format(self, category: str, name: str) -> "TracepointFormat":
        return self.tracefs.event_format(category, name)

    def raw_tracepoints(self) -> list[str]:
        return self.btf().raw_tracepoint_names()

    def btf(self) -> "Btf":
        if self._btf is None:
            from kernscope.kernel.btf_cache import load_vmlinux_btf

            self._btf = load_vmlinux_btf()
        return self._btf

    @property
    def kallsyms(self) -> "Kallsyms":
        if self._kallsyms is None:
            from kernscope.kernel.kallsyms import read_kallsyms

            self._kallsyms = read_kallsyms()
        return self._kallsyms

    def btf_modules(self) -> list[str]:
        from kernscope.kernel.btf_cache import modules_with_btf

        return modules_with_btf()

    def module_btf(self, module: str) -> "Btf | None":
        if module not in self._module_btf:
            from kernscope.kernel.btf_cache import load_module_btf

            self._module_btf[module] = load_module_btf(module, self.btf())
        return self._module_btf[module]

    def open_module_btf(self, module: str) -> "KernelObject":
        from kernscope.kernel.btf_objects import open_module_btf

        return open_module_btf(module)

    def functions(self) -> "KernelFunctions":
        if self._functions is None:
            from kernscope.kernel.functions import running_kernel

            self._functions = running_kernel(self)
        return self._functions

    def symbol_address(self, name: str, *, absolute: bool = False) -> int | None:
        from kernscope.kernel.kallsyms import find_address

        return find_address(name, absolute=absolute)

    def cgroup_id(self, path: str) -> int | None:
        from kernscope.kernel.cgroups import cgroup_id

        return cgroup_id(path)

    def user_files(self, text: str, pid: int = 0) -> "list[UserPath]":
        from kernscope.kernel.user_files import find_user_files

        return find_user_files(text, pid)

    def map_file(self, path: str) -> memoryview:
        from kernscope.kernel.user_files import map_file

        return map_file(path)

    def read_symbols(self) -> "Kallsyms":
        from kernscope.kernel.kallsyms import read_kallsyms

        return read_kallsyms()

    def ring_buffer(self, map: Map) -> "RingBuffer":
        from kernscope.kernel.ringbuf import RingBuffer

        return RingBuffer.open(map)

    def attach_tracepoint(self, program: Program, category: str, name: str) -> Link:
        from kernscope.kernel.perf import attach_tracepoint

        return attach_tracepoint(program, self.tracefs.event_id(category, name), f"{category}:{name}")

    def attach_kprobe(
        self, program: Program, function: str, place: int, *, at_return: bool = False, cookie: int = 0
    ) -> Link:
        from kernscope.kernel.kprobe import attach_kprobe

        return attach_kprobe(program, function, place, at_return=at_return, cookie=cookie)

    def attach_kprobe_multi(
        self,
        program: Program,
        functions: "Sequence[str]",
        addresses: "Sequence[int]" = (),
        *,
        at_return: bool = False,
        cookies: "Sequence[int]" = (),
    ) -> Link:
        from kernscope.kernel.kprobe import attach_kprobe_multi

        return attach_kprobe_multi(program, functions, addresses, at_return=at_return, cookies=cookies)

    def attach_timer(
        self, program: Program, *, period_ns: int = 0, frequency: int = 0, every_cpu: bool = False
    ) -> list[Link]:
        from kernscope.kernel.perf import attach_timer

        return attach_timer(
            program, period_ns=period_ns, frequency=frequency, every_cpu=every_cpu, target=program.name
        )

    def attach_netfilter(self, program: Program, family: int, hook: int, priority: int, target: str) -> Link:
        from kernscope.kernel.netfilter import attach_netfilter

        return attach_netfilter(program, family, hook, priority, target)

    def cgroup_folder(self, path: str) -> str | None:
        from kernscope.kernel.cgroups import cgroup_folder

        return cgroup_folder(path)

    def network_interfaces(self) -> dict[str, bool]:
        from kernscope.kernel.network import interfaces

        return interfaces()

    def attach_xdp(self, program: Program, interface: str) -> Link:
        from kernscope.kernel.network import attach_xdp

        return attach_xdp(program, interface)

    def attach_tcx(self, program: Program, interface: str, direction: int) -> Link:
        from kernscope.kernel.network import attach_tcx

        return attach_tcx(program, interface, direction)

    def attach_cgroup(self, program: Program, path: str, attach_type: int, target: str) -> Link:
        from kernscope.kernel.network import attach_cgroup

        return attach_cgroup(program, path, attach_type, target)

    def attach_counter(
        self, program: Program, type: int, config: int, *, period: int, process: int = 0, target: str = ""
    ) -> list[Link]:
        from kernscope.kernel.counter import attach_counter

        return attach_counter(program, type, config, period=period, process=process, target=target)

    def attach_uprobe_multi(
        self,
        program: Program,
        path: str,
        offsets: "Sequence[int]",
        *,
        at_return: bool = False,
        cookies: "Sequence[int]" = (),
        semaphores: "Sequence[int]" = (),
        process: int = 0,
        target: str = "",
    ) -> Link:
        from kernscope.kernel.uprobe import attach_uprobe_multi

        return attach_uprobe_multi(
            program,
            path,
            offsets,
            at_return=at_return,
            cookies=cookies,
            semaphores=semaphores,
            process=process,
            target=target,
        )

    def attach_uprobe(
        self,
        program: Program,
        path: str,
        offset: int,
        *,
        at_return: bool = False,
        cookie: int = 0,
        semaphore: int = 0,
        process: int = 0,
        target: str = "",
    ) -> Link:
        from kernscope.kernel.uprobe import attach_uprobe

        return attach_uprobe(
            program,
            path,
            offset,
            at_return=at_return,
            cookie=cookie,
            semaphore=semaphore,
            process=process,
            target=target,
        )

    def attach_iterator(self, program: Program, name: str, *, process: int = 0, target: str = "") -> Link:
        from kernscope.kernel.iterator import attach_iterator

        return attach_iterator(program, name, process=process, target=target)

    def attach_watchpoint(
        self,
        program: Program,
        address: int,
        length: int,
        mode: int,
        *,
        process: int = 0,
        target: str = "",
    ) -> list[Link]:
        from kernscope.kernel.watchpoint import attach_watchpoint

        return attach_watchpoint(program, address, length, mode, process=process, target=target)

    def start_command(self, arguments: "Sequence[str]", *, copies: "Sequence[str]" = ()) -> "Command":
        from kernscope.kernel.process import start

        return start(arguments, copies=copies)

    def close(self) -> None:
        """Give back what this object itself opened (not maps, programs and links)."""
        if self._tracefs is not None:
            self._tracefs.close()
            self._tracefs = None
        self._module_btf = {}
        self._btf = None  # its mapping ends when nobody else uses it

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


if TYPE_CHECKING:
    _implements: KernelAccess = Kernel()
