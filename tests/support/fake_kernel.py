"""Facts about a kernel that does not exist: the same on every machine, each of them set as a test wants it.

An x86_64 machine with two CPUs. Tracepoint formats are those of Linux 6.18, shortened; the offsets in
`struct task_struct` are made up.
"""

from collections.abc import Iterable

from made_btf import made_kernel, made_module

from kernscope.btf import Btf
from kernscope.kernel.errors import KernelError, NotSupportedError
from kernscope.kernel.facts import PidNamespace
from kernscope.kernel.functions import KernelFunctions
from kernscope.kernel.tracefs import TracepointFormat, parse_format
from kernscope.kernel.user_files import UserPath, find_user_files, map_file
from kernscope.tables.arch import ARCHITECTURES, Architecture

__all__ = ["ALL_FEATURES", "TASK_OFFSETS", "FakeKernel"]

ALL_FEATURES = frozenset(
    "bpf jit btf raw_tracepoint steady_syscalls ringbuf tracefs tp_btf tracepoint perf_link profile test_run "
    "mmapable_array batch may_goto bpf_loop for_each_map_elem atomic_fetch cpu_v4 probe_read_kernel "
    "probe_read_user_str ns_pid_tgid ktime_get_tai_ns task_btf attach_cookie send_signal compat "
    "fentry fentry_cookie get_func_ip task_pt_regs lsm netfilter xdp tcx rdonly_cast".split()
)

_INITIAL_PID_NAMESPACE = 0xEFFFFFFC
"""PROC_PID_INIT_INO of include/uapi/linux/nsfs.h."""

_COMMON = """
field:unsigned short common_type;offset:0;size:2;signed:0;
field:unsigned char common_flags;offset:2;size:1;signed:0;
field:unsigned char common_preempt_count;offset:3;size:1;signed:0;
field:int common_pid;offset:4;size:4;signed:1;
"""
_ENTER = "field:int __syscall_nr;offset:8;size:4;signed:1;\n"
_EXIT = _ENTER + "field:long ret;offset:16;size:8;signed:1;\n"

FORMATS = {
    ("syscalls", "sys_enter_openat"): _ENTER
    + "field:int dfd;offset:16;size:8;signed:0;\n"
    + "field:const char * filename;offset:24;size:8;signed:0;\n"
    + "field:int flags;offset:32;size:8;signed:0;\n"
    + "field:umode_t mode;offset:40;size:8;signed:0;\n",
    ("syscalls", "sys_exit_openat"): _EXIT,
    ("syscalls", "sys_enter_read"): _ENTER
    + "field:unsigned int fd;offset:16;size:8;signed:0;\n"
    + "field:char * buf;offset:24;size:8;signed:0;\n"
    + "field:size_t count;offset:32;size:8;signed:0;\n",
    ("syscalls", "sys_exit_read"): _EXIT,
    ("syscalls", "sys_enter_close"): _ENTER + "field:unsigned int fd;offset:16;size:8;signed:0;\n",
    ("syscalls", "sys_exit_close"): _EXIT,
    ("raw_syscalls", "sys_enter"): "field:long id;offset:8;size:8;signed:1;\n"
    + "field:unsigned long args[6];offset:16;size:48;signed:0;\n",
    ("raw_syscalls", "sys_exit"): "field:long id;offset:8;size:8;signed:1;\n"
    + "field:long ret;offset:16;size:8;signed:1;\n",
    ("sched", "sched_switch"): "field:char prev_comm[16];offset:8;size:16;signed:0;\n"
    + "field:pid_t prev_pid;offset:24;size:4;signed:1;\n"
    + "field:long prev_state;offset:32;size:8;signed:1;\n"
    + "field:char next_comm[16];offset:40;size:16;signed:0;\n",
    ("sched", "sched_process_exec"): "field:__data_loc char[] filename;offset:8;size:4;signed:0;\n"
    + "field:pid_t pid;offset:12;size:4;signed:1;\n"
    + "field:pid_t old_pid;offset:16;size:4;signed:1;\n",
}
"""By category and name: the fields of each tracepoint, without the common ones."""

TASK_OFFSETS = {"thread_info.status": 16, "tgid": 1244, "real_parent": 1256, "comm": 1840}
"""Of `made_btf.made_kernel`."""


SYMBOLS = """\
0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000000 T __noinstr_text_start
ffffffff81000010 T exc_page_fault
ffffffff81000100 T __noinstr_text_end
ffffffff81234560 T vfs_read
ffffffff81234600 t do_nanosleep
ffffffff81234680 t shrink_slab.isra.0
ffffffff81234700 T vfs_write
ffffffff81234800 T __x64_sys_openat
ffffffff81234900 t twice
ffffffff81234a00 t twice
ffffffff81300000 T _etext
ffffffff82000000 D jiffies
ffffffffc0000000 t nf_hook\t[nf_tables]
ffffffffc0000100 t vfs_read\t[nf_tables]
ffffffffc0001000 t bpf_prog_6deef7357e7b4530_sys_enter\t[bpf]
ffffffffc0002000 t ftrace_trampoline\t[__builtin__ftrace]
"""
"""Of /proc/kallsyms."""

TRACEABLE = """\
__ftrace_invalid_address___12
vfs_read
vfs_write
do_nanosleep
shrink_slab.isra.0
__x64_sys_openat
twice
nf_hook [nf_tables]
vfs_read [nf_tables]
"""
"""Of available_filter_functions."""


class FakeKernel:
    """Implements `kernscope.kernel.interface.KernelFacts`.

    Args:
        features: those that it has; `without` takes some away.
        formats: tracepoints by category and name, as `FORMATS`.
    """

    release = "6.18.0-fake"
    page_size = 4096

    def __init__(
        self,
        *,
        features: Iterable[str] = ALL_FEATURES,
        without: Iterable[str] = (),
        possible_cpus: int = 2,
        machine: str = "x86_64",
        pid_namespace: tuple[int, int] = (4, _INITIAL_PID_NAMESPACE),
        formats: dict[tuple[str, str], str] = FORMATS,
    ) -> None:
        self.features = frozenset(features) - frozenset(without)
        self.possible_cpus = possible_cpus
        self.online_cpus = tuple(range(possible_cpus))
        self.boot_offset_ns = 1_700_000_000 * 10**9
        self.pid_namespace = PidNamespace(*pid_namespace)
        self.arch: Architecture = ARCHITECTURES[machine]
        self.formats = formats
        self.traceable: str | None = TRACEABLE
        """What tracefs lists, or None where it cannot be read."""
        self.missing_helpers: set[tuple[int, int]] = set()
        """(program type, helper) that the kernel refuses."""
        self.asked: list[str] = []
        """What was asked that is expensive on a real kernel: `btf`, `format category:name`."""

    def has_feature(self, name: str) -> bool:
        return name in self.features

    def has_helper(self, program_type: int, attach_type: int, number: int) -> bool:
        return (program_type, number) not in self.missing_helpers

    def tracepoint_categories(self) -> list[str]:
        return sorted({category for category, _ in self.formats})

    def tracepoints(self, category: str) -> list[str]:
        return sorted(name for of, name in self.formats if of == category)

    def tracepoint_format(self, category: str, name: str) -> TracepointFormat:
        self.asked.append(f"format {category}:{name}")
        if (category, name) not in self.formats:
            raise KernelError(2, "read", f"{category}:{name}", "")
        number = sorted(self.formats).index((category, name)) + 1
        fields = self.formats[category, name]
        return parse_format(category, f'name: {name}\nID: {number}\n{_COMMON}{fields}print fmt: ""')

    def raw_tracepoints(self) -> list[str]:
        return ["sched_process_exec", "sched_switch", "sys_enter", "sys_exit"]

    def btf(self) -> Btf:
        self.asked.append("btf")
        if "btf" not in self.features:
            raise NotSupportedError("kernel types (BTF)", "CONFIG_DEBUG_INFO_BTF")
        return made_kernel()

    def btf_modules(self) -> list[str]:
        return ["nf_tables"]

    def module_btf(self, module: str) -> Btf | None:
        self.asked.append(f"btf {module}")
        return made_module() if module == "nf_tables" else None

    def functions(self) -> KernelFunctions:
        self.asked.append("functions")
        return KernelFunctions(
            lambda: SYMBOLS.encode(),
            lambda: self.traceable,
            lambda: self.btf() if "btf" in self.features else None,
        )

    def symbol_address(self, name: str, *, absolute: bool = False) -> int | None:
        return {"vfs_read": 0xFFFFFFFF81234560}.get(name)

    def cgroup_id(self, path: str) -> int | None:
        return 4711 if path == "/sys/fs/cgroup/a" else None

    def cgroup_folder(self, path: str) -> str | None:
        return {"/": "/sys/fs/cgroup", "/a": "/sys/fs/cgroup/a"}.get(path)

    def network_interfaces(self) -> dict[str, bool]:
        return {"lo": True, "eth0": True, "veth9": False}

    def user_name(self, uid: int) -> str:
        return {0: "root", 1000: "ada"}.get(uid, str(uid))

    def user_files(self, text: str, pid: int = 0) -> list[UserPath]:
        """The machine's own files: a test makes those it needs."""
        return find_user_files(text, pid)

    def map_file(self, path: str) -> memoryview:
        return map_file(path)
