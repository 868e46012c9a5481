"""Facts per processor architecture: system-call registers, pt_regs layout, system-call numbers.

Sources: arch/x86/include/asm/{ptrace,syscall,thread_info}.h, arch/arm64/include/asm/{ptrace,syscall,
thread_info}.h, include/uapi/asm-generic/unistd.h, syscall(2). Offsets are bytes in the kernel's own
``struct pt_regs`` (on arm64 its first part is ``struct user_pt_regs``); they are ABI of the raw tracepoints
``sys_enter(struct pt_regs *regs, long id)`` and ``sys_exit(struct pt_regs *regs, long ret)``.
"""

__all__ = ["AARCH64", "ARCHITECTURES", "X86_64", "Architecture"]


class Architecture:
    """One processor architecture. `machine` is what uname(2) calls it."""

    __slots__ = (
        "compat_mask",
        "compat_path",
        "compat_why",
        "frame_pointer",
        "function_arguments",
        "machine",
        "program_counter",
        "pt_regs_size",
        "register_offsets",
        "return_register",
        "stack_pointer",
        "syscall_arguments",
        "syscall_bpf",
        "syscall_number_register",
        "syscall_perf_event_open",
        "syscall_prefix",
    )

    def __init__(
        self,
        *,
        machine: str,
        register_offsets: dict[str, int],
        pt_regs_size: int,
        syscall_arguments: tuple[str, ...],
        syscall_number_register: str,
        function_arguments: tuple[str, ...],
        return_register: str,
        stack_pointer: str,
        program_counter: str,
        frame_pointer: str,
        syscall_bpf: int,
        syscall_perf_event_open: int,
        syscall_prefix: str,
        compat_path: str,
        compat_mask: int,
        compat_why: str,
    ) -> None:
        self.machine = machine
        self.register_offsets = register_offsets
        """Register name → byte offset of its 8-byte slot in struct pt_regs."""
        self.pt_regs_size = pt_regs_size
        self.syscall_arguments = syscall_arguments
        """Registers of the six system-call arguments, as saved at entry."""
        self.syscall_number_register = syscall_number_register
        self.function_arguments = function_arguments
        """Registers of a C function's first integer arguments."""
        self.return_register = return_register
        """Register of a C function's, and of a system call's, result."""
        self.stack_pointer = stack_pointer
        self.program_counter = program_counter
        self.frame_pointer = frame_pointer
        self.syscall_bpf = syscall_bpf
        self.syscall_perf_event_open = syscall_perf_event_open
        self.syscall_prefix = syscall_prefix
        """Prefix of system-call functions in kallsyms (``__x64_sys_openat``)."""
        self.compat_path = compat_path
        """Field path from struct task_struct to the word that tells 32-bit compat system calls."""
        self.compat_mask = compat_mask
        """Bits of that word which are set during a compat system call."""
        self.compat_why = compat_why

    def syscall_argument_offsets(self) -> tuple[int, ...]:
        """Byte offsets in struct pt_regs of the six system-call arguments."""
        return tuple(self.register_offsets[name] for name in self.syscall_arguments)

    def function_argument_offsets(self) -> tuple[int, ...]:
        """Byte offsets in struct pt_regs of a C function's register arguments."""
        return tuple(self.register_offsets[name] for name in self.function_arguments)


_X86_64_ORDER = (
    "r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax ip cs flags sp ss"  # struct pt_regs, in order
)

X86_64 = Architecture(
    machine="x86_64",
    register_offsets={name: 8 * index for index, name in enumerate(_X86_64_ORDER.split())},
    pt_regs_size=168,
    # syscall(2): the fourth argument travels in r10 because the `syscall` instruction overwrites rcx.
    syscall_arguments=("di", "si", "dx", "r10", "r8", "r9"),
    syscall_number_register="orig_ax",
    function_arguments=("di", "si", "dx", "cx", "r8", "r9"),
    return_register="ax",
    stack_pointer="sp",
    program_counter="ip",
    frame_pointer="bp",
    syscall_bpf=321,
    syscall_perf_event_open=298,
    syscall_prefix="__x64_sys_",
    compat_path="thread_info.status",
    compat_mask=0x0002,
    compat_why="TS_COMPAT, set on entry of a 32-bit system call and cleared on its exit "
    "(arch/x86/include/asm/thread_info.h); syscall tracepoints skip it as arch_trace_is_compat_syscall(). "
    "x32 calls have bit 30 in their number, so no 64-bit number equals them",
)

AARCH64 = Architecture(
    machine="aarch64",
    # struct user_pt_regs: regs[31], sp, pc, pstate; then orig_x0 and syscallno.
    register_offsets={
        **{f"x{index}": 8 * index for index in range(31)},
        "sp": 248,
        "pc": 256,
        "pstate": 264,
        "orig_x0": 272,
        "syscallno": 280,
    },
    pt_regs_size=336,
    # x0 is overwritten by the result; orig_x0 keeps the first argument (syscall_get_arguments()).
    syscall_arguments=("orig_x0", "x1", "x2", "x3", "x4", "x5"),
    syscall_number_register="x8",
    function_arguments=("x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7"),
    return_register="x0",
    stack_pointer="sp",
    program_counter="pc",
    frame_pointer="x29",
    syscall_bpf=280,
    syscall_perf_event_open=241,
    syscall_prefix="__arm64_sys_",
    compat_path="thread_info.flags",
    compat_mask=1 << 22,
    compat_why="TIF_32BIT (bit 22), set for a task's whole life (arch/arm64/include/asm/thread_info.h)",
)

ARCHITECTURES: dict[str, Architecture] = {arch.machine: arch for arch in (X86_64, AARCH64)}
"""By uname(2) machine name."""
