"""Raw arguments to text, call by call."""

import os
import socket
import struct

import pytest

from kernscope.syscalls.decode import arguments_text, error_text, result_text
from kernscope.syscalls.structures import quoted, quoted_bytes, sockaddr, wait_status
from kernscope.tables.syscalls.calls import call_of, generic_call, parse


def text(name: str, values: list[int], memory: list[object] | None = None, result: int | None = 0) -> str:
    call = call_of(name)
    return f"{name}({', '.join(arguments_text(call, values, memory or [], result))})"


def sockaddr_in(host: str, port: int) -> bytes:
    return struct.pack("<H", socket.AF_INET) + struct.pack(">H", port) + socket.inet_aton(host) + bytes(8)


def test_openat_has_a_mode_only_when_it_creates() -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    assert text("openat", [-100, 1, flags, 0o644, 0, 0], ["/tmp/x"], 3) == (
        'openat(AT_FDCWD, "/tmp/x", O_WRONLY|O_CREAT|O_TRUNC, 0644)'
    )
    assert text("openat", [-100, 1, 0, 0o644], ["/tmp/x"], 3) == 'openat(AT_FDCWD, "/tmp/x", O_RDONLY)'
    assert text("openat", [5, 1, os.O_RDWR | os.O_TMPFILE, 0o600], ["/tmp"]) == (
        'openat(5, "/tmp", O_RDWR|O_TMPFILE, 0600)'
    )


def test_ints_are_read_as_32_bits_whatever_the_register_holds() -> None:
    # The tracepoint's dfd is an int in 64 bits: AT_FDCWD may come as 0xffffff9c.
    assert text("openat", [0xFFFFFF9C, 1, 0, 0], ["x"]).startswith("openat(AT_FDCWD, ")
    assert text("kill", [0xFFFFFFFF, 9]) == "kill(-1, SIGKILL)"


def test_unreadable_and_null_paths() -> None:
    assert text("unlink", [0], [""], -14) == "unlink(NULL)"
    assert text("unlink", [0x1234], [""], -14) == "unlink(0x1234)"
    assert text("unlink", [0x1234], [""], -2) == 'unlink("")'


def test_long_paths_are_marked_as_cut() -> None:
    assert text("unlink", [1], ["a" * 255]) == f'unlink("{"a" * 255}"...)'
    assert text("unlink", [1], ["a" * 254]) == f'unlink("{"a" * 254}")'


def test_what_the_kernel_wrote_is_shown_only_on_success() -> None:
    assert text("read", [3, 0x7F00, 100], [b"hello\n"], 6) == 'read(3, "hello\\n", 100)'
    assert text("read", [3, 0x7F00, 100], [b""], -9) == "read(3, 0x7f00, 100)"
    assert text("read", [3, 0x7F00, 100], [b""], 0) == 'read(3, "", 100)'
    assert text("read", [3, 0x7F00, 5000], [b"x" * 64], 4096) == f'read(3, "{"x" * 64}"..., 5000)'
    assert text("write", [1, 0x7F00, 3], [b"abc"], -32) == 'write(1, "abc", 3)'


def test_pipe_descriptors() -> None:
    assert text("pipe2", [0x7F00, os.O_CLOEXEC], [struct.pack("ii", 3, 4)]) == "pipe2([3, 4], O_CLOEXEC)"
    assert text("pipe2", [0x7F00, 0], [b""], -24) == "pipe2(0x7f00, 0)"


def test_sockets() -> None:
    assert (
        text("socket", [2, 1 | os.O_CLOEXEC, 6]) == "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_TCP)"
    )
    assert text("socket", [16, 3, 0]) == "socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)"
    assert text("connect", [3, 0x7F00, 16], [sockaddr_in("127.0.0.1", 8080)], -111) == (
        "connect(3, {AF_INET 127.0.0.1:8080}, 16)"
    )
    assert text("setsockopt", [3, 1, 2, 0x7F00, 4], [b"\1\0\0\0"]) == (
        'setsockopt(3, SOL_SOCKET, SO_REUSEADDR, "\\x01\\x00\\x00\\x00", 4)'
    )
    assert text("setsockopt", [3, 6, 1, 0x7F00, 4], [b"\1\0\0\0"]).startswith(
        "setsockopt(3, SOL_TCP, TCP_NODELAY,"
    )


def test_fcntl_depends_on_its_command() -> None:
    assert text("fcntl", [3, 3, 0]) == "fcntl(3, F_GETFL)"
    assert text("fcntl", [3, 4, os.O_RDONLY | os.O_NONBLOCK]) == "fcntl(3, F_SETFL, O_RDONLY|O_NONBLOCK)"
    assert text("fcntl", [3, 2, 1]) == "fcntl(3, F_SETFD, FD_CLOEXEC)"
    assert result_text(call_of("fcntl"), [3, 3, 0], os.O_RDWR | os.O_APPEND) == "O_RDWR|O_APPEND"
    assert result_text(call_of("fcntl"), [3, 1030, 0], 4) == "4"


def test_memory_calls() -> None:
    assert text("mmap", [0, 4096, 3, 0x22, 0xFFFFFFFF, 0], [], 0x7F0000000000) == (
        "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)"
    )
    assert result_text(call_of("mmap"), [], 0x7F0000001000) == "0x7f0000001000"
    assert result_text(call_of("mmap"), [], -12).startswith("-1 ENOMEM (")


def test_times_and_sets() -> None:
    second = struct.pack("qq", 1, 500_000_000)
    assert text("nanosleep", [0x7F00, 0], [second]) == "nanosleep({1.500000000s}, NULL)"
    blocked = struct.pack("Q", 1 << 1 | 1 << 14)
    assert text("rt_sigprocmask", [0, 0x7F00, 0, 8], [blocked, b""]) == (
        "rt_sigprocmask(SIG_BLOCK, [INT TERM], NULL, 8)"
    )
    everything = struct.pack("Q", ~(1 << 8) & (1 << 64) - 1)
    assert "~[KILL]" in text("rt_sigprocmask", [2, 0x7F00, 0, 8], [everything, b""])
    assert text("wait4", [-1 & 0xFFFFFFFF, 0x7F00, 1, 0], [struct.pack("i", 0x200)], 77) == (
        "wait4(-1, [exited 2], WNOHANG, NULL)"
    )


def test_mode_and_device_numbers() -> None:
    assert (
        text("mknodat", [-100, 1, 0o020666, 0x103], ["/dev/n"])
        == 'mknodat(AT_FDCWD, "/dev/n", S_IFCHR|0666, 1:3)'
    )
    assert text("umask", [0o22]) == "umask(022)"
    assert result_text(call_of("umask"), [0o22], 0o77) == "077"


def test_results() -> None:
    call = call_of("openat")
    assert result_text(call, [], 3) == "3"
    assert result_text(call, [], -2) == "-1 ENOENT (No such file or directory)"
    assert result_text(call, [], None) == "?"
    # 32-bit errors cannot come from a 64-bit call, but unsigned registers can.
    assert result_text(call, [], 2**64 - 2) == "-1 ENOENT (No such file or directory)"
    assert error_text(512).startswith("ERESTARTSYS (")
    assert error_text(4000) == "errno 4000"
    assert result_text(call_of("lseek"), [], -4096) == "-4096"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", '"plain"'),
        ('a"b\\c', '"a\\"b\\\\c"'),
        ("new\nline\tand\0", '"new\\nline\\tand\\0"'),
        ("\x1b[2J\x1b]0;title\x07", '"\\x1b[2J\\x1b]0;title\\x07"'),
        (b"caf\xe9".decode("utf-8", "surrogateescape"), '"caf\\xe9"'),
        ("한글", '"한글"'),
        ("a\u202eb", '"a\\u202eb"'),
        ("\x9b31m", '"\\x9b31m"'),
    ],
)
def test_strings_are_harmless(raw: str, shown: str) -> None:
    assert quoted(raw) == shown
    assert quoted(raw).isprintable()


def test_buffers_that_are_not_text_are_hexadecimal() -> None:
    assert quoted_bytes(b"\x7fELF\x02\x01\x01\x00") == '"\\x7f\\x45\\x4c\\x46\\x02\\x01\\x01\\x00"'
    assert quoted_bytes(bytes(64)) == '"' + "\\x00" * 16 + '"...'
    assert quoted_bytes(b"GET / HTTP/1.1\r\n") == '"GET / HTTP/1.1\\r\\n"'


def test_socket_addresses() -> None:
    unix = struct.pack("<H", 1)
    assert sockaddr(unix + b"/run/x.sock\0\0\0") == '{AF_UNIX "/run/x.sock"}'
    assert sockaddr(unix + b"\0abstract") == '{AF_UNIX @"abstract"}'
    assert sockaddr(unix) == "{AF_UNIX unnamed}"
    inet6 = (
        struct.pack("<H", 10) + struct.pack(">H", 443) + bytes(4) + socket.inet_pton(socket.AF_INET6, "::1")
    )
    assert sockaddr(inet6 + bytes(4)) == "{AF_INET6 [::1]:443}"
    assert sockaddr(struct.pack("<HHII", 16, 0, 77, 1)) == "{AF_NETLINK pid=77, groups=0x1}"
    assert sockaddr(b"\x02") == "{}"
    assert sockaddr(struct.pack("<H", 200) + bytes(14)) == "{200}"


def test_wait_statuses_agree_with_the_c_library() -> None:
    assert wait_status(0x0300) == f"exited {os.WEXITSTATUS(0x0300)}"
    assert wait_status(9) == "killed SIGKILL"
    assert wait_status(11 | 0x80) == "killed SIGSEGV core dumped"
    assert wait_status(0x137F) == "stopped SIGSTOP"
    assert wait_status(0xFFFF) == "continued"


def test_other_kernels_names_are_taken_over() -> None:
    call = call_of("write", (("int", "fd"), ("const char *", "buffer"), ("size_t", "length")))
    assert [a.name for a in call.arguments] == ["fd", "buffer", "length"]
    assert call.arguments[1].length == "length"


def test_other_kernels_arguments_are_decoded_by_type() -> None:
    call = call_of("write", (("int", "fd"), ("const char *", "buffer")))
    assert arguments_text(call, [3, 0x7F00], [], 0) == ["3", "0x7f00"]
    unknown = generic_call(
        "brandnew", (("umode_t", "mode"), ("unsigned long", "x"), ("pid_t", "p"), ("long", "l"))
    )
    assert arguments_text(unknown, [0o755, 16, 2**32 - 1, 2**64 - 5], [], 0) == ["0755", "0x10", "-1", "-5"]


def test_entry_syntax() -> None:
    call = parse("x", "@a:path b:>buf[*c] c:>int_ptr d:mode?A|B -> fd")
    assert call.at_entry and call.result == "fd"
    a, b, c, d = call.arguments
    assert (a.kind, b.kind, b.length, b.written) == ("path", "buf", "*c", True)
    assert c.in_memory and not d.in_memory and d.only_with == {"A", "B"}
