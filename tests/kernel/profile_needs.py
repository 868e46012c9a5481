"""What tests of stacks and profiles need of the machine."""

import shutil

import pytest

from kernscope.kernel import Kernel

__all__ = ["needs_gcc", "needs_tables"]

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
needs_tables = pytest.mark.skipif(
    not all(Kernel().has_feature(name) for name in ("bpf_loop", "task_btf")),
    reason="this kernel cannot walk unwind tables (bpf_loop)",
)
