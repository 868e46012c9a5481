"""What the rest of Kernscope may ask of the kernel: two protocols that tests can replace.

`KernelFacts` is all that compiling needs: it answers questions and changes nothing. `KernelAccess` adds what
a running session does. `kernscope.kernel.Kernel` implements both against the running kernel.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` costs as much start-up time as this whole room
    from collections.abc import Sequence
    from typing import Protocol

    from kernscope.btf import Btf
    from kernscope.kernel.facts import PidNamespace
    from kernscope.kernel.functions import KernelFunctions
    from kernscope.kernel.kallsyms import Kallsyms
    from kernscope.kernel.link import Link
    from kernscope.kernel.map import Map
    from kernscope.kernel.object import KernelObject
    from kernscope.kernel.process import Command
    from kernscope.kernel.program import Program
    from kernscope.kernel.ringbuf import RingBuffer
    from kernscope.kernel.tracefs import TracepointFormat
    from kernscope.kernel.user_files import UserPath
    from kernscope.tables.arch import Architecture
else:
    Protocol = object

__all__ = ["KernelAccess", "KernelFacts"]


class KernelFacts(Protocol):
    """Questions to a kernel. Every answer is computed when first asked for."""

    @property
    def release(self) -> str:
        """``uname -r``."""

    @property
    def arch(self) -> "Architecture":
        """Registers and system-call facts; NotSupportedError on an unknown machine."""

    @property
    def page_size(self) -> int: ...

    @property
    def possible_cpus(self) -> int:
        """Number of possible CPUs: how many copies a per-CPU map value has."""

    @property
    def online_cpus(self) -> tuple[int, ...]:
        """Numbers of the CPUs that are online."""

    @property
    def boot_offset_ns(self) -> int:
        """CLOCK_REALTIME minus CLOCK_BOOTTIME: add it to ktime_get_boot_ns() for the time of day."""

    @property
    def pid_namespace(self) -> "PidNamespace":
        """Device and inode for bpf_get_ns_current_pid_tgid(); `is_initial` says it is not needed."""

    def has_feature(self, name: str) -> bool:
        """Whether an entry of `kernscope.kernel.features.FEATURES` works here (cached)."""

    def has_helper(self, program_type: int, attach_type: int, number: int) -> bool:
        """Whether programs of a type, loaded for an attach type, may call a helper (cached)."""

    def tracepoint_categories(self) -> list[str]:
        """All categories of tracefs events, sorted."""

    def tracepoints(self, category: str) -> list[str]:
        """All events of a category, sorted; empty if there is no such category."""

    def tracepoint_format(self, category: str, name: str) -> "TracepointFormat":
        """Id and fields of one event; KernelError(ENOENT) if there is none."""

    def raw_tracepoints(self) -> list[str]:
        """Names of all raw tracepoints, sorted, from the BTF typedefs ``btf_trace_NAME``."""

    def btf(self) -> "Btf":
        """Types of vmlinux; NotSupportedError without CONFIG_DEBUG_INFO_BTF."""

    def btf_modules(self) -> list[str]:
        """Names of the loaded modules that describe their types, sorted."""

    def module_btf(self, module: str) -> "Btf | None":
        """Types of a module, on top of those of vmlinux; None if it is not loaded or has no BTF."""

    def functions(self) -> "KernelFunctions":
        """The kernel's functions that probes may be put on."""

    def symbol_address(self, name: str, *, absolute: bool = False) -> int | None:
        """Address of a kernel symbol, or None; NotSupportedError where addresses are hidden.

        `absolute`: also symbols that are no addresses, such as the offsets of per-CPU variables.
        """

    def cgroup_id(self, path: str) -> int | None:
        """Id of the control group (version 2) whose folder is `path`, or None."""

    def cgroup_folder(self, path: str) -> str | None:
        """The folder of a control group (version 2): `path`, or what it is below where the groups are mounted."""

    def network_interfaces(self) -> dict[str, bool]:
        """The interfaces of the tracer's network namespace; whether each is up."""

    def user_name(self, uid: int) -> str:
        """Login name of `uid`, or the number as text."""

    def user_files(self, text: str, pid: int = 0) -> "list[UserPath]":
        """Programs and libraries by path, pattern or name; see `kernscope.kernel.user_files.find_user_files`."""

    def map_file(self, path: str) -> memoryview:
        """A file's content. OSError where it cannot be read."""


class KernelAccess(KernelFacts, Protocol):
    """What a session does. Each result is closed by whoever asked for it."""

    def map_create(
        self,
        type: int,
        key_size: int,
        value_size: int,
        max_entries: int,
        flags: int = 0,
        name: str = "",
    ) -> "Map": ...

    def prog_load(
        self,
        type: int,
        code: bytes,
        *,
        name: str = "",
        license: str = "GPL",
        expected_attach_type: int = 0,
        attach_btf_id: int = 0,
        attach_btf_obj_fd: int = 0,
        flags: int = 0,
        log_level: int = 0,
        btf_fd: int = 0,
        func_info: bytes = b"",
    ) -> "Program":
        """`btf_fd` and `func_info` (see `kernscope.btf.encode`) are needed by programs with callbacks."""

    def btf_load(self, data: bytes) -> "KernelObject":
        """Hand our own programs' type information to the kernel (see `kernscope.btf.encode`)."""

    def read_symbols(self) -> "Kallsyms":
        """The kernel's symbols as they are now, those of loaded programs among them."""

    def ring_buffer(self, map: "Map") -> "RingBuffer": ...

    def open_module_btf(self, module: str) -> "KernelObject":
        """The BTF object of a module, for `attach_btf_obj_fd`; KernelError(ENOENT) if it has none."""

    def attach_function(
        self, program: "Program", target: str, *, attach_type: int = 0, cookie: int = 0
    ) -> "Link":
        """Attach a program that was loaded for a kernel function (fentry, fexit, LSM)."""

    def attach_raw_tracepoint(self, program: "Program", name: str) -> "Link":
        """`name` is empty for BTF-typed (tp_btf) programs: their target is in the program."""

    def attach_tracepoint(self, program: "Program", category: str, name: str) -> "Link":
        """Attach to one perf tracepoint event on all CPUs."""

    def attach_kprobe(
        self, program: "Program", function: str, place: int, *, at_return: bool = False, cookie: int = 0
    ) -> "Link":
        """On one instruction: `place` bytes into `function`, or the address `place` where that is empty."""

    def attach_kprobe_multi(
        self,
        program: "Program",
        functions: "Sequence[str]",
        addresses: "Sequence[int]" = (),
        *,
        at_return: bool = False,
        cookies: "Sequence[int]" = (),
    ) -> "Link":
        """On the entry or return of many functions, by their names or else by their addresses."""

    def attach_timer(
        self, program: "Program", *, period_ns: int = 0, frequency: int = 0, every_cpu: bool = False
    ) -> "list[Link]":
        """Run `program` by clock: on one CPU (interval) or on each online CPU (profile)."""

    def attach_netfilter(
        self, program: "Program", family: int, hook: int, priority: int, target: str
    ) -> "Link":
        """Attach to a netfilter hook of the tracer's network namespace."""

    def attach_xdp(self, program: "Program", interface: str) -> "Link":
        """Attach to what an interface receives, in its driver if that can."""

    def attach_tcx(self, program: "Program", interface: str, direction: int) -> "Link":
        """Attach to an interface; `direction` is an attach type, TCX_INGRESS or TCX_EGRESS."""

    def attach_cgroup(self, program: "Program", path: str, attach_type: int, target: str) -> "Link":
        """Attach to a hook of the control group whose folder is `path`."""

    def attach_counter(
        self, program: "Program", type: int, config: int, *, period: int, process: int = 0, target: str = ""
    ) -> "list[Link]":
        """Run `program` after every `period` events of a perf counter, on each CPU or in one process."""

    def attach_uprobe_multi(
        self,
        program: "Program",
        path: str,
        offsets: "Sequence[int]",
        *,
        at_return: bool = False,
        cookies: "Sequence[int]" = (),
        semaphores: "Sequence[int]" = (),
        process: int = 0,
        target: str = "",
    ) -> "Link":
        """On many places of a program or library; see `kernscope.kernel.uprobe`."""

    def attach_uprobe(
        self,
        program: "Program",
        path: str,
        offset: int,
        *,
        at_return: bool = False,
        cookie: int = 0,
        semaphore: int = 0,
        process: int = 0,
        target: str = "",
    ) -> "Link":
        """On one place of a program or library."""

    def attach_iterator(self, program: "Program", name: str, *, process: int = 0, target: str = "") -> "Link":
        """An iteration over the kernel's objects, which runs `program` while it is read (`Link.read_some`)."""

    def attach_watchpoint(
        self,
        program: "Program",
        address: int,
        length: int,
        mode: int,
        *,
        process: int = 0,
        target: str = "",
    ) -> "list[Link]":
        """Run `program` when an address is accessed (`mode`: HW_BREAKPOINT_*), in one process or everywhere."""

    def detach(self, links: "Sequence[Link]", *, background: bool = False) -> None:
        """Close links together: their waits for the kernel are shared; see `link.detach_together`."""

    def start_command(self, arguments: "Sequence[str]", *, copies: "Sequence[str]" = ()) -> "Command":
        """A child process that waits before its exec until `Command.resume()`."""
