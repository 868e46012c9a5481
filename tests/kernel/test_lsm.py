"""`lsm` on the running kernel: hooks are seen, their verdicts hold for whom they are meant, and end with the tracer."""

import errno
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import eventually, kernscope, needs_tracing
from kernel_objects import Killed, alive

import kernscope as api
from kernscope.kernel import Kernel

_kernel = Kernel()
pytestmark = needs_tracing
has_hooks = pytest.mark.skipif(
    not _kernel.has_feature("lsm"), reason="`bpf` is not among this kernel's security modules"
)

VICTIM = "ks-victim"
"""`comm` of the process that hooks are about."""

_OPENS = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(15, sys.argv[1].encode())
for path in sys.argv[2:]:
    try:
        os.close(os.open(path, os.O_RDONLY))
        print(0)
    except OSError as problem:
        print(problem.errno)
"""


def opens(*paths: Path, name: str = VICTIM) -> list[int]:
    """What a process called `name` gets when it opens files: 0, or an errno."""
    command = [sys.executable, "-S", "-c", _OPENS, name, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return [int(line) for line in done.stdout.split()]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "ks-secret"
    path.write_text("nothing")
    return path


DENY = f"""lsm:file_open /comm == "{VICTIM}" && str(args.file->f_path.dentry->d_name.name) == "ks-secret"/ {{
    deny(EACCES);
}}"""


def verdicts(session: "api.Session") -> list[tuple[str, str, int, bool]]:
    return [(e.probe, e.verdict, e.count, e.enforced) for e in session if isinstance(e, api.VerdictEvent)]


@has_hooks
def test_hooks_are_seen_with_their_arguments(secret: Path) -> None:
    program = f"""lsm:file_open /comm == "{VICTIM}" && str(args.file->f_path.dentry->d_name.name) == "ks-secret"/ {{
        @[probe, probetype, args.file->f_inode->i_ino] = count();
    }}"""
    with api.run(program) as session:
        assert opens(secret, secret, secret) == [0, 0, 0]
        session.stop()
        found = [dict(e.mapping) for e in session if isinstance(e, api.MapEvent)]
    assert found == [{("lsm:file_open", "lsm", secret.stat().st_ino): 3}]


@has_hooks
def test_a_denial_is_for_whom_it_is_meant_and_ends_with_the_session(secret: Path) -> None:
    with api.run(DENY, settings={"enforce": True}) as session:
        assert opens(secret, Path("/dev/null"), secret) == [errno.EACCES, 0, errno.EACCES]
        assert opens(secret, name="another") == [0]
        session.stop()
        assert verdicts(session) == [("lsm:file_open", "deny(EACCES)", 2, True)]
    assert opens(secret) == [0]


@has_hooks
def test_a_dry_run_only_counts(secret: Path) -> None:
    with api.run(DENY, dry_run=True) as session:
        assert opens(secret, secret) == [0, 0]
        session.stop()
        assert verdicts(session) == [("lsm:file_open", "deny(EACCES)", 2, False)]


@has_hooks
def test_the_tracer_itself_is_spared(secret: Path) -> None:
    text = 'str(args.file->f_path.dentry->d_name.name) == "ks-secret"'
    with api.run(f"lsm:file_open /{text}/ {{ deny() }}", settings={"enforce": True}):
        assert secret.read_text() == "nothing"
        assert opens(secret) == [errno.EPERM]


@has_hooks
def test_allowing_undoes_no_denial(secret: Path) -> None:
    allow = DENY.replace("deny(EACCES)", "allow()")
    for program in (DENY + allow, allow + DENY):
        with api.run(program, settings={"enforce": True}):
            assert opens(secret) == [errno.EACCES]


@has_hooks
def test_time_to_live(secret: Path) -> None:
    with api.run(DENY, settings={"enforce": True}, ttl=0.05):
        time.sleep(0.1)
        assert opens(secret) == [0]


@has_hooks
def test_killed(secret: Path) -> None:
    with Killed(DENY, settings={"enforce": True}) as tracer:
        assert opens(secret) == [errno.EACCES]
    assert eventually(lambda: opens(secret) == [0])
    assert eventually(lambda: not any(alive(*one) for one in tracer.objects))


@has_hooks
def test_a_hook_that_only_tells() -> None:
    """Each process that ends is freed once."""
    program = f'lsm:task_free /str(args.task->comm) == "{VICTIM}"/ {{ @ = count(); exit(); }}'
    with api.run(program, duration=60) as session:
        opens()
        found = [dict(e.mapping) for e in session if isinstance(e, api.MapEvent)]
    assert found == [{None: 1}]


def test_listing() -> None:
    if _kernel.btf().find(12, "bpf_lsm_file_open") is None:
        pytest.skip("this kernel has no hooks for programs")
    done = kernscope("list", "-v", "lsm:file_open")
    assert done.stdout.splitlines() == ["lsm:file_open", "    struct file * file"]


def test_wrong_targets() -> None:
    done = kernscope("run", "-e", "lsm:file_opne { @ = count(); }")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    if _kernel.btf().find(12, "bpf_lsm_file_open") is not None:
        assert "did you mean `lsm:file_open`?" in done.stderr


@pytest.mark.skipif(_kernel.has_feature("lsm"), reason="hooks work here")
def test_how_to_enable_it() -> None:
    done = kernscope("run", "-e", "lsm:file_open { @ = count(); }")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "unknown-probe" in done.stderr or "CONFIG_BPF_LSM" in done.stderr or "lsm=" in done.stderr


def test_verdicts_are_asked_for() -> None:
    done = kernscope("run", "-e", "lsm:file_open { deny() }")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    if _kernel.has_feature("lsm"):
        assert "--enforce" in done.stderr
