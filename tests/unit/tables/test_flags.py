"""Flag sets against Python's own constants and, where there is a compiler, the headers."""

import fcntl
import mmap
import os
import select
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from kernscope.tables.flags import FlagSet, Names, find, names
from kernscope.tables.syscalls.arguments import CALLS, SELECTED
from kernscope.tables.syscalls.calls import POINTED_BYTES, STRINGS, parse
from kernscope.tables.syscalls.number_text import number_text


def all_names(set_name: str) -> dict[str, int]:
    """Name → value of everything in a set."""
    entry = find(set_name)
    if isinstance(entry, Names):
        return {name: value for value, name in entry.names.items()}
    found = {name: value for value, name in entry.bits.items()}
    if entry.field is not None:
        found |= {name: value for value, name in entry.field[1].items()}
    if entry.zero != "0":
        found[entry.zero] = 0
    return found


MODULES = (fcntl, mmap, os, select, signal, socket, time)


def test_values_are_those_of_the_standard_library() -> None:
    compared = 0
    for set_name in names():
        for name, value in all_names(set_name).items():
            for module in MODULES:
                known = getattr(module, name, None)
                # The kernel's O_LARGEFILE differs from the C library's 0 on 64-bit machines (fcntl(2)).
                if isinstance(known, int) and name != "O_LARGEFILE":
                    assert value & 0xFFFFFFFF == int(known) & 0xFFFFFFFF, name
                    compared += 1
    assert compared > 300


# The C library's headers and the kernel's own do not go together in one file.
HEADER_GROUPS = (
    "fcntl.h sys/stat.h unistd.h sys/eventfd.h sys/epoll.h sys/inotify.h sys/fanotify.h sys/signalfd.h "
    "sys/timerfd.h sys/mman.h poll.h sys/file.h sys/ioctl.h sys/xattr.h sys/shm.h sys/sem.h sys/msg.h "
    "sys/socket.h netinet/in.h netinet/tcp.h sched.h signal.h sys/wait.h sys/prctl.h sys/resource.h time.h "
    "sys/ptrace.h sys/random.h sys/time.h sys/mount.h sys/swap.h",
    "linux/fcntl.h linux/close_range.h linux/falloc.h linux/openat2.h linux/mempolicy.h linux/futex.h "
    "linux/netlink.h linux/seccomp.h linux/reboot.h linux/perf_event.h linux/keyctl.h linux/io_uring.h "
    "linux/module.h linux/fs.h linux/fiemap.h linux/stat.h linux/prctl.h linux/userfaultfd.h "
    "linux/mount.h linux/mman.h",
)


@pytest.mark.parametrize("group", HEADER_GROUPS, ids=["libc", "linux"])
def test_values_are_those_of_the_headers(tmp_path: Path, group: str) -> None:
    """Each name that is a macro in the installed headers has the value that a C compiler gives it."""
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None or os.uname().machine != "x86_64":
        pytest.skip("needs a C compiler on x86_64")
    values = {name: value for s in names() for name, value in all_names(s).items()}
    includes = "".join(f"#if __has_include(<{h}>)\n#include <{h}>\n#endif\n" for h in group.split())
    lines = "".join(f'#ifdef {n}\nprintf("{n} %lld\\n", (long long)({n}));\n#endif\n' for n in sorted(values))
    source = tmp_path / "flags.c"
    source.write_text(f"#define _GNU_SOURCE\n#include <stdio.h>\n{includes}int main(void) {{\n{lines}}}\n")
    built = subprocess.run([compiler, "-w", "-o", tmp_path / "flags", source], capture_output=True, text=True)
    if built.returncode:
        pytest.skip(f"the headers do not go together: {built.stderr[-300:]}")
    output = subprocess.run([tmp_path / "flags"], capture_output=True, text=True, check=True).stdout
    wrong = {}
    for line in output.splitlines():
        name, value = line.split()
        if int(value) & 0xFFFFFFFF != values[name] & 0xFFFFFFFF and name != "O_LARGEFILE":
            wrong[name] = (values[name], int(value))
    assert wrong == {}
    assert len(output.splitlines()) > 150


@pytest.mark.parametrize(
    ("set_name", "value", "text"),
    [
        ("open_flags", 0, "O_RDONLY"),
        ("open_flags", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, "O_RDWR|O_CREAT|O_CLOEXEC"),
        ("open_flags", os.O_TMPFILE | os.O_WRONLY, "O_WRONLY|O_TMPFILE"),
        ("open_flags", os.O_SYNC, "O_RDONLY|O_SYNC"),
        ("open_flags", os.O_DSYNC, "O_RDONLY|O_DSYNC"),
        ("open_flags", 1 << 30, "O_RDONLY|0x40000000"),
        ("access_mode", 0, "F_OK"),
        ("access_mode", os.R_OK | os.X_OK, "R_OK|X_OK"),
        ("mmap_protection", 0, "PROT_NONE"),
        ("mmap_flags", mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, "MAP_PRIVATE|MAP_ANONYMOUS"),
        ("socket_type", socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, "SOCK_DGRAM|SOCK_CLOEXEC"),
        ("epoll_events", (select.EPOLLIN | select.EPOLLET) & 0xFFFFFFFF, "EPOLLIN|EPOLLET"),
        ("at_flags", 0, "0"),
        ("clone_flags", 0x1200011, "SIGCHLD|CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID"),
        ("futex_operation", 0x80 | 1, "FUTEX_WAKE|FUTEX_PRIVATE_FLAG"),
    ],
)
def test_flag_sets_decode(set_name: str, value: int, text: str) -> None:
    assert find(set_name).decode(value) == text


def test_negative_flags_are_32_bits_wide() -> None:
    assert FlagSet({1: "A"}).decode(-1) == "A|0xfffffffe"


def test_enumerations_decode() -> None:
    assert find("signal").decode(15) == "SIGTERM"
    assert find("seek_whence").decode(99) == "99"
    assert find("resource_usage").decode(-1) == "RUSAGE_CHILDREN"
    assert find("resource_usage").decode(0xFFFFFFFF_FFFFFFFF) == "RUSAGE_CHILDREN"
    assert find("fcntl_command").decode(0x12345) == "0x12345"


def test_every_kind_in_the_argument_table_exists() -> None:
    """A kind is a number's kind, a flag set, or one in memory: decoding it must not raise."""
    for name, entry in CALLS.items():
        call = parse(name, entry)
        kinds = [a.kind for a in call.arguments if a.kind != "select"] + [call.result]
        kinds += [
            k for (n, _), (_, by, other) in SELECTED.items() if n == name for k in (*by.values(), other)
        ]
        for kind in kinds:
            if kind in ("", "select", "buf", "sockaddr") or kind in STRINGS or kind in POINTED_BYTES:
                continue
            assert isinstance(number_text(kind, 1), str), (name, kind)


def test_lengths_and_conditions_name_other_arguments() -> None:
    for name, entry in CALLS.items():
        call = parse(name, entry)
        known = {a.name for a in call.arguments}
        for a in call.arguments:
            assert not a.length or a.length == "ret" or a.length.removeprefix("*") in known, (name, a)
        assert len(call.arguments) <= 6
        assert len(known) == len(call.arguments)
    for name, argument in SELECTED:
        assert name in CALLS
        assert argument == "ret" or f"{argument}:select" in CALLS[name].split()
