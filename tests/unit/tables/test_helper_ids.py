"""The table of helper ids against numbers that are ABI, and against the running kernel."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from kernscope.tables.helpers import HELPER_IDS, HELPER_NAMES

_ROOT = Path(__file__).parents[3]
_BTF = Path("/sys/kernel/btf/vmlinux")


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("unspec", 0),
        ("map_lookup_elem", 1),
        ("ktime_get_ns", 5),
        ("get_current_pid_tgid", 14),
        ("probe_read_kernel_str", 115),
        ("ringbuf_output", 130),
        ("for_each_map_elem", 164),
        ("loop", 181),
        ("cgrp_storage_delete", 211),
    ],
)
def test_known_numbers(name: str, number: int) -> None:
    assert HELPER_IDS[name] == number
    assert HELPER_NAMES[number] == name


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_helpers", _ROOT / "tools" / "generate_helpers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not _BTF.exists(), reason="this kernel has no BTF")
def test_the_running_kernel_agrees() -> None:
    generator = _generator()
    ids = generator.bpf_func_ids(_BTF.read_bytes())
    known = {name: ids[name] for name in HELPER_NAMES if name in ids}
    # An older kernel lacks the last ones; none may differ.
    assert list(known) == list(HELPER_NAMES[: len(known)])
    assert all(HELPER_IDS[name] == number for name, number in known.items())
    if len(ids) == len(HELPER_NAMES):
        assert generator.render(ids) == (_ROOT / "src/kernscope/tables/helpers.py").read_text()
