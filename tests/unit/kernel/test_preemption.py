"""How readily the kernel preempts itself, from what it says in several places."""

import os
from types import SimpleNamespace

import pytest

from kernscope.kernel import preemption

DYNAMIC = "#1 SMP PREEMPT_DYNAMIC Debian 6.12.1-1 (2025-01-01)"


@pytest.mark.parametrize(
    ("version", "debugfs", "command_line", "configuration", "expected"),
    [
        ("#1 SMP Debian 6.1.1-1", "", "", "", "none"),
        ("#1 SMP PREEMPT_RT Debian 6.1.1-1", "", "", "", "full"),
        (DYNAMIC, "none (voluntary) full", "preempt=full", "", "voluntary"),
        (DYNAMIC, "none voluntary full (lazy)", "", "", "lazy"),
        (DYNAMIC, "", "quiet preempt=none", "", "none"),
        (DYNAMIC, "", "quiet", "\nCONFIG_PREEMPT_LAZY=y\n", "lazy"),
        (DYNAMIC, "", "quiet", "\nCONFIG_PREEMPT=y\n", "full"),
        (DYNAMIC, "", "quiet", "", "unknown"),
    ],
)
def test_mode(
    version: str,
    debugfs: str,
    command_line: str,
    configuration: str,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = {
        "/sys/kernel/debug/sched/preempt": debugfs,
        "/proc/cmdline": command_line,
        "/boot/config-6": configuration,
    }
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(version=version, release="6"))
    monkeypatch.setattr(preemption, "read_text", texts.get)
    monkeypatch.setattr(preemption, "_unmounted", lambda: "")
    monkeypatch.setattr(preemption, "open", _missing, raising=False)
    assert preemption.mode() == expected


def _missing(*_: object) -> None:
    raise FileNotFoundError
