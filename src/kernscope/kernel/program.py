"""BPF programs: loading with a readable refusal, test runs, statistics.

Source of the layouts: ``union bpf_attr`` and ``struct bpf_prog_info`` in include/uapi/linux/bpf.h.
"""

import errno
from struct import Struct, pack, unpack_from

from kernscope.kernel.errors import KernelError, VerifierError
from kernscope.kernel.object import KernelObject, object_name
from kernscope.kernel.syscall import Buffer, bpf, bpf_result
from kernscope.tables.bpf import LOG_LEVEL_BASIC, STATS_RUN_TIME, TEST_RUN_ON_CPU, Command

__all__ = ["Program", "ProgramStatistics", "TestRun", "btf_load", "enable_stats", "prog_load"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_LOAD = Struct("=IIQQIIQII16sIIIIQIIQIIIIQQII")
_TEST = Struct("=IIIIQQIIIIQQIIII")

_LOG_BYTES = 256 << 10
_LOG_BYTES_LIMIT = 64 << 20

_LOAD_TRIES = 5
"""The verifier gives up with EAGAIN when a signal is pending (kernel/bpf/verifier.c, do_check)."""


class TestRun:
    """Result of BPF_PROG_TEST_RUN."""

    __slots__ = ("data", "duration_ns", "retval")
    __test__ = False  # not a test class, whatever its name says to pytest

    def __init__(self, retval: int, duration_ns: int, data: bytes) -> None:
        self.retval = retval
        self.duration_ns = duration_ns
        self.data = data


class ProgramStatistics:
    """Part of ``struct bpf_prog_info``; run times count only while `enable_stats` is open."""

    __slots__ = (
        "id",
        "jited_bytes",
        "recursion_misses",
        "run_cnt",
        "run_time_ns",
        "verified_insns",
        "xlated_bytes",
    )

    def __init__(self, info: memoryview) -> None:
        self.id, self.jited_bytes, self.xlated_bytes = unpack_from("=4xI8xII", info)
        self.run_time_ns, self.run_cnt, self.recursion_misses, self.verified_insns = unpack_from(
            "=QQQI", info, 192
        )


class Program(KernelObject):
    """One loaded program. `log` is the verifier's log if one was asked for."""

    __slots__ = ("log", "type")

    def __init__(self, fd: int, name: str, type: int, log: str = "") -> None:
        super().__init__(fd, name)
        self.type = type
        self.log = log

    def test_run(
        self,
        context: bytes = b"",
        *,
        data: bytes = b"",
        data_out_bytes: int = 0,
        repeat: int = 0,
        cpu: int | None = None,
    ) -> TestRun:
        """Run the program once (or `repeat` times), without an event.

        Args:
            context: the program's context; for raw tracepoints the arguments as 8-byte words.
            data: packet, for program types that take one; `data_out_bytes` is the room for its result.
            cpu: where to run (raw tracepoints only).

        Raises:
            KernelError: this type of program cannot be test-run, or the context is too small.
        """
        context_in, data_in, data_out = Buffer(context), Buffer(data), Buffer(data_out_bytes)
        attribute = Buffer(
            _TEST.pack(
                self.fd,
                0,
                len(data),
                data_out_bytes,
                data_in.address if data else 0,
                data_out.address if data_out_bytes else 0,
                repeat,
                0,
                len(context),
                0,
                context_in.address if context else 0,
                0,
                TEST_RUN_ON_CPU if cpu is not None else 0,
                cpu or 0,
                0,
                0,
            )
        )
        bpf(Command.PROG_TEST_RUN, attribute, "BPF_PROG_TEST_RUN", self.name)
        fields = _TEST.unpack(attribute.view)
        return TestRun(fields[1], fields[7], data_out.bytes(min(fields[3], data_out_bytes)))

    def statistics(self) -> ProgramStatistics:
        """Sizes and run counts, from BPF_OBJ_GET_INFO_BY_FD."""
        return ProgramStatistics(_program_info(self.fd, self.name).view)

    def xlated(self) -> bytes:
        """The instructions as the verifier rewrote them; empty if `kernel.kptr_restrict` hides them."""
        size = self.statistics().xlated_bytes
        code = Buffer(size)
        request = bytearray(256)
        request[20:24] = pack("=I", size)
        request[32:40] = pack("=Q", code.address)
        _program_info(self.fd, self.name, request)
        return code.bytes()


def _program_info(fd: int, name: str, request: bytes | bytearray = bytes(256)) -> Buffer:
    info = Buffer(request)
    attribute = Buffer(pack("=IIQ", fd, len(info), info.address))
    bpf(Command.OBJ_GET_INFO_BY_FD, attribute, "BPF_OBJ_GET_INFO_BY_FD", name)
    return info


def prog_load(
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
    line_info: bytes = b"",
) -> Program:
    """BPF_PROG_LOAD.

    The first try goes without a log, which is much faster; only a refusal is repeated with one.

    Args:
        code: encoded instructions, map file descriptors filled in.
        func_info, line_info: arrays of ``struct bpf_func_info`` (8 bytes) and ``bpf_line_info`` (16).

    Raises:
        VerifierError: the verifier refused the program and said why.
        KernelError: the load failed before the verifier (privileges, unknown type, memory).
    """
    instructions, license_text = Buffer(code), Buffer(license.encode() + b"\0")
    functions, lines = Buffer(func_info), Buffer(line_info)

    def attempt(level: int, log: Buffer | None) -> int:
        attribute = Buffer(
            _LOAD.pack(
                type,
                len(code) // 8,
                instructions.address,
                license_text.address,
                level if log else 0,
                len(log) if log else 0,
                log.address if log else 0,
                0,
                flags,
                object_name(name),
                0,
                expected_attach_type,
                btf_fd,
                8 if func_info else 0,
                functions.address if func_info else 0,
                len(func_info) // 8,
                16 if line_info else 0,
                lines.address if line_info else 0,
                len(line_info) // 16,
                attach_btf_id,
                attach_btf_obj_fd,
                *(0, 0, 0, 0, 0),
            )
        )
        result = -errno.EAGAIN
        for _ in range(_LOAD_TRIES):
            result = bpf_result(Command.PROG_LOAD, attribute)
            if result != -errno.EAGAIN:
                break
        return result

    log_text = ""
    result = attempt(0, None) if not log_level else -errno.ENOSPC
    if result < 0 and result not in (-errno.EPERM, -errno.ENOSYS):
        result, log_text = _attempt_with_log(attempt, log_level or LOG_LEVEL_BASIC)
    if result >= 0:
        return Program(result, name, type, log_text)
    if log_text:
        raise VerifierError(-result, name, log_text)
    raise KernelError(-result, "BPF_PROG_LOAD", name)


def _attempt_with_log(attempt: "Callable[[int, Buffer], int]", level: int) -> tuple[int, str]:
    """Load with a log buffer, grown while the kernel says it is too small."""
    size = _LOG_BYTES
    while True:
        log = Buffer(size)
        result = attempt(level, log)
        if result != -errno.ENOSPC or size >= _LOG_BYTES_LIMIT:
            return result, log.text()
        size *= 8


def btf_load(data: bytes, name: str = "") -> KernelObject:
    """BPF_BTF_LOAD: type information of our own programs."""
    types = Buffer(data)
    attribute = Buffer(pack("=QQIIII", types.address, 0, len(data), 0, 0, 0))
    return KernelObject(bpf(Command.BTF_LOAD, attribute, "BPF_BTF_LOAD", name), name)


def enable_stats() -> KernelObject:
    """Count runs and run time of all programs while this object is open (some ns per run)."""
    attribute = Buffer(pack("=I", STATS_RUN_TIME))
    return KernelObject(bpf(Command.ENABLE_STATS, attribute, "BPF_ENABLE_STATS"), "stats")
