"""`kprobe` and `kretprobe` on the fake kernel: what targets name, how programs are loaded, what they read."""

import errno
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from checking import assembly, bundle_of, findings, type_of
from fake_kernel import ALL_FEATURES, FakeKernel
from vm_kernel import VmKernel
from vm_session import run

from kernscope.bundle import Attach, ProgramSpec
from kernscope.compiler import compile_source
from kernscope.diagnostics import CompileError, Source
from kernscope.kernel import AttachError
from kernscope.probes import KINDS
from kernscope.probes.kprobe_attach import attach_functions
from kernscope.tables.arch import X86_64
from kernscope.tables.bpf import AttachType, ProgramType
from kernscope.types import UINT64

FEATURES = ALL_FEATURES | {"kprobe", "kprobe_multi", "get_func_ip"}


def kernel(**facts: Any) -> FakeKernel:
    return FakeKernel(**{"features": FEATURES, **facts})


def programs(text: str, **facts: Any) -> list[ProgramSpec]:
    return bundle_of(text, kernel(**facts)).programs


def messages(text: str, **facts: Any) -> list[str]:
    """What is said about a program that is wrong: message, notes and help of each finding."""
    with pytest.raises(CompileError) as caught:
        compile_source(Source("test", text), kernel(**facts))
    return [" ".join([d.message, *d.notes, *d.help]) for d in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("kprobe:vfs_read", ["kprobe:vfs_read"]),
        ("k:vfs_read", ["kprobe:vfs_read"]),
        ("kr:vfs_read", ["kretprobe:vfs_read"]),
        ("kprobe:vfs_*", ["kprobe:vfs_read", "kprobe:vfs_write"]),
        ("kprobe:vmlinux:vfs_read", ["kprobe:vmlinux:vfs_read"]),
        ("kprobe:nf_tables:*", ["kprobe:nf_tables:nf_hook", "kprobe:nf_tables:vfs_read"]),
        ("kprobe:nf_*:vfs_read", ["kprobe:nf_tables:vfs_read"]),
        ("kprobe:vfs_read+4", ["kprobe:vfs_read+4"]),
        ("kprobe:vfs_read+0x10", ["kprobe:vfs_read+16"]),
        ("kprobe:vfs_read+0", ["kprobe:vfs_read"]),
        ("kprobe:0xffffffff81234560", ["kprobe:0xffffffff81234560"]),
        ("kprobe:shrink_slab.isra.0", ["kprobe:shrink_slab.isra.0"]),
        ("kprobe:vfs_read, kretprobe:vfs_read", ["kprobe:vfs_read", "kretprobe:vfs_read"]),
    ],
)
def test_names(target: str, wanted: list[str]) -> None:
    bundle = bundle_of(f"{target} {{ print(probe); }}", kernel())
    assert sorted(name for name in bundle.probes if name) == wanted
    assert bundle.probe_count == len(wanted)


@pytest.mark.parametrize(
    ("target", "code", "said"),
    [
        ("kprobe:vfs_raed", "unknown-probe", "did you mean `kprobe:vfs_read`?"),
        ("kretprobe:vfs_raed", "unknown-probe", "did you mean `kretprobe:vfs_read`?"),
        ("kprobe:shrink_slab", "unknown-probe", "trace one of them: `kprobe:shrink_slab.isra.0`"),
        ("kprobe:openat", "unknown-probe", "there are `__x64_sys_openat`"),
        ("kprobe:zzz*", "unknown-probe", "no function of this kernel that can be traced matches `zzz*`"),
        ("kprobe:jiffies", "unknown-probe", "this kernel has no function `jiffies`"),
        ("kprobe:ext9:vfs_read", "unknown-probe", "the module `ext9` is not loaded"),
        ("kprobe:nf_table:nf_hook", "unknown-probe", "did you mean `nf_tables`?"),
        ("kprobe:nf_tables:vfs_write", "unknown-probe", "no function `vfs_write` in `nf_tables`"),
        ("kprobe:vfs_read+160", "bad-target", "`vfs_read` has 160 bytes"),
        ("kprobe:vfs_read+x", "bad-target", "how many bytes into which function"),
        ("kprobe:vfs_*+4", "bad-target", "how many bytes into which function"),
        ("kprobe:vfs_raed+4", "unknown-probe", "did you mean `kprobe:vfs_read`?"),
        ("kretprobe:vfs_read+4", "bad-target", "leave out the offset"),
        ("kretprobe:0xffffffff81234560", "bad-target", "leave out the offset"),
        ("kprobe:0x10", "unknown-probe", "no function of this kernel is at the address `0x10`"),
        ("kprobe:0xffffffff82000000", "unknown-probe", "/proc/kallsyms"),
        ("kprobe:0x1ffffffffffffffff", "unknown-probe", "no function of this kernel is at"),
        ("kprobe", "bad-target", "does not name a function"),
        ("kprobe::", "bad-target", "does not name a function"),
        ("kprobe:a:b:c", "bad-target", "does not name a function"),
    ],
)
def test_targets_that_are_wrong(target: str, code: str, said: str) -> None:
    text = f"{target} {{ print(1); }}"
    assert findings(text, kernel()) == [(code, target)]
    assert said in messages(text)[0]


def test_all_functions_of_an_action_take_one_program_and_one_link() -> None:
    (program,) = programs("kprobe:vfs_*, kprobe:do_nanosleep { @[probe] = count(); }")
    assert (program.type, program.expected_attach_type) == (ProgramType.KPROBE, AttachType.TRACE_KPROBE_MULTI)
    (attach,) = program.attach
    assert attach.kind == "kprobe_multi"
    assert attach.target == (("do_nanosleep", "vfs_read", "vfs_write"), (), (0,))


def test_functions_of_modules_are_attached_by_address() -> None:
    (attach,) = programs("kprobe:nf_tables:vfs_read { print(1); }")[0].attach
    assert attach.target == (("vfs_read",), ("nf_tables",), (0,))


def test_places_and_old_kernels_take_perf_events() -> None:
    (inside,) = programs("kprobe:vfs_read+4 { print(1); }")
    assert inside.expected_attach_type == 0
    assert [(a.kind, a.target) for a in inside.attach] == [("kprobe_single", ("vfs_read", 4, 0))]
    (old,) = programs(
        "kretprobe:vfs_*, kretprobe:nf_tables:nf_hook { print(probe); }", without=["kprobe_multi"]
    )
    assert [(a.kind, a.target) for a in old.attach] == [
        ("kretprobe_single", ("nf_tables:nf_hook", 0, 0)),
        ("kretprobe_single", ("vfs_read", 0, 1)),
        ("kretprobe_single", ("vfs_write", 0, 2)),
    ]


def test_kernels_without_cookies_take_a_program_for_each_named_probe() -> None:
    without = ["kprobe_multi", "attach_cookie"]
    assert len(programs("kprobe:vfs_* { print(probe); }", without=without)) == 2
    (one,) = programs("kprobe:vfs_* { print(1); }", without=without)
    assert [a.target for a in one.attach] == [("vfs_read", 0, 0), ("vfs_write", 0, 0)]


def test_a_kernel_without_kprobes_runs_whole_functions_by_fentry() -> None:
    features = ALL_FEATURES
    assert "kprobe" not in features
    enter, leave = programs(
        "kprobe:vfs_read { print((probe, arg2)); } kretprobe:vfs_read { print((func, retval)); }",
        features=features,
    )
    assert (enter.type, enter.expected_attach_type) == (ProgramType.TRACING, AttachType.TRACE_FENTRY)
    assert leave.expected_attach_type == AttachType.TRACE_FEXIT
    assert [(a.kind, a.probe, a.function) for a in enter.attach] == [
        ("fentry_instead_of_kprobe", "kprobe:vfs_read", "vmlinux:vfs_read")
    ]
    assert leave.attach[0].kind == "fexit_instead_of_kretprobe"
    fake = FakeKernel()
    assert (
        type_of("retval", probe="kretprobe:vfs_read") == UINT64
    )  # a kretprobe's, not the function's own type
    assert findings('kprobe:vfs_read { print(reg("ip")); }', fake) == [("not-available-here", 'reg("ip")')]
    assert findings("kprobe:vfs_read { print(arg4); }", fake) == [("not-available-here", "arg4")]
    assert findings("kprobe:vfs_read+4 { print(1); }", fake) == [("not-supported-here", "kprobe:vfs_read+4")]
    assert bundle_of("kretprobe:do_nanosleep { print(retval); }", fake).probe_count == 1  # a void function
    names = bundle_of("kprobe:vfs_* { print(probe); }", fake).probes
    assert {"kprobe:vfs_read", "kprobe:vfs_write", "kprobe:nf_tables:vfs_read"} == {n for n in names if n}


def test_a_kernel_without_both_says_so_and_names_tracepoints() -> None:
    nothing = ALL_FEATURES - {"fentry"}
    text = messages("kprobe:vfs_read { print(1); }", features=nothing)[0]
    assert "CONFIG_KPROBES" in text and "`tracepoint:syscalls:sys_enter_read`" in text
    text = messages("kprobe:schedule_process_exec { print(1); }", features=nothing)[0]
    assert "`tracepoint:sched:sched_process_exec`" in text


def registers(**values: int) -> bytes:
    """A `struct pt_regs` of x86_64 with these registers."""
    content = bytearray(X86_64.pt_regs_size)
    for name, value in values.items():
        struct.pack_into("<Q", content, X86_64.register_offsets[name], value)
    return bytes(content)


def test_arguments_results_and_registers() -> None:
    text = """
    kprobe:vfs_read { print((arg0, arg1, arg2, arg3, arg4, arg5)); }
    kprobe:vfs_write { print(reg("bx")); }
    kretprobe:vfs_read { print((retval, (int32)retval)); }
    """
    result = run(
        text,
        VmKernel(features=FEATURES),
        events=[
            ("kprobe_multi", registers(di=1, si=2, dx=3, cx=4, r8=5, r9=1 << 63)),
            ("kprobe_single", registers(bx=7)),
            ("kretprobe_multi", registers(ax=(1 << 64) - 2)),
        ],
    )
    assert result.text == f"(1, 2, 3, 4, 5, {1 << 63})\n7\n({(1 << 64) - 2}, -2)\n"


@pytest.mark.parametrize("cookie", [0, 1])
def test_the_cookie_tells_the_probe(cookie: int) -> None:
    machine = VmKernel(features=FEATURES)
    machine.environment.attach_cookie = cookie
    result = run("kprobe:vfs_* { print(probe); }", machine, events=[("kprobe_multi", registers())])
    assert result.text == ["kprobe:vfs_read\n", "kprobe:vfs_write\n"][cookie]


def test_functions_that_were_hit() -> None:
    assert "get_func_ip" in assembly(programs("kretprobe:vfs_read { print(func); }")[0])
    (old,) = programs(
        "kprobe:vfs_read { print(func); }", without=["get_func_ip", "kprobe_multi", "attach_cookie"]
    )
    assert "get_func_ip" not in assembly(old)
    without = kernel(without=["get_func_ip", "kprobe_multi", "attach_cookie"])
    assert findings("kretprobe:vfs_read { print(func); }", without) == [("not-available-here", "func")]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("kprobe:vfs_read { print(arg6); }", "arg6"),
        ("kretprobe:vfs_read { print(arg0); }", "arg0"),
        ("kprobe:vfs_read { print(retval); }", "retval"),
        ("kprobe:vfs_read { print(args.file); }", "args"),
        ("kretprobe:vfs_read { override(1); }", "override(1)"),
        ("tracepoint:sched:sched_switch { override(1); }", "override(1)"),
    ],
)
def test_what_a_probe_does_not_have(text: str, place: str) -> None:
    assert [where for code, where in findings(text, kernel()) if code == "not-available-here"] == [place]


def test_override() -> None:
    can = FEATURES | {"override_return"}
    text = "kprobe:__x64_sys_openat { override(-13); }"
    assert [code for code, _ in findings(text, kernel(features=can))] == ["unsafe-function"]
    bundle = compile_source(
        Source("test", text), kernel(features=can), settings={"unsafe": True}, verify=True
    )
    assert "override_return" in assembly(bundle.programs[0])
    with pytest.raises(CompileError) as caught:
        compile_source(Source("test", text), kernel(), settings={"unsafe": True})
    assert [d.code for d in caught.value.diagnostics] == ["not-supported-here"]


def test_listing() -> None:
    kprobe = next(kind for kind in KINDS if "kprobe" in kind.providers)
    assert "kprobe:vfs_read" in kprobe.list_names(kernel())
    assert kprobe.list_names(kernel(features=ALL_FEATURES - {"fentry"})) == ()
    assert kprobe.describe(kernel(), "kprobe:vfs_read")[2] == ("unsigned long", "count")
    assert kprobe.describe(kernel(), "kprobe:nf_tables:nf_hook") == [("struct nft_table *", "table")]
    assert kprobe.describe(kernel(), "kprobe:twice") == []
    kretprobe = next(kind for kind in KINDS if "kretprobe" in kind.providers)
    assert kretprobe.describe(kernel(), "kretprobe:vfs_read")[-1] == ("long", "retval")


class RefusingKernel(FakeKernel):
    """A kernel that refuses to trace some functions, and writes down what it was asked."""

    def __init__(self, *refused: str) -> None:
        super().__init__()
        self.refused = refused
        self.asked_for: list[tuple[str, ...]] = []
        self.attached: list[tuple[str, ...]] = []
        self.cookies: list[int] = []

    def attach_kprobe_multi(
        self,
        program: object,
        functions: Sequence[str],
        addresses: Sequence[int] = (),
        *,
        at_return: bool = False,
        cookies: Sequence[int] = (),
    ) -> tuple[str, ...]:
        self.asked_for.append(tuple(functions))
        if set(functions) & set(self.refused):
            raise AttachError(errno.ESRCH, "BPF_LINK_CREATE", functions[0])
        self.attached.append(tuple(functions))
        self.cookies += cookies
        return tuple(functions)

    def detach(self, links: list[tuple[str, ...]], *, background: bool = False) -> None:
        for link in links:
            self.attached.remove(link)


NAMES = tuple("abcdefgh")


def attach(fake: RefusingKernel, named: tuple[int, ...] = ()) -> object:
    where = Attach("kprobe_multi", "kprobe:*", (NAMES, (), named))
    return attach_functions(fake, object(), where, at_return=False)  # type: ignore[arg-type]


def test_functions_of_a_pattern_that_the_kernel_refuses_are_left_out() -> None:
    fake = RefusingKernel("c", "h")
    attach(fake)
    assert sorted(name for link in fake.attached for name in link) == sorted(set(NAMES) - {"c", "h"})
    assert sorted(fake.cookies) == [i for i, name in enumerate(NAMES) if name not in "ch"]


@pytest.mark.parametrize(("refused", "named"), [("c", (2,)), ("abcdefgh", ())])
def test_a_named_function_that_is_refused_leaves_nothing_attached(
    refused: str, named: tuple[int, ...]
) -> None:
    fake = RefusingKernel(*refused)
    with pytest.raises(AttachError):
        attach(fake, named)
    assert fake.attached == []
