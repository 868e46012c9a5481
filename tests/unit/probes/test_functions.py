"""`fentry`, `fexit` and `lsm` on the fake kernel: what targets name, how they are loaded, what programs read."""

import pytest
from checking import assembly, bundle_of, findings, type_of
from fake_kernel import FakeKernel

from kernscope.bundle import ProgramSpec
from kernscope.probes.functions import FENTRY, FEXIT
from kernscope.probes.lsm import LSM
from kernscope.tables.bpf import AttachType, ProgramType
from kernscope.types import INT32, INT64, UINT64


def programs(text: str, **kernel: object) -> list[ProgramSpec]:
    return bundle_of(text, FakeKernel(**kernel)).programs  # type: ignore[arg-type]


def names(target: str) -> list[str]:
    return [name for name in bundle_of(f"{target} {{ print(probe); }}").probes if name]


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("fentry:vfs_read", ["fentry:vmlinux:vfs_read"]),
        ("f:vmlinux:vfs_read", ["fentry:vmlinux:vfs_read"]),
        ("kfunc:vfs_read", ["fentry:vmlinux:vfs_read"]),
        ("fr:vfs_write", ["fexit:vmlinux:vfs_write"]),
        ("kretfunc:vfs_write", ["fexit:vmlinux:vfs_write"]),
        ("fentry:nf_tables:vfs_read", ["fentry:nf_tables:vfs_read"]),
        ("fentry:nf_hook", ["fentry:nf_tables:nf_hook"]),
        ("fentry:vmlinux:vfs_*", ["fentry:vmlinux:vfs_read", "fentry:vmlinux:vfs_write"]),
        ("fentry:*:vfs_read", ["fentry:nf_tables:vfs_read", "fentry:vmlinux:vfs_read"]),
        ("lsm:file_open", ["lsm:file_open"]),
        ("lsm:*", ["lsm:file_open", "lsm:inode_xattr_skipcap", "lsm:task_free"]),
    ],
)
def test_names(target: str, wanted: list[str]) -> None:
    assert sorted(names(target)) == wanted


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("fentry:vfs_raed", "unknown-probe"),
        ("fentry:nothing*", "unknown-probe"),
        ("fentry:ext9:vfs_read", "unknown-probe"),
        ("fentry:twice", "unknown-probe"),  # a function without a type
        ("fentry:printer", "bad-target"),  # any number of arguments
        ("fexit:give_pair", "bad-target"),  # returns a struct
        ("fentry", "bad-target"),
        ("fentry:a:b:c", "bad-target"),
        ("fentry:bpf:program", "not-yet"),
        ("lsm:file_opne", "unknown-probe"),
        ("lsm:ismaclabel", "unknown-probe"),  # newer kernels do not let programs on it
        ("lsm:unused", "unknown-probe"),
        ("lsm", "bad-target"),
    ],
)
def test_wrong_targets(target: str, code: str) -> None:
    assert findings(f"{target} {{ @ = count(); }}") == [(code, target)]


@pytest.mark.parametrize(("target", "feature"), [("fentry:vfs_read", "fentry"), ("lsm:file_open", "lsm")])
def test_a_kernel_without_them(target: str, feature: str) -> None:
    assert findings(f"{target} {{ @ = count(); }}", FakeKernel(without=[feature])) == [
        ("not-supported-here", target)
    ]


def test_one_program_for_all_targets_is_loaded_for_each() -> None:
    (program,) = programs("fentry:vmlinux:vfs_*, fentry:do_nanosleep { @[probe] = count(); }")
    assert (program.type, program.expected_attach_type) == (ProgramType.TRACING, AttachType.TRACE_FENTRY)
    assert [(a.function, a.target, a.named) for a in program.attach] == [
        ("vmlinux:do_nanosleep", (0,), True),
        ("vmlinux:vfs_read", (1,), False),
        ("vmlinux:vfs_write", (2,), False),
    ]
    assert "call 174" in assembly(program)  # get_attach_cookie: which of them it is


def test_the_names_have_the_order_of_the_cookies() -> None:
    bundle = bundle_of(
        "fentry:vfs_write, fentry:vfs_read { @ = count(); } fentry:vfs_read, f:vfs_write { print(probe) }"
    )
    (program,) = bundle.programs
    assert (
        [a.probe for a in program.attach]
        == bundle.probes[-2:]
        == [
            "fentry:vmlinux:vfs_read",
            "fentry:vmlinux:vfs_write",
        ]
    )


def test_without_cookies_each_target_has_its_program() -> None:
    found = programs("fentry:vmlinux:vfs_* { @[probe, func] = count(); }", without=["fentry_cookie"])
    assert len(found) == 2
    assert not any("call 173" in assembly(program) or "call 174" in assembly(program) for program in found)


def test_results_behind_different_numbers_of_arguments_take_different_programs() -> None:
    assert len(programs("fexit:vfs_read, fexit:nf_tables:vfs_read { print((int64)retval); }")) == 2


@pytest.mark.parametrize(
    ("expression", "probe", "wanted"),
    [
        ("args.count", "fentry:vfs_read", UINT64),
        ("args.flag", "fentry:do_nanosleep", INT32),
        ("args.two.b", "fentry:take_pair", INT64),
        ("retval", "fexit:vfs_read", INT64),
        ("retval->pid", "fexit:take_pair", INT32),
        ("args.table->owner->pid", "fentry:nf_hook", INT32),
        ("args.file->name.len", "lsm:file_open", UINT64),
    ],
)
def test_types(expression: str, probe: str, wanted: object) -> None:
    assert type_of(expression, probe=probe) == wanted


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("fentry:vfs_read { print(retval); }", "not-available-here"),
        ("fexit:do_nanosleep { print(retval); }", "not-available-here"),  # void
        ("fentry:vfs_read { print(args.nothing); }", "unknown-field"),
        ("fentry:vfs_read { print(arg0); }", "not-available-here"),
        ("lsm:file_open { print(func); }", "not-available-here"),
    ],
)
def test_what_they_do_not_have(text: str, code: str) -> None:
    assert [found[0] for found in findings(text)] == [code]


def listing(expression: str, probe: str = "fentry:vfs_read") -> str:
    # What is not known is read with a helper then, which tells it apart.
    (program,) = programs(f"{probe} {{ @[{expression}] = count(); }}", without=("rdonly_cast",))
    return assembly(program)


@pytest.mark.parametrize(
    ("expression", "offsets"),
    [
        ("args.file->mode", [0, 48]),
        ("args.file->owner->pid", [0, 8, 1248]),
        ("args.file->name.len", [0, 16]),
        ("args.file->owner->real_parent->tgid", [0, 8, 1256, 1244]),
        ("args.file->reader->mode", [0, 40, 48]),
    ],
)
def test_chains_from_known_pointers_are_loads(expression: str, offsets: list[int]) -> None:
    """No helper reads; each pointer of the chain is one load at the member's offset."""
    text = listing(expression)
    assert "call 113" not in text
    loads = [line for line in text.splitlines() if "= *(" in line and "r10" not in line]
    assert [int(line.rpartition("+ ")[2].rstrip(")")) for line in loads][: len(offsets)] == offsets


@pytest.mark.parametrize("expression", ["args.file->next->mode", "args.file->each->mode"])
def test_what_the_verifier_may_take_for_something_else_is_read_by_a_helper(expression: str) -> None:
    assert "call 113" in listing(expression)


def test_a_pointer_as_a_number_is_one_that_the_verifier_does_not_know() -> None:
    assert "le64" in listing("(uint64)args.file & 7")


def test_under_k_reads_are_checked() -> None:
    from kernscope.compiler import compile_source
    from kernscope.diagnostics import Source

    text = "fentry:vfs_read { print(args.file->mode); }"
    bundle = compile_source(Source("test", text), FakeKernel(), settings={"warn_reads": True}, verify=True)
    assert "call 113" in assembly(bundle.programs[0])


def test_security_hooks_are_read_by_helpers() -> None:
    """Some of their pointers may be NULL, which the verifier wants to be asked."""
    assert "call 113" in listing("args.file->mode", "lsm:file_open")


def test_a_struct_by_value_takes_as_many_words_as_it_has() -> None:
    text = listing("args.two.b, args.names", "fentry:take_pair")
    assert "+ 8)" in text and "+ 16)" in text
    assert "r3 += 24" in text or "+= 24" in text  # `char **`, which the verifier does not let us load


def test_verdicts_of_hooks() -> None:
    text = "lsm:file_open /pid == 7/ { deny(EACCES) }"
    assert [code for code, _ in findings(text)] == ["enforcement-not-allowed"]
    assert [code for code, _ in findings("lsm:task_free { deny() }")] == ["no-verdict"]
    assert [code for code, _ in findings("lsm:inode_xattr_skipcap { deny() }")] == ["no-verdict"]
    assert [code for code, _ in findings("fentry:vfs_read { deny() }")] == ["no-verdict"]


def test_the_verdict_is_the_negative_error() -> None:
    from kernscope.compiler import compile_source
    from kernscope.diagnostics import Source

    source = Source("test", "lsm:file_open { deny(EACCES) }")
    bundle = compile_source(source, FakeKernel(), settings={"enforce": True}, verify=True)
    (program,) = bundle.programs
    assert (program.type, program.expected_attach_type) == (ProgramType.LSM, AttachType.LSM_MAC)
    assert program.attach[0].function == "vmlinux:bpf_lsm_file_open"
    returned = [
        line for line in assembly(program).splitlines() if line.strip().endswith(("r0 = -13", "r0 = 0"))
    ]
    assert any("-13" in line for line in returned)


def test_listings() -> None:
    kernel = FakeKernel()
    assert FENTRY.list_names(kernel) == [
        "fentry:vmlinux:do_nanosleep",
        "fentry:vmlinux:vfs_read",
        "fentry:vmlinux:vfs_write",
        "fentry:nf_tables:nf_hook",
        "fentry:nf_tables:vfs_read",
    ]
    assert FEXIT.list_names(FakeKernel(without=["fentry"])) == ()
    assert FEXIT.describe(kernel, "fexit:vmlinux:vfs_read") == [
        ("struct file *", "file"),
        ("char *", "buf"),
        ("unsigned long", "count"),
        ("long *", "pos"),
        ("long", "retval"),
    ]
    assert FENTRY.describe(kernel, "fentry:nf_tables:nf_hook") == [("struct nft_table *", "table")]
    assert FEXIT.describe(kernel, "fexit:vmlinux:do_nanosleep") == [("int", "flag")]
    assert LSM.describe(kernel, "lsm:file_open") == [("struct file *", "file")]


def reads_of(action: str) -> int:
    """How many times the action calls bpf_probe_read_kernel()."""
    (program,) = programs(f"fentry:vfs_read {{ {action} }}", without=("rdonly_cast",))
    return assembly(program).count("call 113")


def test_variables_and_casts_keep_what_the_verifier_knows() -> None:
    assert reads_of("$f = args.file; @[$f->mode, $f->owner->pid] = count();") == 0
    assert reads_of("let $f = args.file->owner; $g = $f->real_parent; @[$g->pid, $f->pid] = count();") == 0
    assert reads_of("if (pid) { $f = args.file; @[$f->mode] = count(); }") == 0
    assert reads_of("@[((struct file *)args.file)->mode] = count();") == 0
    assert reads_of("$f = (struct file *)args.file; @[$f->mode] = count();") == 0


def test_what_a_cast_makes_of_a_pointer_is_read_as_the_verifier_sees_it() -> None:
    # at offset 8 of a file lies its owner, of a task nothing; at 1248 a file has ended
    assert reads_of("@[((struct task_struct *)args.file)->pid] = count();") == 1
    assert reads_of("$v = (struct inner *)args.file; @[$v->small] = count();") == 1


@pytest.mark.parametrize(
    "action",
    [
        "let $f = args.file; if (pid) { $f = args.file->reader; } @[$f->mode] = count();",
        "let $f : struct file *; if (pid) { $f = args.file; } @[$f->mode] = count();",
        "$f = args.file; $f++; @[$f->mode] = count();",
        "$f = args.file; for ($kv : @a) { @b[$f->mode] = count(); } @a[1] = 1;",
        "$f = args.file; @x = $f; @[@x->mode] = count();",
    ],
)
def test_variables_that_may_hold_something_else_do_not(action: str) -> None:
    assert reads_of(action) >= 1


def test_socket_cookies_are_of_sockets_that_the_verifier_knows() -> None:
    assert [c for c, _ in findings("fentry:vfs_read { print(socket_cookie(args.file)); }")] == [
        "type-mismatch"
    ]
    assert [c for c, _ in findings("interval:s:1 { print(socket_cookie(1)); }")] == ["not-available-here"]
    text = "fentry:vfs_read { $s = (struct sock *)args.file; print(socket_cookie($s)); }"
    assert [c for c, _ in findings("struct sock { int x; } " + text)] == ["type-mismatch"]


def test_a_program_reads_as_the_verifier_allows_for_all_of_its_functions() -> None:
    """Of `const void *` it says that it is not a struct, of `void *` nothing; to us they are the same."""
    assert "call 113" not in listing("args.p", "fentry:take_any")
    assert "call 113" in listing("args.p", "fentry:take_any, fentry:take_const")
    assert "call 113" in listing("args.p", "fentry:take_const, fentry:take_any")
