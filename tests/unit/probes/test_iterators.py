"""`iter` targets and what their programs become, without a kernel."""

import pytest
from checking import assembly, bundle_of, findings, type_of
from fake_kernel import FakeKernel

from kernscope.compiler import compile_source
from kernscope.diagnostics import Source
from kernscope.probes import kind_named
from kernscope.tables.bpf import AttachType, ProgramType


def test_how_it_is_loaded() -> None:
    program = bundle_of("it:task_file { print(probe); }").programs[0]
    assert (program.type, program.expected_attach_type) == (ProgramType.TRACING, AttachType.TRACE_ITER)
    assert program.attach_btf == "bpf_iter_task_file"
    assert [(a.probe, a.target) for a in program.attach] == [("iter:task_file", ("task_file", 0))]


def test_the_process_of_a_run() -> None:
    bundle = compile_source(Source("test", "iter:task { @ = count(); }"), FakeKernel(), pid=42)
    assert bundle.programs[0].attach[0].target == ("task", 42)
    # the kernel leaves out the others: in the program nothing asks for the current process, which is the tracer
    assert "get_current_pid_tgid" not in assembly(bundle.programs[0])
    # a command is no reason to leave out the others
    bundle = compile_source(Source("test", "iter:task { @ = count(); }"), FakeKernel(), cpid=42)
    assert bundle.programs[0].attach[0].target == ("task", 0)


def test_the_context_has_the_iterators_type() -> None:
    assert str(type_of("ctx.task.comm", probe="iter:task")) == "string[16]"
    assert str(type_of("ctx->fd", probe="iter:task_file")) == "uint32"
    assert str(type_of("ctx.meta.seq_num", probe="iter:task")) == "uint64"
    assert findings("iter:task { print(ctx.fd); }") == [("unknown-field", "fd")]


def test_one_action_for_two_iterators_is_checked_for_each() -> None:
    bundle = bundle_of("iter:task, iter:task_file { @[probe, ctx.task.pid] = count(); }")
    assert sorted(p.attach_btf or "" for p in bundle.programs) == ["bpf_iter_task", "bpf_iter_task_file"]
    assert ("unknown-field", "fd") in findings("iter:task, iter:task_file { print(ctx.fd); }")


def test_two_actions_for_one_iterator_are_one_program() -> None:
    assert len(bundle_of("iter:task { @a = count(); } iter:task { @b = count(); }").programs) == 1


def test_each_object_is_one_byte_of_the_file() -> None:
    """By these the reader knows when to hand over what has come."""
    text = assembly(bundle_of("iter:task { @ = count(); }").programs[0])
    assert text.count("seq_write") == 1


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("iter { }", "bad-target"),
        ("iter: { }", "bad-target"),
        ("iter:tasks { }", "unknown-probe"),
        ("iter:task_next { }", "unknown-probe"),
        ("iter:bpf_map_elem { }", "unknown-probe"),
        ("iter:task:list { }", "not-yet"),
        ("iter:task:/sys/fs/bpf/x { }", "not-yet"),
        ("iter:task { print(arg0); }", "not-available-here"),
        ("iter:task { print(args.task); }", "not-available-here"),
    ],
)
def test_wrong_targets(program: str, code: str) -> None:
    assert [found for found, _ in findings(program)] == [code]


def test_without_types_of_the_kernel() -> None:
    assert [code for code, _ in findings("iter:task { }", FakeKernel(without=["btf"]))] == ["no-kernel-types"]


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("iter:task_file { print(path(ctx.file.f_path)); }", None),
        ("iter:task_file { print(path(ctx.file.f_path, 64)); }", None),
        ("iter:task_file { print(path(ctx.file)); }", "type-mismatch"),
        ("iter:task_file { $f = ctx.file; print(path($f.f_path)); }", None),
        ("iter:task_file { print(path(ctx.file.f_path, 0)); }", "constant-needed"),
        ("iter:task_file { print(path(ctx.file.f_path, ctx.fd)); }", "constant-needed"),
        ("begin { print(path(curtask)); }", "type-mismatch"),
    ],
)
def test_path(program: str, code: str | None) -> None:
    assert [found for found, _ in findings(program)] == ([code] if code else [])


def test_listing() -> None:
    kind = kind_named("iter")
    assert kind is not None
    kernel = FakeKernel()
    assert list(kind.list_names(kernel)) == ["iter:task", "iter:task_file"]
    assert kind.describe(kernel, "iter:task_file") == [
        ("struct bpf_iter_meta *", "meta"),
        ("struct task_struct *", "task"),
        ("unsigned int", "fd"),
        ("struct file *", "file"),
    ]
