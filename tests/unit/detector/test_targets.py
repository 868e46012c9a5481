"""Whom a call is done to, where the caller counts processes otherwise."""

from __future__ import annotations

import os

import pytest

from kernscope.detector.watch import targets
from kernscope.detector.watch.processes import Process, ProcessTree
from kernscope.kernel.process_table import ProcessFacts


def _tree() -> ProcessTree:
    def read(pid: int) -> ProcessFacts | None:
        if pid not in (7, 900, 901):
            return None
        facts = ProcessFacts(pid)
        facts.comm, facts.start_ns = {7: "rsyslogd", 900: "sh", 901: "sleep"}[pid], pid * 10_000_000
        return facts

    tree = ProcessTree(read)
    tree.seed([7, 900, 901])
    return tree


@pytest.mark.parametrize("theirs", ["pid:[1]", "pid:[2]"])
def test_number_is_one_of_the_callers_namespace(monkeypatch: pytest.MonkeyPatch, theirs: str) -> None:
    monkeypatch.setattr(targets, "_OWN", [])
    monkeypatch.setattr(targets, "link", lambda pid, name: "pid:[1]" if pid == os.getpid() else theirs)
    stat = b"7 (sleep) " + b" ".join([b"S", *[b"0"] * 18, b"901", b"0"])
    monkeypatch.setattr(targets, "read_file", lambda pid, name: stat if name == "root/proc/7/stat" else None)
    tree = _tree()
    found = targets.target_process(tree, tree.get(900), 7)
    assert found is not None
    assert found.comm == ("rsyslogd" if theirs == "pid:[1]" else "sleep")


def test_who_cannot_be_told_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "_OWN", ["pid:[1]"])
    monkeypatch.setattr(targets, "link", lambda pid, name: "pid:[2]")
    monkeypatch.setattr(targets, "read_file", lambda pid, name: None)
    assert targets.target_process(_tree(), Process(900, 0, None), 7) is None
