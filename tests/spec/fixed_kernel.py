"""A kernel that answers the compiler the same way everywhere, so that expectations can be written down.

An x86_64 machine with two CPUs, all features but kprobes, and few tracepoints; their formats are those of Linux 6.18.
"""

from fake_kernel import SYMBOLS, TRACEABLE
from made_btf import made_kernel

from kernscope.btf import Btf
from kernscope.kernel import KernelError
from kernscope.kernel.facts import PidNamespace
from kernscope.kernel.functions import KernelFunctions
from kernscope.kernel.tracefs import TracepointFormat, parse_format
from kernscope.kernel.user_files import UserPath, find_user_files, map_file
from kernscope.tables.arch import ARCHITECTURES, Architecture

_COMMON = """
field:unsigned short common_type; offset:0; size:2; signed:0;
field:unsigned char common_flags; offset:2; size:1; signed:0;
field:unsigned char common_preempt_count; offset:3; size:1; signed:0;
field:int common_pid; offset:4; size:4; signed:1;
"""
_SYSCALL = "field:int __syscall_nr; offset:8; size:4; signed:1;\n"
_EXIT = _SYSCALL + "field:long ret; offset:16; size:8; signed:1;\n"

_FIELDS = {
    ("syscalls", "sys_enter_openat"): _SYSCALL
    + "field:int dfd; offset:16; size:8; signed:0;\n"
    + "field:const char * filename; offset:24; size:8; signed:0;\n"
    + "field:int flags; offset:32; size:8; signed:0;\n"
    + "field:umode_t mode; offset:40; size:8; signed:0;\n",
    ("syscalls", "sys_exit_openat"): _EXIT,
    ("syscalls", "sys_enter_read"): _SYSCALL
    + "field:unsigned int fd; offset:16; size:8; signed:0;\n"
    + "field:char * buf; offset:24; size:8; signed:0;\n"
    + "field:size_t count; offset:32; size:8; signed:0;\n",
    ("syscalls", "sys_exit_read"): _EXIT,
    ("sched", "sched_process_exec"): "field:__data_loc char[] filename; offset:8; size:4; signed:0;\n"
    + "field:pid_t pid; offset:12; size:4; signed:1;\n"
    + "field:pid_t old_pid; offset:16; size:4; signed:1;\n",
}

ENOENT = 2


class FixedKernel:
    """Implements `kernscope.kernel.interface.KernelFacts`."""

    release = "6.18.0"
    page_size = 4096
    possible_cpus = 2
    online_cpus = (0, 1)
    boot_offset_ns = 0

    @property
    def arch(self) -> Architecture:
        return ARCHITECTURES["x86_64"]

    @property
    def pid_namespace(self) -> PidNamespace:
        return PidNamespace(0, 0xEFFFFFFC)

    def has_feature(self, name: str) -> bool:
        return name != "kprobe"

    def functions(self) -> KernelFunctions:
        return KernelFunctions(SYMBOLS.encode, lambda: TRACEABLE, self.btf)

    def network_interfaces(self) -> dict[str, bool]:
        return {"lo": True, "eth0": True, "veth9": False}

    def has_helper(self, program_type: int, attach_type: int, number: int) -> bool:
        return True

    def tracepoint_categories(self) -> list[str]:
        return sorted({category for category, _ in _FIELDS})

    def tracepoints(self, category: str) -> list[str]:
        return sorted(name for of, name in _FIELDS if of == category)

    def tracepoint_format(self, category: str, name: str) -> TracepointFormat:
        if (category, name) not in _FIELDS:
            raise KernelError(ENOENT, "tracepoint_format", f"{category}:{name}", "")
        number = sorted(_FIELDS).index((category, name)) + 1
        return parse_format(category, f"name: {name}\nID: {number}\n{_COMMON}{_FIELDS[category, name]}")

    def raw_tracepoints(self) -> list[str]:
        return ["sched_process_exec", "sys_enter", "sys_exit"]

    def btf(self) -> Btf:
        return made_kernel()

    def btf_modules(self) -> list[str]:
        return []

    def module_btf(self, module: str) -> Btf | None:
        return None

    def symbol_address(self, name: str, *, absolute: bool = False) -> int | None:
        return {"vfs_read": 0xFFFFFFFF81234560}.get(name)

    def cgroup_id(self, path: str) -> int | None:
        return 4711 if path == "/sys/fs/cgroup/a" else None

    def user_name(self, uid: int) -> str:
        return "root" if uid == 0 else str(uid)

    def user_files(self, text: str, pid: int = 0) -> list[UserPath]:
        """The machine's own files: pages and specifications name those that every machine has."""
        return find_user_files(text, pid)

    def map_file(self, path: str) -> memoryview:
        return map_file(path)
