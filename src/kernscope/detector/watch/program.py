"""The program that watches: text of our language, made of the rules' conditions.

One raw tracepoint, `sys_exit`, serves all system calls: where a call returns, its arguments are still in the registers,
the result is known, and what was opened is an open file, whose path no other thread can change any more. A call that no
rule is about leaves after a few comparisons of its number. What runs, begins and ends is recorded always: it makes the
tree of processes.
"""

from __future__ import annotations

import os
import re

from kernscope.detector.watch.calls import WatchedCall, watched_call
from kernscope.detector.watch.compat import IS_COMPAT, REGISTERS, compat_numbers
from kernscope.detector.watch.gate import ALWAYS, NEVER, gate
from kernscope.detector.watch.noted import (
    DROP_NOTE,
    FIND_NOTE,
    KIND_NOTED,
    NOTE_OF_EXEC,
    NOTES,
    Hook,
    hook_text,
    noted_call,
    noted_calls,
    notes_execution,
    number_text,
    wanted_hooks,
)
from kernscope.detector.watch.parts import PATH_BYTES, Part
from kernscope.detector.watch.uring import KIND_URING, uring_text
from kernscope.tables.syscalls import numbers as syscall_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kernscope.detector.check import CheckedRule
    from kernscope.detector.conditions import Condition

__all__ = ["KIND", "Plan", "Watched", "plan_of", "program_text"]

KIND = {"call": 0, "exec": 1, "fork": 2, "exit": 3, "uring": KIND_URING, "noted": KIND_NOTED}
"""The first value of a record."""
ARGUMENT_BYTES = 4096
"""Of a command line and of an environment that a record holds, with the NULs between."""
RING_PAGES = 2048
"""8 MiB, which are mapped twice: what waits in a burst of some ten thousand events."""

_KNOWN: dict[str, str] = {
    "comm": "$task->group_leader->comm",
    "pcomm": "$task->real_parent->group_leader->comm",
    "ppid": "(uint64)$task->real_parent->tgid",
    "uid": "(uint64)uid",
    "gid": "(uint64)gid",
    "loginuid": "(int64)(int32)$task->loginuid.val",
    "sid": "(uint64)$task->signal->pids[3]->numbers[0].nr",
    "pgid": "(uint64)$task->signal->pids[2]->numbers[0].nr",
}
"""What is known of who calls: the variable of this name is set where a gate or a record asks for it.

`signal->pids` is indexed by enum pid_type, linux/pid_types.h.
"""
_COMMON = {name: f"${name}" for name in _KNOWN} | {"pid": "(uint64)pid", "tid": "(uint64)tid", "res": "$ret"}
"""What the gate may ask of every system call."""


class Watched:
    """A system call of the plan: its number, what is recorded, and the gate's text.

    `early` is a gate of numbers alone, asked before anything is read for the other one.
    """

    __slots__ = ("call", "early", "gate", "number")

    def __init__(self, number: int, call: WatchedCall, gate: str, early: str = ALWAYS) -> None:
        self.number, self.call, self.gate, self.early = number, call, gate, early


class Plan:
    """What the rules need of the kernel.

    Attributes:
        calls: system calls, by number.
        types: all event types that a rule is about, those made of other records too.
        hooks: the security hooks that may note paths (see `noted`), by name.
        coarse: how many steps of `_LEFT_OUT` the gates leave out, as the whole would be too large for the verifier.
        fragments: more text of the program, of those who want records of their own.
    """

    __slots__ = ("calls", "coarse", "fragments", "hooks", "types")

    def __init__(self, hooks: Iterable[str] = ()) -> None:
        self.calls: dict[int, Watched] = {}
        self.hooks = frozenset(hooks)
        self.types: dict[str, list[Condition]] = {}
        self.fragments: list[str] = []
        self.coarse = 0

    def wanted_hooks(self, *, uring: bool) -> list[Hook]:
        """The hooks that something is watched for by."""
        calls = [watched.call.name for watched in self.calls.values()]
        return wanted_hooks(self.hooks, calls, self.types, uring=uring)


def plan_of(rules: Iterable[CheckedRule], *, machine: str = "", hooks: Iterable[str] = ()) -> Plan:
    """What to watch for these rules. Rules about every event see those that others are about.

    `hooks`: the security hooks that this kernel lets programs be on, see `noted.hooks_here`.
    """
    plan = Plan(hooks)
    anything: list[Condition] = []
    for rule in rules:
        for condition, types in needed(rule):
            if types is None:
                anything.append(condition)
                continue
            for name in types:
                plan.types.setdefault(name, []).append(condition)
    for conditions in plan.types.values():
        conditions += anything
    numbers = syscall_numbers(machine or os.uname().machine)
    for plan.coarse in range(len(_LEFT_OUT) + 1):
        without = frozenset().union(*_LEFT_OUT[: plan.coarse])
        plan.calls = _watched(plan.types, numbers, without, noted_calls(plan.hooks))
        if sum(len(text) for text in {watched.gate for watched in plan.calls.values()}) <= _MOST_TEXT:
            break
    return plan


_LEFT_OUT: tuple[frozenset[str], ...] = (
    frozenset(("comm", "pcomm", "uid", "gid", "loginuid")),
    frozenset(("family", "protocol", "mode")),
    frozenset(("source", "target", "sip", "cip", "lip", "rip", "sport", "cport", "lport", "rport")),
    frozenset(("path",)),
)
"""What gates do without, step by step: first what mostly excludes programs that are known to be harmless."""
_MOST_TEXT = 200_000
"""Characters of all gates together. Half of it became 51,000 instructions, which the verifier read in 0.7 seconds."""


def _watched(
    types: Mapping[str, list[Condition]],
    numbers: Mapping[str, int],
    without: frozenset[str],
    noted: Mapping[str, Hook],
) -> dict[int, Watched]:
    """The calls that conditions are about, by number."""
    found = {}
    for name, number in numbers.items():
        if name not in types:
            continue
        call = watched_call(name)
        if name in noted:
            call = noted_call(call, noted[name])
        names = {
            key: text for key, text in gate_names(call).items() if key.removesuffix("_unknown") not in without
        }
        decided = gate(types[name], name, names)
        if decided != NEVER:
            numbers_only = {key: names[key] for key in _EARLY if key in names}
            early = gate(types[name], name, numbers_only)
            found[number] = Watched(number, call, ALWAYS if early == decided else decided, early)
    return found


_EARLY = ("res", "pid", "tid", "uid", "gid")
"""What early gates ask, beside the arguments."""


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


def program_text(plan: Plan, *, uring: bool = False, compat: bool = False) -> str:
    """The whole program; events of the process that runs it are left out.

    Args:
        uring: this kernel tells what io_uring does.
        compat: it runs 32-bit programs of x86.
    """
    hooks = plan.wanted_hooks(uring=uring)
    parts = [_HEAD + (NOTES if hooks else ""), _exec_text(hooks), _FORK, _EXIT]
    numbers = {watched.call.name: number for number, watched in plan.calls.items()}
    parts += [hook_text(hook, numbers, plan.types, uring=uring, compat=compat) for hook in hooks]
    if plan.calls:
        parts.append(_calls(list(plan.calls.values()), compat=compat))
    if uring:
        parts.append(uring_text(plan.types))
    return "\n".join([*parts, *plan.fragments])


_HEAD = (
    f"config = {{ max_strlen = {ARGUMENT_BYTES}; perf_rb_pages = {RING_PAGES}; missing_probes = warn; "
    "print_maps_on_exit = false }\n"
    # The process that runs the program runs this: so the text is the same for all, and what was compiled can be kept.
    "begin { @self = pid; }\n"
)

_EXEC = """\
rawtracepoint:sched_process_exec {
  $task = args.p; $mm = $task->mm; $signal = $task->signal; $tty = $signal->tty; $file = args.bprm->file;
  $files = $task->files->fdt->fd;
STANDARD  $device = (uint64)0;
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
    $standard0, $standard1, $standard2,
    (uint64)$file->f_inode->i_mode, (uint64)$file->f_inode->i_uid.val, (uint64)$file->f_inode->__i_nlink,
    (uint64)$file->f_inode->i_ino, (uint64)$task->cred->euid.val));
}
"""

# The mode of descriptors 0 to 2, and above it the family of those that are sockets.
_STANDARD = """\
  $standardN = (uint64)$files[N]->f_inode->i_mode;
  if (($standardN & 0170000) == 0140000) {
    $standardN |= (uint64)((struct socket *)$files[N]->private_data)->sk->__sk_common.skc_family << 16;
  }
"""
_EXEC = _EXEC.replace("STANDARD", "".join(_STANDARD.replace("N", number) for number in "012"))


def _exec_text(hooks: Iterable[Hook]) -> str:
    """With a hook for it the record ends with the file that was to be executed."""
    text = _EXEC.replace("PATH", str(PATH_BYTES))
    if not any(map(notes_execution, hooks)):
        return text
    return text.replace("  print((", f"{NOTE_OF_EXEC}  print((").replace("));\n}\n", ", $named));\n}\n")


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


class _Group:
    """Calls of which the same is recorded and asked: they share the gate."""

    __slots__ = ("calls", "early", "gate", "number", "only", "shape")

    def __init__(self, number: int, shape: int, watched: Watched) -> None:
        self.number, self.shape, self.gate, self.only = number, shape, watched.gate, watched.call.only
        self.early = watched.early
        self.calls: list[Watched] = []


def _groups(calls: Iterable[Watched]) -> tuple[list[_Group], list[tuple[Part, ...]]]:
    """The groups, numbered from 1, and the shapes of their records, numbered in the same way."""
    groups: dict[object, _Group] = {}
    shapes: dict[object, tuple[int, tuple[Part, ...]]] = {}
    for watched in calls:
        parts = watched.call.parts
        texts = tuple((part.setup, part.before, part.values) for part in parts)
        shape, _ = shapes.setdefault(texts, (len(shapes) + 1, parts))
        key = (shape, watched.gate, watched.early, watched.call.only)
        groups.setdefault(key, _Group(len(groups) + 1, shape, watched)).calls.append(watched)
    return list(groups.values()), [parts for _, parts in shapes.values()]


def _calls(calls: Sequence[Watched], *, compat: bool = False) -> str:
    """The number leads to a group and to the shape of its record, and says what the parts work on; then the parts get
    what the gate asks for, the group's gate is asked, and the record is made.
    """
    groups, shapes = _groups(calls)
    most = max(len(watched.call.parameters) for watched in calls)
    parameters = " ".join(f"$q{n} = (uint64)0;" for n in range(most))
    registers = " ".join(f"$a{n} = (uint64)args.regs->{name};" for n, name in enumerate(_ARGUMENTS))
    if compat:
        others = " ".join(f"$a{n} = (uint64)(uint32)args.regs->{name};" for n, name in enumerate(REGISTERS))
        registers += f"\n    if ($compat != 0) {{ $ret = (int64)(int32)$ret; {others} }}"
    leaves = _leaves(groups, compat)
    bodies = [
        (number, _with_note(_body(parts, [group for group in groups if group.shape == number]), parts))
        for number, parts in enumerate(shapes, 1)
    ]
    if any(part.noted for parts in shapes for part in parts):
        registers += f"\n    {number_text('args.regs', compat)}"
    return f"""\
rawtracepoint:sys_exit {{
  $nr = (uint64)args.regs->orig_ax; $compat = (uint64)0; $shape = (uint64)0; $group = (uint64)0; $ret = (int64)args.ret;
  {parameters}
{_choice("$nr", leaves, "  ")}\
  if ($shape != 0 && pid != @self) {{
    $task = (struct task_struct *)curtask; $pass = (uint64)0;
    {registers}
{_choice("$shape", bodies, "    ")}\
  }}
}}
"""


_ARGUMENTS = ("di", "si", "dx", "r10", "r8", "r9")


def _leaves(groups: Sequence[_Group], compat: bool) -> list[tuple[int, str]]:
    """For each number that matters what it means: in a 64-bit program, and in a 32-bit one where there are such."""
    known = {
        watched.number: _chosen(group, watched, _ARGUMENTS) for group in groups for watched in group.calls
    }
    if not compat:
        return sorted(known.items())
    by_name = {watched.call.name: (group, watched) for group in groups for watched in group.calls}
    others = {number: _chosen(*by_name[name], REGISTERS) for number, name in compat_numbers(by_name).items()}
    leaves = []
    for number in sorted(known.keys() | others.keys()):
        parts = [f"    if ({IS_COMPAT}) {{\n{others.get(number, '')}    }}"]
        if number in known:
            parts.append(f" else {{\n{known[number]}    }}")
        leaves.append((number, "".join(parts) + "\n"))
    return leaves


def _choice(name: str, cases: Sequence[tuple[int, str]], indent: str) -> str:
    """The text of the case that a variable is equal to, if any: halves until one is left."""
    if len(cases) == 1:
        number, text = cases[0]
        return f"{indent}if ({name} == {number}) {{\n{text}{indent}}}\n"
    middle = len(cases) // 2
    return (
        f"{indent}if ({name} < {cases[middle][0]}) {{\n{_choice(name, cases[:middle], indent + '  ')}"
        f"{indent}}} else {{\n{_choice(name, cases[middle:], indent + '  ')}{indent}}}\n"
    )


def _chosen(group: _Group, watched: Watched, registers: Sequence[str]) -> str:
    """What a call's parts work on is said in terms of the registers."""
    call = watched.call
    text = " ".join(f"$q{n} = (uint64)({one});" for n, one in enumerate(call.parameters))
    narrow = "(uint32)" if registers is REGISTERS else ""
    for n, register in enumerate(registers):
        text = text.replace(f"$a{n}", f"(uint64){narrow}args.regs->{register}")
    if narrow:
        text = f"$compat = 1; $nr = {watched.number}; {text}"
    return f"      $shape = {group.shape}; $group = {group.number}; {text} // {call.name}\n"


def _body(parts: Sequence[Part], groups: Sequence[_Group]) -> str:
    values = ", ".join(
        [
            *("0", "nsecs", "$nr", "(uint64)pid", "(uint64)tid"),
            *(
                "(uint64)$task->group_leader->start_boottime",
                "$ppid",
                "$uid",
                "$gid",
                "$comm",
                "$pcomm",
                "$ret",
            ),
            *("$a0", "$a1", "$a2", "$a3", "$a4", "$a5"),
            *(value for part in parts for value in part.values),
        ]
    )
    setup = "".join(part.setup for part in parts)
    before = "".join(part.before for part in parts)
    recorded = _assigned([name for name in _KNOWN if _mentions(values, name)])
    gates = _choice("$group", [(group.number, _gate(group)) for group in groups], "      ")
    text = f"{setup}{gates}      if ($pass != 0) {{\n{recorded}{before}        print(({values}));\n      }}\n"
    if all(group.early == ALWAYS and not group.only for group in groups):
        return text
    early = [(group.number, _asked(group.early, group.only)) for group in groups]
    return f"{_choice('$group', early, '      ')}      if ($pass != 0) {{ $pass = 0;\n{text}      }}\n"


def _with_note(text: str, parts: Sequence[Part]) -> str:
    """A note is dropped when its call returns, whatever becomes of that."""
    return f"{FIND_NOTE}{text}{DROP_NOTE}" if any(part.noted for part in parts) else text


def _gate(group: _Group) -> str:
    return _asked(group.gate, "")


def _asked(gate: str, only: str) -> str:
    """`$pass` is set where both are true."""
    gate = " && ".join(text for text in (only, "" if gate == ALWAYS else f"({gate})") if text)
    asked = _assigned([name for name in _KNOWN if _mentions(gate, name)])
    return f"{asked}        if ({gate or ALWAYS}) {{ $pass = 1; }}\n"


def _assigned(names: Sequence[str]) -> str:
    return "".join(f"      ${name} = {_KNOWN[name]};\n" for name in names)


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"\${name}\b", text) is not None
