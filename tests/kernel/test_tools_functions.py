"""The tools that need probes on functions of the kernel, around known work."""

import os
from pathlib import Path

import pytest
from command_line import counts, needs_tracing
from tool_runs import rows, watch

from kernscope.kernel import Kernel

KERNEL = Kernel()
pytestmark = [
    needs_tracing,
    pytest.mark.skipif(
        not (KERNEL.has_feature("kprobe") or KERNEL.has_feature("fentry")),
        reason="this kernel has no probes on its functions",
    ),
]


def needs_function(name: str) -> None:
    if name not in KERNEL.functions().names():
        pytest.skip(f"this kernel has no function {name} of its own")


def test_vfscount(tmp_path: Path) -> None:
    """Folders are made by vfs_mkdir() and removed by vfs_rmdir(): nobody else does that in this process."""

    def work() -> None:
        for i in range(5):
            os.mkdir(tmp_path / f"{i}")
        for i in range(3):
            os.rmdir(tmp_path / f"{i}")

    done = watch("vfscount", str(os.getpid()), work=work)
    found = counts(done.out, "@calls")
    assert (found["vfs_mkdir"], found["vfs_rmdir"]) == (5, 3)


def test_dcsnoop(tmp_path: Path) -> None:
    """A name that is not there is not in the cache when it is first asked for; the folder before it is."""
    needs_function("lookup_fast")
    folder = tmp_path / "dcsnoop_folder"
    folder.mkdir()

    def work() -> None:
        assert not os.path.exists(folder / "dcsnoop_missing")
        assert not os.path.exists(folder / "dcsnoop_missing")

    done = watch("dcsnoop", str(os.getpid()), work=work)
    found = [(row[3], row[4]) for row in rows(done, os.getpid()) if row[4].startswith("dcsnoop_")]
    # A step may be tried again; and once it is known that a name is not there, the cache knows that.
    assert found.count(("R", "dcsnoop_folder")) >= 2
    assert found.count(("M", "dcsnoop_missing")) >= 1
    assert sum(name == "dcsnoop_missing" for _, name in found) >= 2


def test_swapin() -> None:
    """Nothing is swapped in for a process that is in memory; what the tool prints otherwise are lists of pages."""
    done = watch("swapin", work=lambda: None)
    assert all(
        line[:3].replace(":", "").isdigit() or line.startswith("@pages[") for line in done.lines if line
    )
