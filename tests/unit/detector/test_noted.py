"""Notes of security hooks: where they are made and dropped, and that a record's paths are those of the note."""

from collections.abc import Sequence

import pytest
from rule_texts import check, rule

from kernscope.detector.explanation import explain
from kernscope.detector.watch.calls import watched_call
from kernscope.detector.watch.noted import HOOKS, hooks_here, noted_call, noted_calls
from kernscope.detector.watch.parts import Named
from kernscope.detector.watch.processes import ProcessTree
from kernscope.detector.watch.program import Plan, plan_of, program_text
from kernscope.detector.watch.records import Records

ALL = [hook.name for hook in HOOKS]


def plan(condition: str, hooks: Sequence[str] = ALL) -> Plan:
    checked = check(rule(condition))
    assert not checked.has_errors
    return plan_of(checked.rules, machine="x86_64", hooks=hooks)


def probes(text: str, kind: str) -> list[str]:
    return [line.split()[0].removeprefix(kind) for line in text.splitlines() if line.startswith(kind)]


_REMOVED = "evt.type in (unlink, unlinkat) and fs.path.name startswith /etc/"


def test_without_hooks_nothing_is_noted() -> None:
    text = program_text(plan(_REMOVED, hooks=()), uring=True, compat=True)
    assert "noted" not in text and "$number" not in text and "lsm:" not in text and "$named" not in text


@pytest.mark.parametrize(
    ("condition", "hooks"),
    [
        (_REMOVED, ["path_unlink", "path_rmdir"]),
        ("evt.type = unlink and fs.path.name = /a", ["path_unlink"]),
        ("evt.type = rmdir and fs.path.name = /a", ["path_rmdir"]),
        ("evt.type in (rename, renameat2) and fs.path.source = /a", ["path_rename"]),
        ("evt.type in (chmod, umount2) and fs.path.name = /a", ["path_chmod", "sb_umount"]),
        ("evt.type = execve and proc.name = x", ["bprm_creds_for_exec"]),
        ("evt.type = openat and fd.name = /a", []),
        ("evt.type = ftruncate and fd.name = /a", []),
        ("evt.type = unlink and container.id != host", []),  # never true
    ],
)
def test_only_the_hooks_that_calls_need(condition: str, hooks: list[str]) -> None:
    text = program_text(plan(condition), compat=True)
    assert probes(text, "lsm:") == hooks
    assert ("let @noted" in text) == bool(hooks)


def test_a_note_is_made_in_the_calls_that_are_watched_alone() -> None:
    text = program_text(plan("evt.type = unlinkat and fs.path.name = /a"), compat=True)
    # 263 is unlinkat of x86_64, 301 of i386 (tables/syscalls): there bit 32 is set
    assert text.count(f"if ($number == 263 || $number == {(1 << 32) + 301})") == 2
    assert "deny(" not in text
    plain = program_text(plan("evt.type = unlinkat and fs.path.name = /a"))
    assert plain.count("if ($number == 263)") == 2 and "thread_info" not in plain


def test_each_call_that_may_have_a_note_drops_it() -> None:
    """Also where its gate is false, or is asked about numbers alone."""
    for condition in (_REMOVED, f"{_REMOVED} and evt.rawres >= 0"):
        text = program_text(plan(f"({condition}) or (evt.type = openat and fd.name = /a)"))
        _, _, calls = text.partition("rawtracepoint:sys_exit")
        found, dropped = calls.index("$noted = (uint64)0"), calls.index("delete(@noted, (uint64)$task);")
        inside = calls[found:dropped]
        assert calls.count("delete(@noted") == 1 and "$true_path" in inside and "print((" in inside
        assert inside.count("{") == inside.count("}")


def test_operations_of_io_uring_are_told_of_by_their_own_threads() -> None:
    text = program_text(plan("evt.type = renameat2 and fs.path.source = /a"), uring=True)
    assert "if (($task->flags & 16) != 0) { print((5, nsecs, 35, " in text
    text = program_text(plan("evt.type = rename and fs.path.source = /a"), uring=True)
    assert "print((5, " not in text
    # 32-bit programs do not rename so, but the operation is there
    assert probes(program_text(plan("evt.type = mkdirat and fs.path.name = /a"), uring=True), "lsm:") == [
        "path_mkdir"
    ]


def test_keys_of_the_hooks_are_those_of_the_calls() -> None:
    for name, hook in noted_calls(ALL).items():
        keys = [part.key for part in watched_call(name).parts if isinstance(part, Named)]
        assert keys == list(hook.paths), name


def raw_of(name: str, values: Sequence[object]) -> dict[str, object]:
    raw: dict[str, object] = {}
    place = 0
    for part in noted_call(watched_call(name), noted_calls(ALL)[name]).parts:
        end = place + len(part.values)
        part.decode(values[place:end], raw)
        place = end
    assert place == len(values)
    return raw


def test_what_the_kernel_found_counts() -> None:
    found = raw_of("unlink", ["", "/tmp/harmless", "/etc/passwd"])
    assert (found["path"], found["path_raw"]) == ("/etc/passwd", "/tmp/harmless")
    assert raw_of("unlink", ["/home", "x/../y", ""])["path"] == "/home/y"
    assert raw_of("unlink", ["/home", "x", "…/far/below"])["path"] == "…/far/below"
    found = raw_of("rename", ["", "/a", "/b", "", "/c", "/d"])
    assert (found["source"], found["target"]) == ("/b", "/d")


def test_what_a_symbolic_link_says_is_text() -> None:
    found = raw_of("symlink", ["/home", "/raced", "…/../../etc/shadow", "", "/t", "/tmp/t"])
    assert (found["source"], found["target"]) == ("/etc/shadow", "/tmp/t")


# --- records ------------------------------------------------------------------------------------------------


def records(hooks: Sequence[str] = ALL) -> Records:
    made = plan("evt.type in (unlinkat, execve)", hooks)
    return Records(made, ProcessTree(lambda pid: None), boot_offset_ns=0, began_ns=0)


def operation(kind: int, path: str, pid: int = 7) -> tuple[object, ...]:
    return (kind, 1, 36, pid, pid, 5, 1, 0, 0, "worker", "shell", "", path)


def test_an_operation_is_told_of_again_where_it_worked_on_something_else() -> None:
    made = records()
    first = made.take(operation(4, "/tmp/link/x"))
    assert first is not None and first.get("fs.path.name") == "/tmp/link/x"
    assert made.take(operation(5, "/tmp/link/x")) is None
    again = made.take(operation(5, "/etc/x"))
    assert again is not None and (again.get("evt.type"), again.get("fs.path.name")) == ("unlinkat", "/etc/x")
    assert made.take(operation(5, "/tmp/link/x", pid=8)) is not None


def test_few_operations_are_remembered() -> None:
    made = records()
    for number in range(5000):
        made.take(operation(4, f"/{number}"))
    assert made.take(operation(5, "/4999")) is None and made.take(operation(5, "/0")) is not None


def test_a_script_is_what_was_executed() -> None:
    text = program_text(plan("evt.type = execve and proc.name = x"))
    assert "delete(@noted, (uint64)$task);" in text and text.count("$named") == 3
    head = [1, 1, 7, 5, 1, 0, 0, 0, "sh", "./x.sh", "/usr/bin/dash", "/tmp", 5, b"sh\0x.sh\0", b""]
    rest = [0, 1, 1, 0, 0, 0, 0o100755, 0, 1, 9, 0]
    for named, path in (("/tmp/x.sh", "/tmp/x.sh"), ("", "./x.sh")):
        event = records().take([*head, *rest, named])
        assert event is not None
        found = [event.get(name) for name in ("fs.path.name", "fs.path.nameraw", "proc.exepath")]
        assert found == [path, "./x.sh", "/usr/bin/dash"]


# --- which hooks there are ----------------------------------------------------------------------------------


class Kernel:
    def __init__(self, *features: str) -> None:
        self.features = features

    def has_feature(self, name: str) -> bool:
        return name in self.features

    def list_probes(self, pattern: str) -> list[str]:
        return ["lsm:file_open", "lsm:path_rmdir", "lsm:path_unlink"]


def test_hooks_of_this_kernel() -> None:
    assert hooks_here(Kernel("lsm", "task_pt_regs")) == {"path_rmdir", "path_unlink"}
    assert not hooks_here(Kernel("lsm")) and not hooks_here(Kernel("task_pt_regs"))


def test_explained() -> None:
    (only,) = check(rule(_REMOVED)).rules
    assert "lsm:" not in explain(only).text
    text = explain(only, hooks=ALL).text
    assert (
        "  lsm:path_unlink  (notes " in text
        and "  lsm:path_rmdir  (notes " in text
        and "path_mkdir" not in text
    )
