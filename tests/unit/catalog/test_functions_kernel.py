"""Functions whose answers come from the kernel when compiling."""

from vm_output import errors_of, output_of


def test_ids_of_control_groups_are_constants() -> None:
    assert output_of('begin { print(cgroupid("/sys/fs/cgroup/a")); exit(); }') == "4711\n"
    assert errors_of('begin { print(cgroupid("/tmp")); exit(); }') == ["wrong-arguments"]
    assert errors_of("begin { print(cgroupid(comm)); exit(); }") == ["constant-needed"]


def test_addresses_of_the_kernel() -> None:
    assert output_of('begin { print(kaddr("vfs_read")); exit(); }') == f"{0xFFFFFFFF81234560}\n"
    assert errors_of('begin { print(kaddr("nope")); exit(); }') == ["unknown-symbol"]
    assert errors_of('begin { print(percpu_kaddr("nope")); exit(); }') == ["unknown-symbol"]
    assert errors_of('begin { print(percpu_kaddr("vfs_read")); exit(); }') == ["unknown-symbol"]
    assert errors_of("begin { print(kaddr(comm)); exit(); }") == ["constant-needed"]


def test_paths_of_control_groups_want_a_constant_pattern() -> None:
    assert errors_of("begin { print(cgroup_path(1, comm)); exit(); }") == ["constant-needed"]
    assert errors_of('begin { print(cgroup_path("a")); exit(); }') == ["type-mismatch"]
    assert output_of("begin { print(cgroup_path(1)); exit(); }").endswith("\n")


def test_a_clock_that_the_kernel_lacks() -> None:
    assert errors_of("begin { print(nsecs(tai)); exit(); }", without=("ktime_get_tai_ns",)) == [
        "not-available-here"
    ]
    assert errors_of("begin { print(nsecs(sw_tai)); exit(); }", without=("ktime_get_tai_ns",)) == []
    assert errors_of("begin { print(nsecs(bad)); exit(); }") == ["wrong-arguments"]
