"""`fentry` and `fexit` on the running kernel: counts of a known workload, arguments, results, detaching."""

import os
from collections.abc import Iterator

import pytest
from command_line import eventually, kernscope, needs_tracing
from kernel_objects import Killed, alive, held
from traced import maps_after

import kernscope as api
from kernscope.kernel import Kernel

pytestmark = [
    needs_tracing,
    pytest.mark.skipif(not Kernel().has_feature("fentry"), reason="this kernel has no fentry"),
]

SIZE = 777
"""Nobody else reads so many bytes at once in this process."""


@pytest.fixture(scope="module")
def zero() -> Iterator[int]:
    fd = os.open("/dev/zero", os.O_RDONLY)
    yield fd
    os.close(fd)


def reads(fd: int, times: int) -> None:
    for _ in range(times):
        os.read(fd, SIZE)


def test_counts_arguments_and_results(zero: int) -> None:
    """Each read is seen once at its beginning and once at its end, with the numbers that we gave."""
    program = f"""
    fentry:vfs_read /pid == $1 && args.count == {SIZE}/ {{
        @entries[probe, func, probetype] = count();
        @name[str(args.file->f_path.dentry->d_name.name), args.file->f_inode->i_rdev] = count();
        @owner[((struct task_struct *)curtask)->tgid == $1] = count();
    }}
    fexit:vfs_read /pid == $1 && args.count == {SIZE}/ {{ @exits[probe, args.count, retval] = count(); }}
    """
    found = maps_after(lambda: reads(zero, 5), program)
    assert found["@entries"] == {("fentry:vmlinux:vfs_read", "vfs_read", "fentry"): 5}
    device = os.stat("/dev/zero").st_rdev
    assert found["@name"] == {("zero", os.major(device) << 20 | os.minor(device)): 5}
    assert found["@owner"] == {1: 5}
    assert found["@exits"] == {("fexit:vmlinux:vfs_read", SIZE, SIZE): 5}


def test_a_negative_result(zero: int) -> None:
    def work() -> None:
        fd = os.open("/dev/null", os.O_WRONLY)
        with pytest.raises(OSError):
            os.read(fd, SIZE)
        os.close(fd)

    program = f"fexit:vfs_read /pid == $1 && args.count == {SIZE}/ {{ @[retval] = count(); }}"
    assert maps_after(work, program)["@"] == {-9: 1}  # EBADF


def test_one_program_tells_its_functions_apart(zero: int) -> None:
    def work() -> None:
        reads(zero, 3)
        fd = os.open("/dev/null", os.O_WRONLY)
        for _ in range(4):
            os.write(fd, b"x" * SIZE)
        os.close(fd)

    program = f"fentry:vfs_write, fentry:vfs_read /pid == $1 && args.count == {SIZE}/ {{ @[probe, func] = count(); }}"
    assert maps_after(work, program)["@"] == {
        ("fentry:vmlinux:vfs_read", "vfs_read"): 3,
        ("fentry:vmlinux:vfs_write", "vfs_write"): 4,
    }


def test_a_struct_by_value() -> None:
    """getuid() asks for the name of the kernel's own user id in our namespace: a struct of one number."""
    found = maps_after(
        lambda: [os.getuid() for _ in range(6)],
        "fexit:from_kuid_munged /pid == $1/ { @[args.kuid.val, retval] = count(); }",
    )
    uid = os.getuid()
    assert found["@"] == {(uid, uid): 6}


def test_pointers_as_numbers_and_in_variables(zero: int) -> None:
    program = f"""
    fentry:vfs_read /pid == $1 && args.count == {SIZE}/ {{
        $file = args.file;
        @same[$file == args.file, ((uint64)args.file & 7) == 0, (uint64)$file >> 60] = count();
        @inode[$file->f_inode == args.file->f_inode, $file->f_inode->i_ino == args.file->f_inode->i_ino] = count();
        @file[args.file] = count();
    }}
    """
    found = maps_after(lambda: reads(zero, 2), program)
    assert found["@same"] == {(1, 1, 15): 2}
    assert found["@inode"] == {(1, 1): 2}
    assert isinstance(found["@file"], dict) and list(found["@file"].values()) == [2]


def test_patterns_leave_out_what_cannot_be_attached(zero: int) -> None:
    program = "fentry:vfs_rea* /pid == $1/ { @[func] = count(); }"
    found = maps_after(lambda: reads(zero, 3), program)["@"]
    assert isinstance(found, dict) and found["vfs_read"] >= 3


def test_nothing_is_left() -> None:
    with api.run("fentry:vfs_read { @ = count(); } fexit:vfs_read { @r = count(); }") as session:
        objects = held(os.getpid())
        assert [kind for kind, _ in objects] == ["link", "link", "prog", "prog"]
        session.stop()
    assert eventually(lambda: not any(alive(*one) for one in objects))


def test_kill() -> None:
    """A tracer that is killed leaves nothing behind."""
    with Killed("fentry:vfs_read { @ = count(); } fexit:vfs_read { @r = count(); }") as tracer:
        assert len(tracer.objects) == 4 and all(alive(*one) for one in tracer.objects)
    assert eventually(lambda: not any(alive(*one) for one in tracer.objects))


def test_listing() -> None:
    done = kernscope("list", "-v", "fexit:vmlinux:vfs_read")
    assert done.stdout.splitlines() == [
        "fexit:vmlinux:vfs_read",
        "    struct file * file",
        "    char * buf",
        "    size_t count",
        "    loff_t * pos",
        "    ssize_t retval",
    ]


@pytest.mark.parametrize(
    ("target", "part"),
    [
        ("fentry:vfs_raed", "did you mean `fentry:vfs_read`?"),
        ("fentry:nomodule:vfs_read", "the module `nomodule` is not loaded"),
        ("fentry:_printk", "any number of arguments"),
    ],
)
def test_wrong_targets(target: str, part: str) -> None:
    done = kernscope("run", "-e", f"{target} {{ @ = count(); }}")
    assert done.returncode == 1 and part in done.stderr and "Traceback" not in done.stderr, done.stderr
