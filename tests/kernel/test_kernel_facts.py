"""What the running kernel says about itself: tracefs, BTF, features, and what it tells the unprivileged."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bpf_snippets import needs_bpf

from kernscope.btf import Kind
from kernscope.kernel import Kernel, KernelError, NotSupportedError, btf_cache, tracefs
from kernscope.kernel.feature_table import FEATURES
from kernscope.kernel.features import Features
from kernscope.tables.arch import ARCHITECTURES
from kernscope.tables.bpf import AttachType, Command, LinkType, MapType, ProgramType

pytestmark = needs_bpf


def test_tracefs_is_mounted_for_us_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = Path("/proc/self/mountinfo").read_text()
    monkeypatch.setattr(tracefs, "MOUNT_POINTS", ("/nowhere",))
    private = tracefs.Tracefs()
    assert private.is_private
    assert Path("/proc/self/mountinfo").read_text() == mounts
    assert "sched" in private.categories() and "sched_process_exec" in private.events("sched")
    assert ("sched", "sched_switch") in private.all_events()
    found = private.event_format("sched", "sched_process_exec")
    assert found.id == private.event_id("sched", "sched_process_exec")
    filename = found.field("filename")
    assert filename is not None and filename.dynamic == "data_loc"
    monkeypatch.undo()
    assert found.id == tracefs.Tracefs().event_id("sched", "sched_process_exec")
    private.close()


def test_every_format_of_this_kernel_can_be_parsed() -> None:
    with Kernel() as kernel:
        for category in ("sched", "syscalls", "net", "block"):
            for name in kernel.tracepoints(category):
                found = kernel.tracepoint_format(category, name)
                assert found.name == name and found.id > 0
                end = 0
                for field in found.fields:
                    assert field.name and field.type_text and field.offset >= end and field.size > 0, field
                    end = field.offset + field.size


def test_listing_system_calls_reads_no_format() -> None:
    with Kernel() as kernel:
        start = time.perf_counter()
        names = kernel.tracepoints("syscalls")
        assert len(names) > 500 and time.perf_counter() - start < 0.2
        assert not kernel.tracefs._formats
        everything: dict[str, list[str]] = {}
        for category, name in kernel.tracefs.all_events():
            everything.setdefault(category, []).append(name)
    with Kernel() as other:
        assert {category: other.tracepoints(category) for category in everything} == everything
        assert other.tracepoints("ftrace") == [] == other.tracepoints("../events/sched")


def test_unknown_events() -> None:
    with Kernel() as kernel:
        assert kernel.tracepoints("no_such_category") == []
        with pytest.raises(KernelError) as caught:
            kernel.tracepoint_format("sched", "no_such_event")
        assert caught.value.errno == errno.ENOENT and caught.value.object == "sched:no_such_event"


def test_kernel_types_agree_with_known_facts() -> None:
    with Kernel() as kernel:
        btf, arch = kernel.btf(), kernel.arch
        task = btf.find(Kind.STRUCT, "task_struct")
        assert task is not None
        comm = btf.member(task, "comm")
        assert comm is not None and btf.size_of(comm.type_id) == 16
        assert btf.member(task, arch.compat_path) is not None
        for path in ("group_leader", "real_parent", "tgid", "exit_code"):
            assert btf.member(task, path) is not None
        registers = btf.find(Kind.STRUCT, "pt_regs")
        assert registers is not None
        for name, offset in arch.register_offsets.items():
            member = btf.member(registers, name)
            if member is not None:
                assert member.byte_offset == offset, name
        assert {"sys_enter", "sys_exit", "sched_switch"} <= set(kernel.raw_tracepoints())
    if arch is ARCHITECTURES["x86_64"]:
        assert registers.size == arch.pt_regs_size


def test_tables_agree_with_the_kernels_enums() -> None:
    btf = Kernel().btf()
    tables = (
        (Command, "bpf_cmd", "BPF_"),
        (MapType, "bpf_map_type", "BPF_MAP_TYPE_"),
        (ProgramType, "bpf_prog_type", "BPF_PROG_TYPE_"),
        (AttachType, "bpf_attach_type", "BPF_"),
        (LinkType, "bpf_link_type", "BPF_LINK_TYPE_"),
    )
    for table, enum, prefix in tables:
        found = btf.find(Kind.ENUM, enum)
        assert found is not None
        values = dict(btf.enumerators(found))
        for name, value in vars(table).items():
            if isinstance(value, int) and prefix + name in values:
                assert values[prefix + name] == value, name


def test_btf_index_is_cached_and_rebuilt_when_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    start = time.perf_counter()
    first = btf_cache.load_vmlinux_btf().find(Kind.STRUCT, "task_struct")
    building = time.perf_counter() - start
    files = list((tmp_path / "kernscope").iterdir())
    assert len(files) == 1 and first is not None
    start = time.perf_counter()
    again = btf_cache.load_vmlinux_btf().find(Kind.STRUCT, "task_struct")
    # 170 ms and 2 ms on one machine; ratios hold on slow ones too.
    assert time.perf_counter() - start < building / 3
    assert again is not None and again.id == first.id
    files[0].write_bytes(b"damaged")
    mended = btf_cache.load_vmlinux_btf().find(Kind.STRUCT, "task_struct")
    assert mended is not None and mended.id == first.id and files[0].stat().st_size > 100_000


def test_features_are_probed_once_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = sorted(os.listdir("/proc/self/fd"))
    with Kernel() as kernel:
        found = Features(kernel).probe_all()
        assert list(found) == list(FEATURES)
        for name in ("bpf", "btf", "raw_tracepoint", "ringbuf", "tracefs"):
            assert found[name] == "", name
        monkeypatch.setattr("kernscope.kernel.features._table", dict)
        cached = Features(kernel)
        start = time.perf_counter()
        assert cached.has("ringbuf") and time.perf_counter() - start < 0.001
    assert sorted(os.listdir("/proc/self/fd")) == before
    cached._key = "another boot"
    cached._results.clear()
    cached._load()
    assert not cached._results


def test_a_missing_feature_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with Kernel() as kernel:
        features = Features(kernel)
        features._results["kprobe"] = "not here"
        with pytest.raises(NotSupportedError) as caught:
            features.require("kprobe")
    assert "CONFIG_KPROBES" in str(caught.value) and "tracepoints" in caught.value.instead


UNPRIVILEGED = """
from kernscope.kernel import Kernel, KernelError, facts
print(facts.missing_capabilities())
try:
    Kernel().map_create(1, 4, 8, 1, name="counts")
except KernelError as error:
    print(error, "|", error.hint)
print(bool(Kernel().features.why_not("raw_tracepoint")))
try:
    Kernel().tracepoint_categories()
except KernelError as error:
    print(error.command, "|", error.hint)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_without_privileges_there_is_a_hint() -> None:
    code = f"import os, sys\nsys.path[:] = {sys.path!r}\nimport kernscope.kernel\n" + UNPRIVILEGED
    # Everything is imported before privileges go: an installation may be readable to root only.
    warm = (
        "import kernscope.kernel.kernel, kernscope.kernel.features, kernscope.kernel.tracefs, pwd\n"
        "import kernscope.kernel.feature_table, kernscope.kernel.btf_cache\n"
        "os.setgid(65534); os.setuid(65534)\n"
    )
    code = code.replace("import kernscope.kernel\n", "import kernscope.kernel\n" + warm, 1)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert done.stderr == "" and done.returncode == 0
    assert lines[0] == "['CAP_BPF', 'CAP_PERFMON']"
    assert (
        lines[1].startswith("BPF_MAP_CREATE for `counts`: Operation not permitted |") and "root" in lines[1]
    )
    assert lines[2] == "True"
    assert "mount" in lines[3] or "root" in lines[3]


def test_kallsyms_of_this_kernel() -> None:
    with Kernel() as kernel:
        address = kernel.kallsyms.address("bpf_prog_put")
        assert address is not None
        assert kernel.kallsyms.lookup(address + 1) == ("bpf_prog_put", 1)
