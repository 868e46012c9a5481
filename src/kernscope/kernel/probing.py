"""The probes of `features`: each tries one thing and undoes it; it returns if it works and raises if not."""

import mmap
import os
from struct import pack

from kernscope.btf import Kind
from kernscope.kernel import facts, perf, preemption
from kernscope.kernel.errors import KernelError, NotSupportedError
from kernscope.kernel.link import attach_function, link_create, raw_tracepoint_open
from kernscope.kernel.map import array_create, map_create
from kernscope.kernel.program import Program, prog_load
from kernscope.kernel.syscall import Buffer, bpf
from kernscope.tables.bpf import AttachType, Command, MapType, ProgramType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kernscope.kernel.kernel import Kernel

__all__ = ["call_helper"]


def _insn(opcode: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> bytes:
    """``struct bpf_insn``."""
    return pack("=BBhi", opcode, dst | src << 4, off, imm)


_EXIT = _insn(0x95)
_RETURN_0 = _insn(0xB7) + _EXIT
_RETURN_1 = _insn(0xB7, imm=1) + _EXIT


def _missing(what: str) -> NotSupportedError:
    return NotSupportedError("", what)


def _load(
    type: int, code: bytes = _RETURN_0, expected_attach_type: int = 0, btf_id: int = 0, flags: int = 0
) -> Program:
    return prog_load(
        type, code, name="probe", expected_attach_type=expected_attach_type, attach_btf_id=btf_id, flags=flags
    )


def _btf_id(kernel: "Kernel", kind: int, name: str) -> int:
    found = kernel.btf().find(kind, name)
    if found is None:
        raise _missing(f"{name} in the kernel's BTF")
    return found.id


def bpf_works(_: "Kernel") -> None:
    map_create(MapType.HASH, 4, 8, 1).close()
    _load(ProgramType.RAW_TRACEPOINT).close()


def jit(_: "Kernel") -> None:
    if not facts.jit_enabled():
        raise _missing("sysctl net.core.bpf_jit_enable=1")


def btf(kernel: "Kernel") -> None:
    kernel.btf()


def raw_tracepoint(_: "Kernel") -> None:
    with _load(ProgramType.RAW_TRACEPOINT) as program:
        raw_tracepoint_open(program, "sys_enter").close()


def steady_syscalls(kernel: "Kernel") -> None:
    """Since Linux 6.13 tracepoints of system calls may fault, so that their programs run with preemption. While one is
    preempted, the kernel skips it for every other thread of that CPU (kernel/trace/bpf_trace.c, __bpf_trace_run).
    """
    mode = preemption.mode()
    if mode in ("none", "voluntary"):
        return
    extension = kernel.btf().find_composite("tracepoint_ext")
    if extension is not None and kernel.btf().member(extension, "faultable") is not None:
        raise _missing(f"programs on system calls that are not preempted (this kernel's preemption: {mode})")


def ringbuf(_: "Kernel") -> None:
    map_create(MapType.RINGBUF, 0, 0, mmap.PAGESIZE).close()


def tracefs(kernel: "Kernel") -> None:
    kernel.tracefs.event_id("raw_syscalls", "sys_enter")


def tp_btf(kernel: "Kernel") -> None:
    tracepoint_id = _btf_id(kernel, Kind.TYPEDEF, "btf_trace_sys_enter")
    with _load(ProgramType.TRACING, _RETURN_0, AttachType.TRACE_RAW_TP, tracepoint_id) as program:
        raw_tracepoint_open(program).close()


def tracepoint(kernel: "Kernel") -> None:
    """Loads the program and opens the event, but does not join them: detaching would wait 80 ms."""
    _load(ProgramType.TRACEPOINT).close()
    kernel.tracefs.event_id("sched", "sched_process_exec")
    os.close(_cpu_clock())


def _cpu_clock() -> int:
    return perf.perf_event_open(
        perf.PerfType.SOFTWARE,
        perf.SoftwareEvent.CPU_CLOCK,
        period=10**9,
        cpu=facts.online_cpus()[0],
        target="cpu-clock",
    )


def perf_link(_: "Kernel") -> None:
    event = _cpu_clock()
    try:
        with _load(ProgramType.PERF_EVENT) as program:
            link_create(program, event, AttachType.PERF_EVENT).close()
    finally:
        os.close(event)


def software_clock(_: "Kernel") -> None:
    with _load(ProgramType.PERF_EVENT) as program:
        perf.attach_event(program, _cpu_clock(), "cpu-clock").close()


def hardware_counter(_: "Kernel") -> None:
    os.close(perf.perf_event_open(perf.PerfType.HARDWARE, 0, period=1 << 30, pid=0, target="cpu-cycles"))


def debug_registers(_: "Kernel") -> None:
    """Watches eight bytes of our own, which nobody writes to."""
    memory = Buffer(16)
    address = (memory.address + 7) & ~7
    writes = 2  # HW_BREAKPOINT_W
    os.close(
        perf.perf_event_open(
            perf.PerfType.BREAKPOINT,
            0,
            period=1,
            pid=0,
            config1=address,
            config2=8,
            breakpoint_type=writes,
            target="breakpoint",
        )
    )


def _event_source(name: str) -> None:
    if not os.path.exists(f"/sys/bus/event_source/devices/{name}/type"):
        raise _missing(f"the event source `{name}`, which this kernel does not have")


def kprobe(_: "Kernel") -> None:
    _event_source("kprobe")
    _load(ProgramType.KPROBE).close()


def uprobe(_: "Kernel") -> None:
    _event_source("uprobe")
    _load(ProgramType.KPROBE).close()


def kprobe_multi(_: "Kernel") -> None:
    _many_kprobes(AttachType.TRACE_KPROBE_MULTI)


def kprobe_session(_: "Kernel") -> None:
    """One program at entry and return of a function: a kprobe_multi link of its own attach type."""
    _many_kprobes(AttachType.TRACE_KPROBE_SESSION)


def _many_kprobes(attach_type: int) -> None:
    """An address list that is not there is EFAULT where the link exists; EOPNOTSUPP or EINVAL where it does not."""
    with _load(ProgramType.KPROBE, _RETURN_0, attach_type) as program:
        # kprobe_multi: flags, cnt, syms, addrs, cookies.
        _expect(program, attach_type, pack("=IIQQQ", 0, 1, 0, 8, 0), "EFAULT")


def uprobe_multi(_: "Kernel") -> None:
    """A directory instead of a program file is EBADF where the link exists."""
    path, offset = Buffer(b"/\0"), Buffer(8)
    # uprobe_multi: path, offsets, ref_ctr_offsets, cookies, cnt, flags, pid.
    extra = pack("=QQQQIII", path.address, offset.address, 0, 0, 1, 0, 0)
    with _load(ProgramType.KPROBE, _RETURN_0, AttachType.TRACE_UPROBE_MULTI) as program:
        _expect(program, AttachType.TRACE_UPROBE_MULTI, extra, "EBADF")


def _expect(program: Program, attach_type: int, extra: bytes, expected: str) -> None:
    try:
        link_create(program, 0, attach_type, extra=extra).close()
    except KernelError as error:
        if facts.errno_name(error.errno or 0) != expected:
            raise


def fentry(kernel: "Kernel") -> None:
    """bpf_fentry_test1 exists for this purpose and nothing else calls it (net/bpf/test_run.c)."""
    function = _btf_id(kernel, Kind.FUNC, "bpf_fentry_test1")
    with _load(ProgramType.TRACING, _RETURN_0, AttachType.TRACE_FENTRY, function) as program:
        raw_tracepoint_open(program).close()


def fentry_cookie(kernel: "Kernel") -> None:
    """bpf_get_attach_cookie() in such a program, and a link with a cookie."""
    function = _btf_id(kernel, Kind.FUNC, "bpf_fentry_test1")
    code = _insn(0x85, imm=174) + _RETURN_0
    with _load(ProgramType.TRACING, code, AttachType.TRACE_FENTRY, function) as program:
        attach_function(program, "probe", attach_type=AttachType.TRACE_FENTRY, cookie=1).close()


def lsm(kernel: "Kernel") -> None:
    active = facts.lsm_active()
    if active is not None and "bpf" not in active:
        raise _missing("`bpf` among the active security modules")
    hook = _btf_id(kernel, Kind.FUNC, "bpf_lsm_quotactl")
    with _load(ProgramType.LSM, _RETURN_0, AttachType.LSM_MAC, hook) as program:
        raw_tracepoint_open(program).close()


def iterator(kernel: "Kernel") -> None:
    target = _btf_id(kernel, Kind.FUNC, "bpf_iter_task")
    with _load(ProgramType.TRACING, _RETURN_0, AttachType.TRACE_ITER, target) as program:
        link_create(program, 0, AttachType.TRACE_ITER).close()


def xdp(_: "Kernel") -> None:
    _load(ProgramType.XDP, _RETURN_1).close()


def tc(_: "Kernel") -> None:
    _load(ProgramType.SCHED_CLS).close()


def tcx(_: "Kernel") -> None:
    """Asks which programs the loopback interface (index 1) has: without tcx, the question is unknown."""
    attribute = Buffer(pack("=IIII", 1, AttachType.TCX_INGRESS, 0, 0) + bytes(48))
    bpf(Command.PROG_QUERY, attribute, "BPF_PROG_QUERY", "tcx")


def netfilter(_: "Kernel") -> None:
    _load(ProgramType.NETFILTER, _RETURN_1, AttachType.NETFILTER).close()


def test_run(_: "Kernel") -> None:
    with _load(ProgramType.RAW_TRACEPOINT, _RETURN_1) as program:
        program.test_run(bytes(8))


def map_grows(_: "Kernel") -> None:
    """Kernels before 6.1 refuse such maps to programs on perf events, which may interrupt the allocator."""
    with map_create(MapType.HASH, 8, 8, 1, 1) as growing:  # BPF_F_NO_PREALLOC
        code = _insn(0x18, 1, 1, imm=growing.fd) + _insn(0) + _RETURN_0
        _load(ProgramType.PERF_EVENT, code).close()


def mmapable_array(_: "Kernel") -> None:
    with array_create(8, 1) as map:
        map.mmap().release()


def batch(_: "Kernel") -> None:
    with map_create(MapType.HASH, 4, 8, 4) as map:
        map.update(bytes(4), bytes(8))
        map.batched_items()


def may_goto(_: "Kernel") -> None:
    # BPF_JMP | BPF_JCOND, src_reg BPF_MAY_GOTO (0), over an instruction: some kernels refuse an offset of 0.
    _load(ProgramType.RAW_TRACEPOINT, _insn(0xB7) + _insn(0xE5, off=1) + _RETURN_0).close()


def rdonly_cast(kernel: "Kernel") -> None:
    # r1 = 0; r2 = id of atomic64_t; r0 = bpf_rdonly_cast(r1, r2); r0 = *(u64 *)(r0 + 0); return 0
    ids = kernel.btf().rdonly_cast()
    if ids is None:
        raise _missing("bpf_rdonly_cast in the kernel's BTF")
    function, struct = ids
    code = _insn(0xB7, 1) + _insn(0xB7, 2, imm=struct) + _insn(0x85, src=2, imm=function) + _insn(0x79)
    _load(ProgramType.RAW_TRACEPOINT, code + _RETURN_0).close()


def atomic_fetch(_: "Kernel") -> None:
    # *(u64 *)(r10 - 8) = 0; r1 = 1; r1 = atomic_fetch_add((u64 *)(r10 - 8), r1); return 0
    code = _insn(0x7A, 10, off=-8) + _insn(0xB7, 1, imm=1) + _insn(0xDB, 10, 1, -8, 0x01) + _RETURN_0
    _load(ProgramType.RAW_TRACEPOINT, code).close()


def cpu_v4(_: "Kernel") -> None:
    # r0 = 0; r0 = (s8)r0; r0 = bswap64 r0; exit
    code = _insn(0xB7) + _insn(0xBF, 0, 0, 8) + _insn(0xD7, 0, imm=64) + _EXIT
    _load(ProgramType.RAW_TRACEPOINT, code).close()


def override_return(_: "Kernel") -> None:
    _event_source("kprobe")
    call_helper(58, ProgramType.KPROBE)


def compat(_: "Kernel") -> None:
    """A sysctl that comes with 32-bit emulation (arch/x86/entry/vdso, arch/arm64 armv8_deprecated.c)."""
    if not any(os.path.exists(f"/proc/sys/abi/{name}") for name in ("vsyscall32", "cp15_barrier")):
        raise _missing("32-bit emulation in the kernel")


def mapping_tree(kernel: "Kernel") -> None:
    """Structures of the kernel that `kernscope.compiler.mapping_search` goes through."""
    from kernscope.btf import BtfError

    types = kernel.btf()
    for struct, member in (
        ("mm_struct", "mm_mt.ma_root"),
        ("maple_range_64", "slot"),
        ("maple_arange_64", "slot"),
    ):
        try:
            types.struct_member(struct, member)
        except BtfError:
            raise _missing("the tree of mappings") from None


def helper(number: int, type: int = ProgramType.RAW_TRACEPOINT) -> "Callable[[Kernel], None]":
    """A probe for a helper function in programs of this type."""
    return lambda _: call_helper(number, type)


def module_btf(_: "Kernel") -> None:
    """Types of modules lie beside those of the kernel."""
    if not set(os.listdir("/sys/kernel/btf")) - {"vmlinux"}:
        raise _missing("types of modules in /sys/kernel/btf")


def call_helper(number: int, type: int, attach_type: int = 0) -> None:
    """Calls it without arguments: a verifier that knows it complains about them, another one about it."""
    try:
        _load(type, _insn(0x85, imm=number) + _EXIT, attach_type).close()
    except KernelError as error:
        log = getattr(error, "log", "")
        if not log or "invalid func" in log or "unknown func" in log or "cannot use helper" in log:
            raise
