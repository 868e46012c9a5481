"""Which functions of the kernel there are, from what the kernel shows: its list, or its symbols and types."""

import pytest
from fake_kernel import SYMBOLS, TRACEABLE, FakeKernel
from made_btf import made_kernel

from kernscope.btf import Btf
from kernscope.kernel import NotSupportedError
from kernscope.kernel.functions import KernelFunctions


def functions(
    symbols: str = SYMBOLS, traceable: str | None = TRACEABLE, btf: Btf | None = None
) -> KernelFunctions:
    return KernelFunctions(symbols.encode, lambda: traceable, lambda: btf)


def test_the_kernels_list_is_taken_as_it_is() -> None:
    found = functions()
    own = ["__x64_sys_openat", "do_nanosleep", "shrink_slab.isra.0", "twice", "vfs_read", "vfs_write"]
    assert found.names("vmlinux") == own
    assert found.names("nf_tables") == ["nf_hook", "vfs_read"]
    assert found.names() == sorted({*own, "nf_hook"})
    assert found.names("no_such_module") == []
    assert found.modules() == ["vmlinux", "nf_tables"]


def test_without_the_list_what_must_not_be_traced_is_left_out() -> None:
    found = functions(traceable=None)
    assert "exc_page_fault" not in found.names()  # of .noinstr.text
    assert {"vfs_read", "vfs_write", "twice", "nf_hook"} <= set(found.names())
    assert found.modules() == ["vmlinux", "nf_tables"]  # programs and trampolines are in none


def test_without_the_list_types_say_what_is_a_function() -> None:
    found = functions(traceable=None, btf=made_kernel())
    assert found.names("vmlinux") == ["do_nanosleep", "vfs_read", "vfs_write"]
    assert found.names("nf_tables") == ["nf_hook", "vfs_read"]  # their types are elsewhere


@pytest.mark.parametrize(
    ("parts", "traced"),
    [
        # Of several symbols at one address the kernel may list only some: an end that is missing is the next start.
        ("1000 T __entry_text_start\n1010 T a\n1100 T __irqentry_text_start\n1110 T b", "b"),
        ("1000 T _stext\n1010 T a\n1100 T __noinstr_text_start\n1110 T b\n1200 T _etext", "a"),
        ("1000 T __noinstr_text_start\n1010 T a\n1100 T __noinstr_text_end\n1110 T b", "b"),
        # The end of one part is the start of another.
        ("1000 T __noinstr_text_start\n1100 T __noinstr_text_end\n1100 T __entry_text_start\n1110 T a", ""),
        ("1000 T __kprobes_text_start\n1000 T __softirqentry_text_start\n1010 T a", "a"),
        ("1000 T _etext\n2000 T _sinittext\n2010 t a\n3000 T _einittext", ""),
    ],
)
def test_parts_of_the_kernels_text(parts: str, traced: str) -> None:
    found = functions(parts + "\n", None).names()
    assert [name for name in found if len(name) == 1] == list(traced)


def test_addresses_by_name_and_module() -> None:
    found = functions()
    assert found.addresses("vfs_read") == [0xFFFFFFFF81234560, 0xFFFFFFFFC0000100]
    assert found.addresses("vfs_read", "vmlinux") == [0xFFFFFFFF81234560]
    assert found.addresses("vfs_read", "nf_tables") == [0xFFFFFFFFC0000100]
    assert found.addresses("twice") == [0xFFFFFFFF81234900, 0xFFFFFFFF81234A00]
    assert found.addresses("vfs") == found.addresses("jiffies") == []
    assert found.places("nf_tables") == {"nf_hook": 0xFFFFFFFFC0000000, "vfs_read": 0xFFFFFFFFC0000100}


def test_the_function_at_an_address() -> None:
    found = functions()
    assert found.at(0xFFFFFFFF81234560) == ("vfs_read", 0, 0xA0)
    assert found.at(0xFFFFFFFF812345FF) == ("vfs_read", 0x9F, 0xA0)
    assert found.at(0xFFFFFFFF82000004) is None  # a variable
    with pytest.raises(NotSupportedError):
        functions("0000000000000000 T vfs_read\n").at(0x1000)


def test_a_function_exists_by_its_type_or_its_symbol() -> None:
    asked: list[str] = []

    def symbols() -> bytes:
        asked.append("symbols")
        return SYMBOLS.encode()

    found = KernelFunctions(symbols, lambda: None, made_kernel)
    assert found.exists("vfs_read") and not asked
    assert found.exists("twice") and asked
    assert not found.exists("twic")


def test_functions_whose_result_may_be_replaced() -> None:
    listed = KernelFunctions(bytes, str, lambda: None, lambda: "__x64_sys_openat\tERRNO\nopen_ctree\tERRNO\n")
    assert listed.injectable() == {"__x64_sys_openat", "open_ctree"}
    assert FakeKernel().functions().injectable() is None
