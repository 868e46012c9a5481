"""`kprobe` and `kretprobe` on the running kernel: counts of a known workload, values, stacks, refusals, detaching."""

import os
import re
import signal
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from command_line import Tracer, eventually, kernscope, needs_tracing
from kernel_objects import alive, held
from traced import maps_after

import kernscope as api
from kernscope.kernel import AttachError, Kernel

KERNEL = Kernel()
pytestmark = [
    needs_tracing,
    pytest.mark.skipif(not KERNEL.has_feature("kprobe"), reason="this kernel has no kprobes"),
]
multi = pytest.mark.skipif(
    not KERNEL.has_feature("kprobe_multi"), reason="this kernel has no kprobe_multi links"
)

CALL = f"{KERNEL.arch.syscall_prefix}getpgid"
"""A function that nothing but our own calls run in this process, and that has no second name."""

RESULT = KERNEL.arch.return_register

SIZE = 779
"""Nobody else reads so many bytes at once in this process."""

TIMES = 7


def work() -> None:
    """A known number of calls, opens, reads and writes."""
    for _ in range(TIMES):
        os.getpgid(0)
    zero, null = os.open("/dev/zero", os.O_RDONLY), os.open("/dev/null", os.O_WRONLY)
    for _ in range(TIMES):
        os.read(zero, SIZE)
        os.write(null, bytes(SIZE))
    os.close(zero)
    os.close(null)


def maps(program: str) -> dict[str, object]:
    """The program's maps after `work()`."""
    return maps_after(work, program)


def test_counts_names_arguments_and_results() -> None:
    found = maps(
        f"""
        kprobe:{CALL} /pid == $1/ {{ @entered[probe, func, probetype] = count(); @from[kstack(1)] = count(); }}
        kretprobe:{CALL} /pid == $1/ {{ @returned[probe, func, (int64)retval] = count(); }}
        k:vfs_read /pid == $1 && arg2 == {SIZE}/ {{ @start[tid] = arg1; }}
        kr:vfs_read /@start[tid]/ {{ @read[retval, reg("{RESULT}")] = count(); delete(@start[tid]); }}
        """
    )
    assert found["@entered"] == {(f"kprobe:{CALL}", CALL, "kprobe"): TIMES}
    assert found["@returned"] == {(f"kretprobe:{CALL}", CALL, os.getpgid(0)): TIMES}
    assert found["@read"] == {(SIZE, SIZE): TIMES}
    (stack,) = found["@from"]  # type: ignore[misc]
    assert re.search(rf"\b{CALL}\b", str(stack))


def test_each_function_of_a_pattern_is_told_apart() -> None:
    found = maps(
        f"""
        kprobe:vfs_read, kprobe:vfs_writ*, kprobe:{CALL} /pid == $1 && arg2 == {SIZE}/ {{ @in[probe, func] = count(); }}
        kretprobe:vfs_read, kretprobe:vfs_write /pid == $1 && retval == {SIZE}/ {{ @out[probe, func] = count(); }}
        """
    )
    assert found["@in"] == {(f"kprobe:{name}", name): TIMES for name in ("vfs_read", "vfs_write")}
    assert found["@out"] == {(f"kretprobe:{name}", name): TIMES for name in ("vfs_read", "vfs_write")}


def test_a_place_inside_a_function_and_an_address() -> None:
    """Which offsets are instructions is up to the compiler: at least one of the first bytes must be."""
    address = KERNEL.functions().addresses(CALL)[0]
    for offset in range(1, 16):
        try:
            found = maps(
                f"kprobe:{CALL}+{offset} /pid == $1/ {{ @[probe, func] = count(); }}"
                f" kprobe:{address + offset:#x} /pid == $1/ {{ @at[func] = count(); }}"
            )
        except AttachError:
            continue
        assert found["@"] == {(f"kprobe:{CALL}+{offset}", CALL): TIMES}
        assert found["@at"] == {CALL: TIMES}
        return
    pytest.fail(f"no instruction begins in the first bytes of {CALL}")


def test_by_module_and_its_own_name() -> None:
    found = maps(f"kprobe:vmlinux:{CALL} /pid == $1/ {{ @[probe] = count(); }}")
    assert found["@"] == {f"kprobe:vmlinux:{CALL}": TIMES}


@multi
def test_many_functions_by_one_link() -> None:
    pattern = "vfs_*"
    functions = [name for name in KERNEL.functions().names() if fnmatchcase(name, pattern)]
    assert len(functions) > 30
    program = f"""
    kprobe:{pattern} /pid == $1 && arg2 == {SIZE}/ {{ @in[func] = count(); }}
    kretprobe:{pattern} /pid == $1 && retval == {SIZE}/ {{ @out[func] = count(); }}
    """
    found: dict[str, object] = {}
    with api.run(program, args=[str(os.getpid())]) as session:
        assert session.bundle.probe_count == 2 * len(functions)
        links = [identity for kind, identity in held(os.getpid()) if kind == "link"]
        work()
        session.stop()
        for event in session:
            if isinstance(event, api.MapEvent):
                found[event.name] = dict(event.mapping)
    assert len(links) <= 4  # one for each action, unless the kernel refused a function of its own list
    assert found["@in"] == found["@out"] == {"vfs_read": TIMES, "vfs_write": TIMES}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_attached(number: int) -> None:
    address = KERNEL.functions().addresses(CALL)[0]
    targets = (f"kprobe:{CALL}", f"kretprobe:{CALL}", f"kprobe:{address:#x}")
    program = " ".join(f"{target} {{ @m{i} = count(); }}" for i, target in enumerate(targets))
    with Tracer("-e", program) as tracer:
        objects = held(tracer.process.pid)
        assert {kind for kind, _ in objects} == {"prog", "link"}
        tracer.process.send_signal(number)
        tracer.process.wait(60)
    assert eventually(lambda: not any(alive(*one) for one in objects), 30)
    listed = Path("/sys/kernel/debug/kprobes/list")
    if os.access(listed, os.R_OK):
        assert eventually(lambda: CALL not in listed.read_text(), 30)


def untraceable() -> str | None:
    """A function that is there, and that the kernel does not let be traced."""
    functions = KERNEL.functions()
    names = ("exc_page_fault", "asm_exc_page_fault", "do_syscall_64", "el0_svc")
    return next((name for name in names if functions.addresses(name) and name not in functions.names()), None)


def test_a_function_that_cannot_be_traced_is_an_error_and_leaves_nothing() -> None:
    name = untraceable()
    assert name is not None
    before = held(os.getpid())
    with (
        pytest.raises(AttachError) as caught,
        api.run(f"kprobe:{CALL} {{ }} kprobe:{CALL}, kprobe:{name} {{ }}"),
    ):
        pass
    assert caught.value.hint
    assert held(os.getpid()) == before


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("kprobe:vfs_raed", "did you mean `kprobe:vfs_read`?"),
        ("kprobe:vfs_read+1000000", "there is nothing of it at offset 1000000"),
        ("kprobe:no_such_module:vfs_read", "the module `no_such_module` is not loaded"),
        ("kretprobe:0x1234", "not on a place inside them"),
        ("kprobe:0x1234", "no function of this kernel is at the address `0x1234`"),
    ],
)
def test_targets_that_are_wrong(target: str, said: str) -> None:
    with pytest.raises(api.CompileError) as caught:
        api.compile(f"{target} {{ }}")
    finding = caught.value.diagnostics[0]
    assert said in " ".join([finding.message, *finding.notes, *finding.help])


def test_the_list_of_all_functions() -> None:
    done = kernscope("list", f"kprobe:{CALL[:-2]}*")
    assert f"kprobe:{CALL}" in done.stdout.splitlines()
