"""Errors carry their data, and say it."""

import errno
import pickle

import pytest

from kernscope.kernel.errors import (
    AttachError,
    KernelError,
    NotSupportedError,
    VerifierError,
    last_telling_line,
)

LOG = """0: R1=ctx() R10=fp0
0: (79) r6 = *(u64 *)(r1 +0)          ; R1=ctx() R6_w=scalar()
1: (bf) r0 = r6                       ; R0_w=scalar(id=1) R6_w=scalar(id=1)
; return *p; @ probe.c:4
2: (79) r0 = *(u64 *)(r0 +8)
R0 invalid mem access 'scalar'
processed 3 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
verification time 94 usec
"""


def test_verifier_error_finds_the_instruction_and_the_reason() -> None:
    error = VerifierError(errno.EACCES, "main", LOG)
    assert (error.instruction, error.reason) == (2, "R0 invalid mem access 'scalar'")
    assert error.program == "main" and error.log == LOG
    assert str(error) == "the verifier refused `main` at instruction 2: R0 invalid mem access 'scalar'"


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("", (-1, "")),
        ("back-edge from insn 4 to 2\n", (-1, "back-edge from insn 4 to 2")),
        (
            "5: R0=0 R10=fp0\n5: (85) call unknown#999\ninvalid func unknown#999\n",
            (5, "invalid func unknown#999"),
        ),
        ("7: (95) exit\n", (7, "")),
    ],
)
def test_last_telling_line(log: str, expected: tuple[int, str]) -> None:
    assert last_telling_line(log) == expected


def test_kernel_error_text_and_hint() -> None:
    error = KernelError(errno.EPERM, "BPF_MAP_CREATE", "counts")
    assert str(error) == "BPF_MAP_CREATE for `counts`: Operation not permitted"
    assert "CAP_BPF" in error.hint
    assert isinstance(error, OSError) and error.errno == errno.EPERM
    assert KernelError(errno.EPERM, "x", hint="mine").hint == "mine"


def test_not_supported_says_what_would_help() -> None:
    error = NotSupportedError("kprobes", "CONFIG_KPROBES", "tracepoints work here")
    assert str(error) == "`kprobes` does not work here: it needs CONFIG_KPROBES; tracepoints work here"


@pytest.mark.parametrize(
    "error",
    [
        KernelError(2, "open", "x", "hint"),
        AttachError(2, "BPF_LINK_CREATE", "probe"),
        VerifierError(13, "main", LOG),
    ],
)
def test_errors_survive_pickling(error: KernelError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and str(again) == str(error) and again.hint == error.hint
