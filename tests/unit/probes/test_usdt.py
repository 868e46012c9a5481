"""`usdt` on the fake kernel, with files made byte by byte: targets, cookies, semaphores, and what programs read."""

import struct
from pathlib import Path
from typing import Any

import pytest
from checking import bundle_of, findings
from fake_kernel import ALL_FEATURES, FakeKernel
from made_elf import CODE_ADDRESS, DATA_ADDRESS, made_elf, usdt_note
from vm_kernel import VmKernel
from vm_session import run

from kernscope.bundle import Attach
from kernscope.compiler import compile_source
from kernscope.diagnostics import CompileError, Source
from kernscope.tables.arch import ARCHITECTURES
from kernscope.tables.bpf import AttachType

FEATURES = ALL_FEATURES | {"uprobe", "uprobe_multi"}
AT = CODE_ADDRESS
NOTES = (
    usdt_note("app", "step", AT, "-4@%edi 8@-8(%rbp) 1@$200"),
    usdt_note("app", "step", AT + 16, "-8@%rsi 8@(%rax,%rcx,8)", semaphore=DATA_ADDRESS + 6),
    usdt_note("app", "other", AT + 32, "-4@%edi", semaphore=DATA_ADDRESS + 4),
    usdt_note("second", "step", AT + 48, "2@%dh -2@%bx 4@counter+4(%rip) 8@%xmm1"),
    usdt_note("app", "nowhere", 0x100000, "4@%eax"),
)


@pytest.fixture
def program(tmp_path: Path) -> str:
    (tmp_path / "app").write_bytes(made_elf(b"".join(NOTES), variables={"counter": DATA_ADDRESS + 8}))
    return str(tmp_path / "app")


def kernel(**facts: Any) -> FakeKernel:
    return FakeKernel(**{"features": FEATURES, **facts})


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("usdt:APP:app:step", ["app:step"]),
        ("U:APP:app:step", ["app:step"]),
        ("usdt:APP:step", ["app:step", "second:step"]),
        ("usdt:APP::step", ["app:step", "second:step"]),
        ("usdt:APP:*:o*", ["app:other"]),
        ("usdt:APP:s*:*", ["second:step"]),
        ("usdt:APP:*", ["app:other", "app:step", "second:step"]),
    ],
)
def test_names(program: str, target: str, names: list[str]) -> None:
    bundle = bundle_of(f"{target.replace('APP', program)} {{ print(probe); }}", kernel())
    assert sorted(n for n in bundle.probes if n) == [f"usdt:{program}:{name}" for name in names]
    assert bundle.probe_count == len(names) and len(bundle.programs) == 1


@pytest.mark.parametrize(
    ("target", "code", "said"),
    [
        ("usdt:APP:stepp", "unknown-probe", "did you mean `step`?"),
        ("usdt:APP:second:other", "unknown-probe", "did you mean `app:other`?"),
        ("usdt:APP:nowhere", "unknown-probe", "has no static probe `nowhere`"),
        ("usdt:APP", "bad-target", "does not name a static probe"),
        ("usdt:APP:a:b:c", "bad-target", "does not name a static probe"),
        ("usdt:APP.gone:x", "unknown-probe", "there is no file"),
    ],
)
def test_wrong_targets(program: str, target: str, code: str, said: str) -> None:
    with pytest.raises(CompileError) as caught:
        compile_source(Source("test", f"{target.replace('APP', program)} {{ exit(); }}"), kernel())
    (found,) = caught.value.diagnostics
    assert found.code == code and said in " ".join([found.message, *found.notes, *found.help])


def test_a_file_without_probes(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(made_elf(b""))
    text = f"usdt:{tmp_path}/plain:x {{ exit(); }}"
    assert [code for code, _ in findings(text, kernel())] == ["unknown-probe"]


def attachment(text: str, **facts: Any) -> Attach:
    (program,) = bundle_of(text, kernel(**facts)).programs
    (attach,) = program.attach
    return attach


def test_how_places_are_attached(program: str) -> None:
    """Cookies name the form of the arguments above bit 32, and the probe below; semaphores are places in the file."""
    attach = attachment(f"usdt:{program}:app:* {{ @[probe] = count(); }}")
    file, _, process, offsets, cookies, exact, names, semaphores = attach.target
    assert (attach.kind, file, process) == ("usdt_multi", program, 0)
    assert offsets == (0x1020, 0x1000, 0x1010)
    assert cookies == (0, 1 << 32 | 1, 2 << 32 | 1)
    assert semaphores == (0x2004, 0, 0x2006)
    assert all(exact) and names == (f"usdt:{program}:app:other", *[f"usdt:{program}:app:step"] * 2)


def test_kernels_without_such_links(program: str) -> None:
    text = f"usdt:{program}:app:step {{ @ = count(); }}"
    (spec,) = bundle_of(text, kernel()).programs
    assert spec.expected_attach_type == AttachType.TRACE_UPROBE_MULTI
    (spec,) = bundle_of(text, kernel(without=["uprobe_multi"])).programs
    assert (spec.attach[0].kind, spec.expected_attach_type) == ("usdt_single", 0)
    old = kernel(without=["uprobe_multi", "attach_cookie"])
    assert bundle_of(text, old).programs[0].attach[0].kind == "usdt_uncounted"
    both = f"usdt:{program}:step {{ print(probe); }}"
    assert len(bundle_of(both, old).programs) == 2
    assert findings(f"usdt:{program}:app:step {{ print(arg0); }}", old) == [("unreadable-argument", "arg0")]
    assert findings(text, kernel(without=["uprobe_multi", "uprobe"]))[0][0] == "not-supported-here"


def registers(machine: str = "x86_64", **values: int) -> bytes:
    arch = ARCHITECTURES[machine]
    content = bytearray(arch.pt_regs_size)
    for name, value in values.items():
        struct.pack_into("<Q", content, arch.register_offsets[name], value & (1 << 64) - 1)
    return bytes(content)


def printed(text: str, cookie: int, context: bytes, memory: dict[int, bytes], machine: str = "x86_64") -> str:
    fake = VmKernel(features=FEATURES, machine=machine)
    fake.environment.attach_cookie = cookie
    for address, content in memory.items():
        fake.environment.add_memory(address, content, user=True)
    return run(text, fake, events=[("usdt_multi", context)]).text


def test_each_form_is_read_in_its_way(program: str) -> None:
    text = f"usdt:{program}:app:step {{ print((arg0, arg1, arg2)); }}"
    first = registers(di=0xFFFFFFFF_FFFFFFFB, bp=0x7000, si=1, ax=2, cx=3)
    assert printed(text, 0, first, {0x6FF8: struct.pack("<Q", 77)}) == "(-5, 77, 200)\n"
    second = registers(di=1, si=-9, ax=0x8000, cx=2)
    assert printed(text, 1 << 32, second, {0x8010: struct.pack("<Q", 88)}) == "(-9, 88, 0)\n"
    assert printed(text, 1 << 32, second, {}) == "(-9, 0, 0)\n"  # memory that cannot be read


def test_parts_of_registers_and_variables(program: str) -> None:
    text = f"usdt:{program}:second:step {{ print((arg0, arg1, arg2)); }}"
    # the file is mapped 0x555000000000 higher than it was linked
    place = 0x555000000000 + AT + 48
    context = registers(dx=0x1234, bx=0xFFFE, ip=place)
    variable = {0x555000000000 + DATA_ADDRESS + 12: struct.pack("<I", 0xFFFFFFFF)}
    assert printed(text, 0, context, variable) == "(18, -2, 4294967295)\n"


def test_arm64(tmp_path: Path) -> None:
    note = usdt_note("app", "step", AT, "-4@w1 8@x20 4@[sp, 12] -8@[x2, x3, lsl 3] -4@-3")
    (tmp_path / "arm").write_bytes(made_elf(note, machine="aarch64"))
    text = f"usdt:{tmp_path}/arm:step {{ print((arg0, arg1, arg2, arg3, arg4)); }}"
    context = registers("aarch64", x1=-2, x20=1 << 40, sp=0x7000, x2=0x8000, x3=1)
    memory = {0x700C: struct.pack("<I", 5), 0x8008: struct.pack("<q", -6)}
    assert printed(text, 0, context, memory, "aarch64") == f"(-2, {1 << 40}, 5, -6, -3)\n"


def test_the_cookie_tells_the_probe(program: str) -> None:
    text = f"usdt:{program}:step {{ print(probe); }}"
    for cookie, name in ((0, "app:step"), (1 << 32, "app:step"), (2 << 32 | 1, "second:step")):
        assert printed(text, cookie, registers(), {}) == f"usdt:{program}:{name}\n"


@pytest.mark.parametrize(
    ("action", "found"),
    [
        ("usdt:APP:second:step { print(arg3); }", ("unreadable-argument", "arg3")),
        ("usdt:APP:second:step { print(arg4); }", ("not-available-here", "arg4")),
        ("usdt:APP:second:step { print(args.x); }", ("not-available-here", "args")),
        ("usdt:APP:second:step { print(retval); }", ("not-available-here", "retval")),
        ("usdt:APP:second:step { print(func); }", ("not-available-here", "func")),
    ],
)
def test_what_a_probe_does_not_have(program: str, action: str, found: tuple[str, str]) -> None:
    assert findings(action.replace("APP", program), kernel()) == [found]


def test_signs(program: str) -> None:
    """Signed where one of the places is."""
    for name, type_name in (("app:step { @ = arg0", "int64"), ("second:step { @ = arg0", "uint64")):
        bundle = bundle_of(f"usdt:{program}:{name}; }}", kernel())
        assert str(bundle.user_maps[0].value) == type_name
