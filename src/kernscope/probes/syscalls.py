"""System-call tracepoints by one raw tracepoint program for all entries and one for all exits.

`tracepoint:syscalls:sys_enter_NAME` and `sys_exit_NAME`, and `tracepoint:raw_syscalls:sys_enter` and `sys_exit`,
keep the meaning that the kernel's own tracepoints have: the same members of `args`, the same names, and no
events for 32-bit compat system calls (kernel/trace/trace_syscalls.c ignores those). They only do not need a
perf event each, whose attach and detach wait for RCU grace periods.

The program is BTF-typed where the kernel has that (registers are then read directly), else a plain raw tracepoint
program that reads them with bpf_probe_read_kernel(). Where the kernel preempts such programs, one perf event on
`raw_syscalls` takes their place: whoever runs while a raw tracepoint's program is preempted would not be seen.
"""

from collections.abc import Sequence

from kernscope.bundle import Attach
from kernscope.tables.bpf import AttachType, ProgramType
from kernscope.tables.helpers import HELPER_IDS
from kernscope.tables.syscalls import numbers, syscall_of_tracepoint
from kernscope.types import INT64, Array, Integer, Struct, StructField

from .base import EventReader, ProbeKind, ProgramShape, Target
from .c_integers import c_integer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess, KernelFacts
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program
    from kernscope.ssa import Block, Builder, Value

__all__ = [
    "SYSCALL_ENTER",
    "SYSCALL_ENTER_EVENT",
    "SYSCALL_EXIT",
    "SYSCALL_EXIT_EVENT",
    "kind_for",
    "number_of",
]

ANY = -1
"""The number that stands for `raw_syscalls`: every system call, even one that does not exist."""

NUMBER_DOMAIN = 512
"""System calls that exist have numbers below (the newest of x86_64 and arm64 are around 470)."""

_NUMBER_FIELDS = ("__syscall_nr", "id")
"""What the tracepoints of `syscalls` and of `raw_syscalls` call the number."""

_RECORD_NUMBER, _RECORD_ARGUMENTS = 8, 16
"""Where the records of `raw_syscalls` have the number, and the arguments or the result (their format files)."""

_FEW = 5
"""Up to so many numbers are compared one by one; more are looked up in a table of bits."""


def kind_for(name: str, kernel: "KernelFacts") -> "_Syscalls":
    """The kind that serves a tracepoint of this name."""
    entry = name.startswith("sys_enter")
    if kernel.has_feature("steady_syscalls"):
        return SYSCALL_ENTER if entry else SYSCALL_EXIT
    return SYSCALL_ENTER_EVENT if entry else SYSCALL_EXIT_EVENT


def number_of(kernel: "KernelFacts", category: str, name: str) -> int | None:
    """The system-call number of a tracepoint; `ANY` for raw_syscalls; None if it is no such tracepoint or unknown."""
    if not kernel.has_feature("raw_tracepoint"):
        return None
    if category == "raw_syscalls" and name in ("sys_enter", "sys_exit"):
        return ANY
    if category != "syscalls":
        return None
    for prefix in ("sys_enter_", "sys_exit_"):
        if name.startswith(prefix):
            return numbers(kernel.arch.machine).get(syscall_of_tracepoint(name[len(prefix) :]))
    return None


class _Event:
    """What the program has read before its clauses: registers, number, result."""

    __slots__ = ("number", "registers", "result", "typed")

    def __init__(self, typed: bool, registers: "Value", number: "Value", result: "Value | None") -> None:
        self.typed, self.registers, self.number, self.result = typed, registers, number, result


class _Syscalls(ProbeKind):
    tells_targets = True

    hidden_frames, most_hidden_frames = 3, 4

    def __init__(self, entry: bool) -> None:
        self.entry = entry
        self.providers = ("syscall_enter" if entry else "syscall_exit",)
        self.raw_name = "sys_enter" if entry else "sys_exit"

    def args(self, kernel: "KernelFacts", target: Target) -> Struct:
        from .tracepoint import tracepoint_args

        category, name = str(target.key[0]), str(target.key[1])
        args = tracepoint_args(kernel, category, name, "user")
        for field in args.fields.values():
            if field.name in _NUMBER_FIELDS:
                field.domain = NUMBER_DOMAIN
            elif isinstance(field.type, Integer):
                # the format gives each argument a slot of 8 bytes; the call uses what its C type holds of it
                field.type = c_integer(field.type_text) or field.type
        return args

    def group(self, target: Target, *, needs_args: bool, needs_probe: bool) -> tuple[object, ...]:
        return self.providers

    def section(self, target: Target) -> object:
        """`raw_syscalls` fires beside the tracepoint of the system call itself."""
        return target.key[2] == ANY

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        text = targets[0].name if len(targets) == 1 else f"tracepoint:syscalls:{self.raw_name}_*"
        if kernel.has_feature("tp_btf"):
            attach = Attach(self.providers[0], text, ("",))
            return ProgramShape(
                self.raw_name,
                ProgramType.TRACING,
                (attach,),
                expected_attach_type=AttachType.TRACE_RAW_TP,
                attach_btf=f"btf_trace_{self.raw_name}",
            )
        attach = Attach(self.providers[0], text, (self.raw_name,))
        return ProgramShape(self.raw_name, ProgramType.RAW_TRACEPOINT, (attach,))

    def begin_program(self, reader: EventReader, leave: "Block") -> _Event:
        b = reader.builder
        typed = reader.kernel.has_feature("tp_btf")
        registers = b.load(8, reader.context, 0, pointer_result=typed)
        second = b.load(8, reader.context, 8)
        if self.entry:
            event = _Event(typed, registers, second, None)
        else:
            number = self._register(reader, typed, registers, reader.kernel.arch.syscall_number_register)
            event = _Event(typed, registers, number, second)
        return event

    def enter_clause(
        self, reader: EventReader, event: object, targets: Sequence[Target], skip: "Block"
    ) -> None:
        assert isinstance(event, _Event)
        wanted = sorted({int(str(t.key[2])) for t in targets})
        if wanted[0] != ANY:
            self._check_number(reader, event.number, wanted, skip)
        if reader.kernel.has_feature("compat"):
            self._skip_compat(reader, skip)

    def _check_number(self, reader: EventReader, number: "Value", numbers: list[int], skip: "Block") -> None:
        from kernscope.ssa import Cond  # attaching a compiled program needs no compiler

        b = reader.builder
        if len(numbers) == 1:
            match = b.block("match")
            b.branch_cmp(Cond.EQ, number, numbers[0], match, skip)
        elif len(numbers) <= _FEW:
            match = b.block("match")
            for n in numbers[:-1]:
                following = b.block()
                b.branch_cmp(Cond.EQ, number, n, match, following)
                b.seal(following)
                b.position(following)
            b.branch_cmp(Cond.EQ, number, numbers[-1], match, skip)
        else:
            match = self._check_table(reader, number, numbers, skip)
        b.seal(match)
        b.position(match)

    def _check_table(
        self, reader: EventReader, number: "Value", numbers: list[int], skip: "Block"
    ) -> "Block":
        """A byte per number. The bound comes first: the verifier needs it for the load, and for dense cells."""
        from kernscope.ssa import Cond

        b = reader.builder
        content = bytearray(numbers[-1] + 1)
        for n in numbers:
            content[n] = 1
        in_range, match = b.block("in_range"), b.block("match")
        b.branch_cmp(Cond.ULE, number, numbers[-1], in_range, skip)
        b.seal(in_range)
        b.position(in_range)
        table = b.map_value("globals", reader.constant_table(bytes(content)))
        b.branch_cmp(Cond.NE, b.load(1, b.ptr_add(table, number)), 0, match, skip)
        return match

    def _skip_compat(self, reader: EventReader, skip: "Block") -> None:
        from kernscope.ssa import Cond

        b, arch = reader.builder, reader.kernel.arch
        member = reader.kernel.btf().struct_member("task_struct", arch.compat_path)
        offset, size = member.byte_offset, reader.kernel.btf().size_of(member.type_id)
        if reader.kernel.has_feature("tp_btf") and reader.kernel.has_feature("task_btf"):
            task_pointer = b.call(HELPER_IDS["get_current_task_btf"], pointer=True, pure=True)
            word = b.load(size, task_pointer, offset)
        else:
            word = reader.read_kernel(b.add(b.call(HELPER_IDS["get_current_task"]), offset), size, False)
        native = b.block("native")
        b.branch_cmp(Cond.EQ, b.and_(word, arch.compat_mask), 0, native, skip)
        b.seal(native)
        b.position(native)

    def load_arg(self, reader: EventReader, event: object, field: StructField, target: Target) -> "Value":
        assert isinstance(event, _Event)
        b = reader.builder
        if field.name in _NUMBER_FIELDS:
            return self._narrow(b, event.number, field)
        if field.name == "ret" and event.result is not None:
            return self._narrow(b, event.result, field)
        # `raw_syscalls:sys_enter` has `args`, an array; system calls have one 8-byte slot per argument from 16 on
        if isinstance(field.type, Array):
            return self._argument_array(reader, event, field.type)
        return self._narrow(b, self._argument(reader, event, (field.offset - 16) // 8), field)

    def _argument(self, reader: EventReader, event: _Event, index: int) -> "Value":
        register = reader.kernel.arch.syscall_arguments[index]
        return self._register(reader, event.typed, event.registers, register)

    def _argument_array(self, reader: EventReader, event: _Event, array: Array) -> "Value":
        b = reader.builder
        address = b.frame_addr(b.frame(array.size))
        for i in range(len(reader.kernel.arch.syscall_arguments)):
            b.store(8, address, self._argument(reader, event, i), 8 * i)
        return address

    @staticmethod
    def _narrow(b: "Builder", value: "Value", field: StructField) -> "Value":
        t = field.type
        return b.ext(value, t.bits, t.signed) if isinstance(t, Integer) and t != INT64 else value

    @staticmethod
    def _register(reader: EventReader, typed: bool, registers: "Value", name: str) -> "Value":
        b = reader.builder
        offset = reader.kernel.arch.register_offsets[name]
        if typed:
            return b.load(8, registers, offset)
        return reader.read_kernel(b.add(registers, offset), 8, False)

    def number(self, names: list[str], targets: Sequence[Target]) -> dict[str, int]:
        """Several system calls get places that differ as their numbers do, so that adding a constant finds them."""
        calls = [t for t in targets if t.key[2] != ANY]
        if len(calls) < 2:
            return super().number(names, targets)
        places = super().number(names, [t for t in targets if t.key[2] == ANY])
        base = len(names)
        wanted = {t.name: int(str(t.key[2])) for t in calls}
        names += [""] * (max(wanted.values()) + 1)
        for name, number in wanted.items():
            places[name] = base + number
            names[base + number] = name
        return places

    def probe_number(
        self, reader: EventReader, event: object, targets: Sequence[Target], numbers: dict[str, int]
    ) -> "Value":
        assert isinstance(event, _Event)
        b = reader.builder
        if len(targets) == 1:
            return b.const(numbers[targets[0].name])
        base = numbers[targets[0].name] - int(str(targets[0].key[2]))
        return b.add(event.number, base)

    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        return [kernel.attach_raw_tracepoint(program, str(attach.target[0]))]


class _SyscallEvents(_Syscalls):
    """The same by perf events on `raw_syscalls:sys_enter` and `sys_exit`, whose records have number and arguments."""

    hidden_frames, most_hidden_frames = 0, 1

    def __init__(self, entry: bool) -> None:
        super().__init__(entry)
        self.providers = (f"{self.providers[0]}_event",)

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        text = super().shape(kernel, targets).attach[0].probe
        attach = Attach(self.providers[0], text, ("raw_syscalls", self.raw_name))
        return ProgramShape(self.raw_name, ProgramType.TRACEPOINT, (attach,))

    def begin_program(self, reader: EventReader, leave: "Block") -> _Event:
        b = reader.builder
        number = b.load(8, reader.context, _RECORD_NUMBER)
        result = None if self.entry else b.load(8, reader.context, _RECORD_ARGUMENTS)
        return _Event(False, number, number, result)

    def _argument(self, reader: EventReader, event: _Event, index: int) -> "Value":
        return reader.builder.load(8, reader.context, _RECORD_ARGUMENTS + 8 * index)

    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        category, name = (str(part) for part in attach.target)
        return [kernel.attach_tracepoint(program, category, name)]


SYSCALL_ENTER, SYSCALL_EXIT = _Syscalls(True), _Syscalls(False)
SYSCALL_ENTER_EVENT, SYSCALL_EXIT_EVENT = _SyscallEvents(True), _SyscallEvents(False)

SERVERS: tuple[ProbeKind, ...] = (SYSCALL_ENTER, SYSCALL_EXIT, SYSCALL_ENTER_EVENT, SYSCALL_EXIT_EVENT)
