"""Tracepoint formats, from texts as the kernel prints them."""

import errno

import pytest

from kernscope.kernel.errors import KernelError
from kernscope.kernel.tracefs import Field, _checked, parse_format

OPENAT = """name: sys_enter_openat
ID: 782
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:int __syscall_nr;\toffset:8;\tsize:4;\tsigned:1;
\tfield:int dfd;\toffset:16;\tsize:8;\tsigned:0;
\tfield:const char * filename;\toffset:24;\tsize:8;\tsigned:0;
\tfield:umode_t mode;\toffset:40;\tsize:8;\tsigned:0;

print fmt: "dfd: 0x%08lx, filename: 0x%08lx; field:int no;", ((unsigned long)(REC->dfd))
"""

LINES = [
    ("char comm[16]", 8, 16, 0, ("comm", "char", 16, "")),
    ("char comm[TASK_COMM_LEN]", 8, 16, 0, ("comm", "char", 16, "")),
    ("__u8 saddr_v6[16]", 8, 16, 0, ("saddr_v6", "__u8", 16, "")),
    ("unsigned long args[6]", 16, 48, 0, ("args", "unsigned long", 6, "")),
    ("__data_loc char[] filename", 8, 4, 0, ("filename", "char", 0, "data_loc")),
    ("__rel_loc u8[] buf", 8, 4, 0, ("buf", "u8", 0, "rel_loc")),
    ("__data_loc unsigned long[] array", 8, 4, 0, ("array", "unsigned long", 0, "data_loc")),
    ("const struct sockaddr * addr", 8, 8, 0, ("addr", "const struct sockaddr *", 0, "")),
    ("const char *const * argv", 8, 8, 0, ("argv", "const char *const *", 0, "")),
    ("void *ptr", 8, 8, 0, ("ptr", "void *", 0, "")),
    ("enum pageflags flag", 8, 4, 1, ("flag", "enum pageflags", 0, "")),
]


def test_a_system_call() -> None:
    found = parse_format("syscalls", OPENAT)
    assert (found.category, found.name, found.id) == ("syscalls", "sys_enter_openat", 782)
    assert [field.name for field in found.own_fields] == ["__syscall_nr", "dfd", "filename", "mode"]
    assert len(found.fields) == 7
    filename = found.field("filename")
    assert filename is not None and filename.is_pointer and not filename.is_array
    assert (filename.offset, filename.size, filename.signed) == (24, 8, False)
    number = found.field("__syscall_nr")
    assert number is not None and number.signed and number.size == 4
    assert found.field("no") is None


@pytest.mark.parametrize(("declaration", "offset", "size", "signed", "expected"), LINES)
def test_declarations(
    declaration: str, offset: int, size: int, signed: int, expected: tuple[str, str, int, str]
) -> None:
    line = f"\tfield:{declaration};\toffset:{offset};\tsize:{size};\tsigned:{signed};"
    field = parse_format("c", f"name: n\nID: 1\nformat:\n{line}\n").fields[0]
    assert (field.name, field.type_text, field.count, field.dynamic) == expected
    assert (field.offset, field.size, field.signed) == (offset, size, bool(signed))


def test_declaration_is_written_back() -> None:
    assert Field("comm", "char", 8, 16, False, 16).declaration == "char comm[16]"
    assert Field("p", "const char *", 8, 8, False).declaration == "const char *p"
    assert Field("s", "char", 8, 4, False, 0, "data_loc").declaration == "__data_loc char[] s"


@pytest.mark.parametrize("text", ["", "name: x\n", "ID: 4\n", "nonsense"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_format("c", text)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../../etc", "a\0b"])
def test_names_cannot_leave_their_folder(name: str) -> None:
    with pytest.raises(KernelError) as caught:
        _checked(name)
    assert caught.value.errno == errno.ENOENT
