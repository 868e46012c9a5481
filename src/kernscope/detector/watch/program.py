"""The program that watches: text of our language, made of the rules' conditions.

One raw tracepoint, `sys_exit`, serves all system calls: where a call returns, its arguments are still in the registers,
the result is known, and what was opened is an open file, whose path no other thread can change any more. A call that no
rule is about leaves after a few comparisons of its number. What runs, begins and ends is recorded always: it makes the
tree of processes.
"""

from __future__ import annotations

import os

from kernscope.detector.watch.calls import WatchedCall, watched_call
from kernscope.detector.watch.gate import NEVER, gate
from kernscope.detector.watch.parts import PATH_BYTES
from kernscope.detector.watch.uring import KIND_URING, uring_text
from kernscope.tables.syscalls import names as syscall_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kernscope.detector.check import CheckedRule
    from kernscope.detector.conditions import Condition

__all__ = ["KIND", "Plan", "Watched", "plan_of", "program_text"]

KIND = {"call": 0, "exec": 1, "fork": 2, "exit": 3, "uring": KIND_URING}
"""The first value of a record."""
ARGUMENT_BYTES = 4096
"""Of a command line and of an environment that a record holds, with the NULs between."""

_COMMON: dict[str, str] = {
    "comm": "$task->group_leader->comm",
    "pcomm": "$task->real_parent->group_leader->comm",
    "pid": "(uint64)pid",
    "tid": "(uint64)tid",
    "ppid": "(uint64)$task->real_parent->tgid",
    "uid": "(uint64)uid",
    "gid": "(uint64)gid",
    "loginuid": "(int64)(int32)$task->loginuid.val",
    "res": "$ret",
    "sid": "(uint64)$task->signal->pids[3]->numbers[0].nr",
    "pgid": "(uint64)$task->signal->pids[2]->numbers[0].nr",
}
"""What the gate may ask of every system call. `signal->pids` is indexed by enum pid_type, linux/pid_types.h."""


class Watched:
    """A system call of the plan: its number, what is recorded, and the gate's text."""

    __slots__ = ("call", "gate", "number")

    def __init__(self, number: int, call: WatchedCall, gate: str) -> None:
        self.number, self.call, self.gate = number, call, gate


class Plan:
    """What the rules need of the kernel.

    Attributes:
        calls: system calls, by number.
        types: all event types that a rule is about, those made of other records too.
        fragments: more text of the program, of those who want records of their own.
    """

    __slots__ = ("calls", "fragments", "types")

    def __init__(self) -> None:
        self.calls: dict[int, Watched] = {}
        self.types: dict[str, list[Condition]] = {}
        self.fragments: list[str] = []


def plan_of(rules: Iterable[CheckedRule], *, machine: str = "") -> Plan:
    """What to watch for these rules. Rules about every event see those that others are about."""
    plan = Plan()
    anything: list[Condition] = []
    for rule in rules:
        for condition, types in needed(rule):
            if types is None:
                anything.append(condition)
                continue
            for name in types:
                plan.types.setdefault(name, []).append(condition)
    for name, number in _numbers(machine or os.uname().machine).items():
        if name not in plan.types:
            continue
        call = watched_call(name)
        decided = gate(plan.types[name] + anything, name, gate_names(call))
        if decided != NEVER:
            plan.calls[number] = Watched(number, call, decided)
    for conditions in plan.types.values():
        conditions += anything
    return plan


def needed(rule: CheckedRule) -> list[tuple[Condition, frozenset[str] | None]]:
    """The conditions of a rule whose events it must see, each with its event types."""
    assert rule.condition is not None
    return [(rule.condition, rule.event_types)]


def gate_names(call: WatchedCall) -> dict[str, str]:
    """What the gate may ask of a call."""
    found = dict(_COMMON)
    for part in call.parts:
        found.update(part.names)
    return found


def _numbers(machine: str) -> Mapping[str, int]:
    return {name: number for number, name in syscall_names(machine).items()}


def program_text(plan: Plan, *, self_pid: int, uring: bool = False) -> str:
    """The whole program; events of `self_pid` are left out. `uring`: this kernel tells what io_uring does."""
    parts = [_HEAD, _EXEC.replace("PATH", str(PATH_BYTES)), _FORK, _EXIT]
    if plan.calls:
        parts.append(_calls(list(plan.calls.values()), self_pid))
    if uring:
        parts.append(uring_text(plan.types, self_pid))
    return "\n".join([*parts, *plan.fragments])


_HEAD = f"config = {{ max_strlen = {ARGUMENT_BYTES}; missing_probes = warn; print_maps_on_exit = false }}\n"

_EXEC = """\
rawtracepoint:sched_process_exec {
  $task = args.p; $mm = $task->mm; $signal = $task->signal; $tty = $signal->tty; $file = args.bprm->file;
  $files = $task->files->fdt->fd;
  $device = (uint64)0;
  if ((uint64)$tty != 0) {
    $minor = (uint64)$tty->driver->minor_start + (uint64)$tty->index;
    $device = ((uint64)$tty->driver->major << 8) | ($minor & 0xff) | (($minor & 0xfff00) << 12);
  }
  print((1, nsecs, (uint64)$task->tgid, (uint64)$task->start_boottime, (uint64)$task->real_parent->tgid,
    (uint64)uid, (uint64)gid, (int64)(int32)$task->loginuid.val, $task->comm,
    str(args.bprm->filename, PATH), path($file->f_path, PATH), path($task->fs->pwd, PATH),
    (uint64)($mm->arg_end - $mm->arg_start), buf(uptr($mm->arg_start), (uint64)($mm->arg_end - $mm->arg_start)),
    buf(uptr($mm->env_start), (uint64)($mm->env_end - $mm->env_start)),
    $device, (uint64)$signal->pids[3]->numbers[0].nr, (uint64)$signal->pids[2]->numbers[0].nr,
    (uint64)$files[0]->f_inode->i_mode, (uint64)$files[1]->f_inode->i_mode, (uint64)$files[2]->f_inode->i_mode,
    (uint64)$file->f_inode->i_mode, (uint64)$file->f_inode->i_uid.val, (uint64)$file->f_inode->__i_nlink,
    (uint64)$file->f_inode->i_ino));
}
"""

_FORK = """\
rawtracepoint:sched_process_fork {
  if (args.child->tgid == args.child->pid) {
    print((2, nsecs, (uint64)args.child->tgid, (uint64)args.child->start_boottime, (uint64)args.parent->tgid));
  }
}
"""

_EXIT = """\
rawtracepoint:sched_process_exit {
  if (args.p->tgid == args.p->pid) {
    print((3, nsecs, (uint64)args.p->tgid, (uint64)args.p->start_boottime, (uint64)args.p->exit_code));
  }
}
"""

_CALLS = """\
rawtracepoint:sys_exit {
  $nr = (uint64)args.regs->orig_ax;
BODY}
"""


def _calls(calls: Sequence[Watched], self_pid: int) -> str:
    return _CALLS.replace(
        "BODY", _dispatch(sorted(calls, key=lambda watched: watched.number), self_pid, "  ")
    )


def _dispatch(calls: Sequence[Watched], self_pid: int, indent: str) -> str:
    """Halves until one call is left."""
    if len(calls) == 1:
        watched = calls[0]
        body = _record(watched, self_pid)
        return f"{indent}if ($nr == {watched.number}) {{ // {watched.call.name}\n{body}{indent}}}\n"
    middle = len(calls) // 2
    return (
        f"{indent}if ($nr < {calls[middle].number}) {{\n{_dispatch(calls[:middle], self_pid, indent + '  ')}"
        f"{indent}}} else {{\n{_dispatch(calls[middle:], self_pid, indent + '  ')}{indent}}}\n"
    )


_ARGUMENTS = ("di", "si", "dx", "r10", "r8", "r9")


def _record(watched: Watched, self_pid: int) -> str:
    call = watched.call
    registers = " ".join(f"$a{n} = (uint64)args.regs->{name};" for n, name in enumerate(_ARGUMENTS))
    gate = " && ".join(
        text for text in (call.only, "" if watched.gate == "1" else f"({watched.gate})") if text
    )
    values = ", ".join(
        [
            *("0", "nsecs", str(watched.number), "(uint64)pid", "(uint64)tid"),
            *("(uint64)$task->group_leader->start_boottime", _COMMON["ppid"], "(uint64)uid", "(uint64)gid"),
            *(_COMMON["comm"], _COMMON["pcomm"], "$ret", "$a0", "$a1", "$a2", "$a3", "$a4", "$a5"),
            *(value for part in call.parts for value in part.values),
        ]
    )
    setup = "".join(part.setup for part in call.parts)
    before = "".join(part.before for part in call.parts)
    return (
        f"    if (pid != {self_pid}) {{\n"
        f"      $task = (struct task_struct *)curtask; $ret = (int64)args.ret;\n      {registers}\n{setup}"
        f"      if ({gate or '1'}) {{\n{before}        print(({values}));\n      }}\n    }}\n"
    )
