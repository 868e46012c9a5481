"""The table of features, in the order `doctor` shows them. Loaded only when something is probed."""

from kernscope.kernel import probing
from kernscope.tables.bpf import ProgramType

__all__ = ["FEATURES", "Feature"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kernscope.kernel.kernel import Kernel


class Feature:
    """One entry.

    Attributes:
        name: what `Features.has` is asked for.
        title: a few words for people.
        probe: raises KernelError, NotSupportedError or OSError if it does not work here.
        needs: kernel option, first version (as information), privilege.
        instead: the nearest thing that works without it; may be empty.
        main: whether the main job (counting and tracing system calls) needs it.
    """

    __slots__ = ("instead", "main", "name", "needs", "probe", "title")

    def __init__(
        self,
        name: str,
        title: str,
        probe: "Callable[[Kernel], object]",
        needs: str,
        instead: str = "",
        *,
        main: bool = False,
    ) -> None:
        self.name = name
        self.title = title
        self.probe = probe
        self.needs = needs
        self.instead = instead
        self.main = main


_p = probing
_BPF = "CONFIG_BPF_SYSCALL and CAP_BPF with CAP_PERFMON (or root)"

_TABLE = (
    Feature("bpf", "bpf(2) maps and programs", _p.bpf_works, _BPF, main=True),
    Feature("jit", "JIT compiler", _p.jit, "CONFIG_BPF_JIT and sysctl net.core.bpf_jit_enable=1",
            "programs run in the kernel's interpreter, slower"),
    Feature("btf", "kernel types (BTF)", _p.btf, "CONFIG_DEBUG_INFO_BTF",
            "programs that use no kernel structures", main=True),
    Feature("raw_tracepoint", "raw tracepoints", _p.raw_tracepoint, "Linux 4.17, " + _BPF, main=True),
    Feature("steady_syscalls", "system calls by raw tracepoints, none missed", _p.steady_syscalls,
            "a kernel that does not preempt their programs: before Linux 6.13, or with preempt=none or voluntary",
            "one perf event for all system calls"),
    Feature("ringbuf", "ring buffer", _p.ringbuf, "Linux 5.8, " + _BPF, main=True),
    Feature("tracefs", "tracepoint formats (tracefs)", _p.tracefs, "CONFIG_TRACING, and CAP_SYS_ADMIN or "
            "`mount -t tracefs tracefs /sys/kernel/tracing`", main=True),
    Feature("tp_btf", "BTF-typed tracepoints", _p.tp_btf, "Linux 5.5 with CONFIG_DEBUG_INFO_BTF",
            "raw tracepoints"),
    Feature("tracepoint", "tracepoints", _p.tracepoint, "CONFIG_PERF_EVENTS, CONFIG_TRACING, CAP_PERFMON",
            "raw tracepoints"),
    Feature("perf_link", "links on perf events", _p.perf_link, "Linux 5.15",
            "PERF_EVENT_IOC_SET_BPF, used by itself"),
    Feature("profile", "profile and interval (software clock)", _p.software_clock,
            "CONFIG_PERF_EVENTS, CAP_PERFMON"),
    Feature("hardware", "hardware counters", _p.hardware_counter,
            "a processor with a performance monitoring unit that the hypervisor, if any, passes through",
            "software events"),
    Feature("watchpoint", "watchpoints (debug registers)", _p.debug_registers,
            "CONFIG_HAVE_HW_BREAKPOINT, and a processor, or a hypervisor, with debug registers"),
    Feature("kprobe", "kernel function probes (kprobe)", _p.kprobe, "CONFIG_KPROBES, CONFIG_KPROBE_EVENTS",
            "tracepoints and raw tracepoints"),
    Feature("kprobe_multi", "many kernel functions at once", _p.kprobe_multi, "Linux 5.18 with CONFIG_FPROBE",
            "one kprobe per function"),
    Feature("kprobe_session", "entry and return of kernel functions by one link", _p.kprobe_session,
            "Linux 6.10 with CONFIG_FPROBE", "two links"),
    Feature("fentry", "function entry and exit (fentry, fexit)", _p.fentry,
            "Linux 5.5 with CONFIG_DYNAMIC_FTRACE and CONFIG_DEBUG_INFO_BTF", "kprobes, or tracepoints"),
    Feature("fentry_cookie", "many functions by one fentry program", _p.fentry_cookie,
            "Linux 5.19 with what fentry needs", "one program per function"),
    Feature("uprobe", "user function probes (uprobe)", _p.uprobe, "CONFIG_UPROBES, CONFIG_UPROBE_EVENTS"),
    Feature("uprobe_multi", "many user functions at once", _p.uprobe_multi, "Linux 6.6 with CONFIG_UPROBES",
            "one uprobe per function"),
    Feature("usdt", "static user probes (USDT)", _p.uprobe, "CONFIG_UPROBES, CONFIG_UPROBE_EVENTS"),
    Feature("lsm", "security hooks (LSM)", _p.lsm, "CONFIG_BPF_LSM, and `bpf` in the kernel parameter lsm=",
            "tracepoints"),
    Feature("iter", "iterators over kernel objects", _p.iterator, "Linux 5.8 with CONFIG_DEBUG_INFO_BTF"),
    Feature("xdp", "packets at the driver (XDP)", _p.xdp, "CONFIG_NET, CAP_NET_ADMIN"),
    Feature("tc", "packets at the traffic classifier (tc)", _p.tc, "CONFIG_NET_CLS_BPF, CAP_NET_ADMIN"),
    Feature("tcx", "tc by link (tcx)", _p.tcx, "Linux 6.6, CAP_NET_ADMIN", "tc"),
    Feature("netfilter", "netfilter hooks by link", _p.netfilter,
            "Linux 6.4 with CONFIG_NETFILTER_BPF_LINK, CAP_NET_ADMIN"),
    Feature("test_run", "test runs of raw tracepoint programs", _p.test_run, "Linux 5.10"),
    Feature("mmapable_array", "memory-mapped arrays", _p.mmapable_array, "Linux 5.5", "system calls"),
    Feature("batch", "whole maps in one system call", _p.batch, "Linux 5.6", "one system call per element"),
    Feature("map_grows", "maps that take memory as they grow", _p.map_grows, "Linux 6.1",
            "maps that take all their memory at once"),
    Feature("may_goto", "loops bounded by the kernel (may_goto)", _p.may_goto, "Linux 6.9",
            "loops with a constant bound"),
    Feature("rdonly_cast", "plain loads of kernel memory (bpf_rdonly_cast)", _p.rdonly_cast,
            "Linux 6.2 with CONFIG_DEBUG_INFO_BTF, and the JIT", "bpf_probe_read_kernel()"),
    Feature("bpf_loop", "bpf_loop()", _p.helper(181), "Linux 5.17", "unrolled or bounded loops"),
    Feature("for_each_map_elem", "iterating over maps in programs", _p.helper(164), "Linux 5.13"),
    Feature("atomic_fetch", "atomic operations with results", _p.atomic_fetch, "Linux 5.12 and the JIT"),
    Feature("cpu_v4", "instructions of CPU version 4", _p.cpu_v4, "Linux 6.6",
            "longer instruction sequences"),
    Feature("probe_read_kernel", "bpf_probe_read_kernel()", _p.helper(113),
            "Linux 5.5, kernel not locked down"),
    Feature("probe_read_user_str", "bpf_probe_read_user_str()", _p.helper(114), "Linux 5.5"),
    Feature("ns_pid_tgid", "process ids as seen in a pid namespace", _p.helper(120), "Linux 5.7",
            "process ids of the initial namespace"),
    Feature("ktime_get_tai_ns", "TAI clock", _p.helper(208), "Linux 6.1", "boot and monotonic clocks"),
    Feature("get_func_ip", "bpf_get_func_ip()", _p.helper(173, ProgramType.KPROBE), "Linux 5.15"),
    Feature("lookup_percpu_elem", "other CPUs' map values in programs", _p.helper(195), "Linux 5.19"),
    Feature("module_btf", "types of kernel modules", _p.module_btf,
            "Linux 5.11 with CONFIG_DEBUG_INFO_BTF_MODULES, and a module", "the types of vmlinux"),
    Feature("task_btf", "bpf_get_current_task_btf()", _p.helper(158), "Linux 5.11", "bpf_get_current_task()"),
    Feature("task_pt_regs", "registers that a task entered the kernel with", _p.helper(175), "Linux 5.15"),
    Feature("mapping_tree", "mappings of processes as a tree that programs can search", _p.mapping_tree,
            "Linux 6.1 with CONFIG_DEBUG_INFO_BTF", "frame pointers in stacks of processes"),
    Feature("attach_cookie", "attach cookies", _p.helper(174, ProgramType.KPROBE), "Linux 5.15"),
    Feature("send_signal", "signals from programs", _p.helper(109), "Linux 5.3"),
    Feature("override_return", "changing return values", _p.override_return, "CONFIG_BPF_KPROBE_OVERRIDE"),
    Feature("compat", "32-bit system calls", _p.compat, "CONFIG_IA32_EMULATION or CONFIG_COMPAT"),
)  # fmt: skip

FEATURES: dict[str, Feature] = {feature.name: feature for feature in _TABLE}
"""All features, in the order `doctor` shows them."""
