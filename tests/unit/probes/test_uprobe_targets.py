"""Targets in user space: which files and functions they mean. The files are made here, byte by byte."""

import os
import struct
from collections.abc import Mapping
from pathlib import Path

import pytest
from checking import findings as places
from fake_kernel import ALL_FEATURES, FakeKernel

from kernscope.compiler import compile_source
from kernscope.diagnostics import CompileError, Source
from kernscope.kernel.user_files import find_user_files
from kernscope.tables.bpf import AttachType

FEATURES = ALL_FEATURES | {"uprobe", "uprobe_multi", "get_func_ip"}
BASE, CODE = 0x400000, 0x1000
"""The code is mapped BASE + CODE, and lies at CODE in the file."""


def made_elf(
    functions: Mapping[str, tuple[int, int]], *, machine: int = 62, variables: tuple[str, ...] = ()
) -> bytes:
    """A program with functions by (offset into its code, size); all code is `nop`."""
    names, symbols = b"\0", bytes(24)
    for name, (offset, size) in functions.items():
        symbols += struct.pack("<IBBHQQ", len(names), 0x12, 0, 1, BASE + CODE + offset, size)
        names += name.encode() + b"\0"
    for name in variables:
        symbols += struct.pack("<IBBHQQ", len(names), 0x11, 0, 1, BASE + 0x3000, 4)
        names += name.encode() + b"\0"
    code = b"\x90" * 0x100
    header_bytes, program_header = 64, 56
    tables = CODE + len(code)
    sections = tables + len(symbols) + len(names)
    head = (b"\x7fELF\x02\x01\x01", 2, machine, 1, BASE + CODE, header_bytes, sections)
    elf = struct.pack("<16sHHIQQQIHHHHHH", *head, 0, header_bytes, program_header, 1, 64, 3, 0)
    elf += struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, CODE + len(code), CODE + len(code), 0x1000)
    elf = elf.ljust(CODE, b"\0") + code + symbols + names
    assert len(elf) == sections and header_bytes + program_header < CODE
    elf += bytes(64)
    elf += struct.pack("<IIQQQQIIQQ", 0, 2, 0, 0, tables, len(symbols), 2, 0, 8, 24)
    elf += struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, tables + len(symbols), len(names), 0, 0, 1, 0)
    return elf


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "server"
    functions = {"handle": (0, 16), "handle_more": (16, 16), "other": (32, 16), "_ZN2ns5scaleEi": (48, 8)}
    path.write_bytes(made_elf(functions, variables=("counter",)))
    return str(path)


def findings(text: str, kernel: FakeKernel) -> list[str]:
    return [code for code, _ in places(text, kernel)]


def attachments(text: str, **options: object) -> list[tuple[object, ...]]:
    """(kind, file, offsets, cookies, expected attach type) of what a program would be attached to."""
    features = options.pop("features", FEATURES)
    bundle = compile_source(Source("test", text), FakeKernel(features=features), **options)  # type: ignore[arg-type]
    return [
        (attach.kind, attach.target[0], attach.target[3], attach.target[4], spec.expected_attach_type)
        for spec in bundle.programs
        for attach in spec.attach
    ]


def test_one_function(program: str) -> None:
    assert attachments(f"uprobe:{program}:other {{ @ = count(); }}") == [
        ("uprobe_multi", program, (CODE + 32,), (0,), AttachType.TRACE_UPROBE_MULTI)
    ]


def test_a_pattern_is_one_link(program: str) -> None:
    assert attachments(f"ur:{program}:*h* {{ @[probe] = count(); }}") == [
        ("uretprobe_multi", program, (CODE, CODE + 16, CODE + 32), (0, 1, 2), AttachType.TRACE_UPROBE_MULTI)
    ]


def test_without_links_for_many(program: str) -> None:
    found = attachments(f"uprobe:{program}:handle* {{ @ = count(); }}", features=FEATURES - {"uprobe_multi"})
    assert found == [("uprobe_single", program, (CODE, CODE + 16), (0, 1), 0)]


def test_without_cookies_each_name_has_a_program(program: str) -> None:
    features = FEATURES - {"uprobe_multi", "attach_cookie"}
    found = attachments(f"uprobe:{program}:handle* {{ @[probe] = count(); }}", features=features)
    assert [place[2] for place in found] == [(CODE,), (CODE + 16,)]
    assert len(attachments(f"uprobe:{program}:handle* {{ @ = count(); }}", features=features)) == 1


def test_places(program: str) -> None:
    assert attachments(f"uprobe:{program}:handle+3 {{ }}")[0][2] == (CODE + 3,)
    assert attachments(f"uprobe:{program}:handle+0x4 {{ }}")[0][2] == (CODE + 4,)
    assert attachments(f"uprobe:{program}:{BASE + CODE + 16:#x} {{ }}")[0][2] == (CODE + 16,)
    assert attachments(f'uprobe:{program}:"other"+1 {{ }}')[0][2] == (CODE + 33,)


def test_names_of_cpp(program: str) -> None:
    pytest.importorskip("ctypes")
    from kernscope.symbols.demangle import can_demangle_cpp

    if not can_demangle_cpp():
        pytest.skip("no C++ run-time library here")
    for target in ('cpp:"ns::scale"', 'cpp:"ns::scale(int)"', "cpp:ns::*", '"ns::scale"', "_ZN2ns5scaleEi"):
        assert attachments(f"uprobe:{program}:{target} {{ }}")[0][2] == (CODE + 48,)


def test_a_command_by_its_name(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chmod(program, 0o755)
    monkeypatch.setenv("PATH", str(Path(program).parent))
    assert attachments("uprobe:server:other { }")[0][1] == program


def test_paths(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "second").write_bytes(Path(program).read_bytes())
    (tmp_path / "no-program").write_text("text")
    found = attachments(f"uprobe:{tmp_path}/*:other {{ @[probe] = count(); }}")
    assert sorted(str(place[1]) for place in found) == [f"{tmp_path}/second", program]
    assert sorted(str(place[3]) for place in found) == ["(0,)", "(1,)"]
    monkeypatch.chdir(tmp_path)
    assert len(attachments("uprobe:./server:other { }")) == 1


@pytest.mark.parametrize(
    ("target", "code", "part"),
    [
        ("uprobe:{}:handel", "unknown-probe", "did you mean `handle`?"),
        ("uprobe:{}:nothing*", "unknown-probe", "no function of"),
        ("uprobe:{}:handle+16", "bad-target", "has 16 bytes"),
        ("uprobe:{}:handle+", "bad-target", "how many bytes"),
        ("uprobe:{}:hand*+2", "bad-target", "how many bytes"),
        ("uretprobe:{}:handle+2", "bad-target", "only whole functions"),
        ("uprobe:{}:0x10", "bad-target", "no code at 0x10"),
        ("uprobe:{}:0x401080", "inside-instruction", "nobody knows"),
        ("uprobe:{}:java:handle", "bad-target", "no language"),
        ("uprobe:{}", "bad-target", "does not name a function"),
        ("uprobe:{}x:handle", "unknown-probe", "did you mean"),
        ("uprobe:no-such-library-of-ours:f", "unknown-probe", "no command and no library"),
        ("uprobe:/nowhere/*:f", "unknown-probe", "no program and no library matches"),
    ],
)
def test_errors(program: str, target: str, code: str, part: str) -> None:
    kernel = FakeKernel(features=FEATURES)
    with pytest.raises(CompileError) as caught:
        compile_source(Source("test", target.format(program) + " { exit(); }"), kernel)
    first = caught.value.diagnostics[0]
    assert first.code == code
    assert part in " ".join([first.message, *first.notes, *first.help])


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "not an ELF file"),
        (b"#!/bin/sh\n", "not an ELF file"),
        (b"\x7fELF\x01\x01\x01" + bytes(60), "a 32-bit ELF file"),
        (b"\x7fELF\x02\x02\x01" + bytes(60), "another byte order"),
        (made_elf({"f": (0, 4)})[:-32], "cut off"),
    ],
)
def test_files_that_are_no_programs(tmp_path: Path, content: bytes, part: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(CompileError) as caught:
        compile_source(Source("test", f"uprobe:{path}:f {{ exit(); }}"), FakeKernel(features=FEATURES))
    assert caught.value.diagnostics[0].code == "unreadable-program"
    assert part in " ".join(caught.value.diagnostics[0].notes)


def test_a_stripped_program_says_so(tmp_path: Path) -> None:
    path = tmp_path / "stripped"
    path.write_bytes(made_elf({}))
    with pytest.raises(CompileError) as caught:
        compile_source(Source("test", f"uprobe:{path}:f {{ exit(); }}"), FakeKernel(features=FEATURES))
    assert "the file is stripped: it has no names of functions" in caught.value.diagnostics[0].notes


def test_a_probe_inside_an_instruction_is_unsafe(tmp_path: Path) -> None:
    path = tmp_path / "arm"
    path.write_bytes(made_elf({"f": (0, 16)}, machine=183))  # AArch64: instructions of 4 bytes
    text = f"uprobe:{path}:f+2 {{ exit(); }}"
    with pytest.raises(CompileError) as caught:
        compile_source(Source("test", text), FakeKernel(features=FEATURES))
    assert caught.value.diagnostics[0].code == "inside-instruction"
    assert attachments(text, settings={"unsafe": True})[0][2] == (CODE + 2,)
    assert attachments(text.replace("+2", "+4"))[0][2] == (CODE + 4,)


def test_what_probes_do_not_have(program: str) -> None:
    kernel = FakeKernel(features=FEATURES)
    assert findings(f"uprobe:{program}:other {{ print(retval); }}", kernel) == ["not-available-here"]
    assert findings(f"uretprobe:{program}:other {{ print(arg0); }}", kernel) == ["not-available-here"]
    assert findings(f'uprobe:{program}:other {{ print(uaddr("nothing")); }}', kernel) == ["unknown-symbol"]
    assert findings(f'uprobe:{program}:other {{ print(*uaddr("counter")); }}', kernel) == []
    assert findings('begin { print(uaddr("counter")); }', kernel) == ["not-available-here"]


def test_without_uprobes(program: str) -> None:
    kernel = FakeKernel(features=ALL_FEATURES - {"uprobe", "uprobe_multi"})
    assert findings(f"uprobe:{program}:other {{ exit(); }}", kernel) == ["not-supported-here"]


def test_missing_ones_may_be_left_out(program: str) -> None:
    text = f'config = {{ missing_probes = "ignore" }} uprobe:{program}:other,uprobe:{program}:none {{ @ = count(); }}'
    assert len(attachments(text)) == 1


def test_a_process_that_is_gone() -> None:
    with pytest.raises(CompileError) as caught:
        compile_source(
            Source("test", "uprobe:libc:malloc { exit(); }"), FakeKernel(features=FEATURES), pid=(1 << 22) + 1
        )
    assert caught.value.diagnostics[0].code == "no-such-process"


def test_libraries_by_name() -> None:
    found = find_user_files("libc")
    if not found:
        pytest.skip("no C library where the linker looks for it")
    assert [file.path for file in find_user_files("libc", os.getpid())] == [os.path.realpath(found[0].path)]
    assert find_user_files("libno-such-library") == []
