"""Paths as the kernel has found them: its security hooks leave a note for the record of the call that asks them.

A call that names a path reads it once; what the caller's memory holds when the call returns may have been changed by
another thread, or lead elsewhere by then. The hook is given the directory and the name in it that are really worked on.
Hooks are asked in the middle of calls, some by several: a note is made only in a call that a rule is about, says in
which one, and is dropped where that call returns, be it taken or not. What fails before its hook has no note.

Operations of io_uring that work on paths are run by threads of their own, which make no system calls. There the hook's
note is a record by itself.
"""

from __future__ import annotations

from kernscope.detector.watch.calls import WatchedCall
from kernscope.detector.watch.compat import IS_COMPAT, compat_numbers
from kernscope.detector.watch.parts import PATH_BYTES, Named
from kernscope.detector.watch.uring import OPERATIONS, operation_record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Protocol

    class Tools(Protocol):
        """What is used of `kernscope`."""

        @property
        def has_feature(self) -> Callable[[str], bool]: ...

        @property
        def list_probes(self) -> Callable[[str], list[str]]: ...


__all__ = [
    "DROP_NOTE",
    "FIND_NOTE",
    "HOOKS",
    "KIND_NOTED",
    "NOTES",
    "NOTE_OF_EXEC",
    "Hook",
    "hook_text",
    "hooks_here",
    "noted_call",
    "noted_calls",
    "notes_execution",
    "number_text",
    "wanted_hooks",
]

KIND_NOTED = 5
"""The first value of a record that a hook makes."""
_MOST_NOTES = 2048
"""More threads are not between a hook and the end of a call; of more the oldest notes are dropped."""
_COMPAT = 1 << 32
_PF_IO_WORKER = 0x10
"""`task->flags` of threads that run operations of io_uring, linux/sched.h."""

NOTES = f"let @noted = lruhash({_MOST_NOTES});\n"
"""Thread → itself, call, one or two paths.

The thread stands first in it, too: hooks may be preempted, and another thread's run of the same program then overwrites
what this one has made so far; such a note is nobody's.
"""
PLACES = (2, 3)
"""Of the paths in a note."""


class Hook:
    """A hook of the kernel's security modules.

    Attributes:
        calls: the system calls that ask it, of those that are watched.
        paths: key of the raw values (see `parts.Named`) → what the hook knows of it, in the order of the call's paths.
        text: the keys of what is no path that was found, but text as it was given.
        fresh: the dentry of what is to be made. Some file systems do not hash it before, and then it looks as if it was
            deleted; that is not noted.
        type: the event type of the operation of io_uring that asks it, "" for none.
    """

    __slots__ = ("calls", "fresh", "name", "paths", "text", "type")

    def __init__(
        self,
        name: str,
        calls: str,
        paths: Mapping[str, str],
        *,
        text: tuple[str, ...] = (),
        fresh: str = "",
        type: str = "",
    ) -> None:
        self.name, self.calls, self.paths, self.text = name, tuple(calls.split()), paths, text
        self.fresh, self.type = fresh, type


def _path(of: str) -> str:
    return f"path({of}, {PATH_BYTES})"


_IN_DIRECTORY = {"path": _path("args.dir->mnt, args.dentry")}
_OF_PATH = {"path": _path("*args.path")}
HOOKS: tuple[Hook, ...] = (
    Hook("path_unlink", "unlink unlinkat", _IN_DIRECTORY, type="unlinkat"),
    Hook("path_rmdir", "rmdir unlinkat", _IN_DIRECTORY, type="unlinkat"),
    Hook("path_mkdir", "mkdir mkdirat", _IN_DIRECTORY, fresh="args.dentry", type="mkdirat"),
    Hook("path_mknod", "mknod mknodat", _IN_DIRECTORY, fresh="args.dentry"),
    Hook(
        "path_symlink",
        "symlink symlinkat",
        {"source": f"str(args.old_name, {PATH_BYTES})", "target": _IN_DIRECTORY["path"]},
        text=("source",),  # it is resolved when the link is followed
        fresh="args.dentry",
        type="symlinkat",
    ),
    Hook(
        "path_link",
        "link linkat",
        {  # both are in one mount
            "source": _path("args.new_dir->mnt, args.old_dentry"),
            "target": _path("args.new_dir->mnt, args.new_dentry"),
        },
        fresh="args.new_dentry",
        type="linkat",
    ),
    Hook(
        "path_rename",
        "rename renameat renameat2",
        {
            "source": _path("args.old_dir->mnt, args.old_dentry"),
            "target": _path("args.new_dir->mnt, args.new_dentry"),
        },
        fresh="args.new_dentry",
        type="renameat2",
    ),
    Hook("path_truncate", "truncate", _OF_PATH),
    Hook("path_chmod", "chmod fchmodat fchmodat2", _OF_PATH),
    Hook("path_chown", "chown lchown fchownat", _OF_PATH),
    Hook("path_chroot", "chroot", _OF_PATH),
    Hook("sb_mount", "mount", _OF_PATH),
    Hook("sb_umount", "umount2", {"path": _path("args.mnt, args.mnt->mnt_root")}),
    Hook(
        "sb_pivotroot", "pivot_root", {"source": _path("*args.new_path"), "target": _path("*args.old_path")}
    ),
    Hook("move_mount", "move_mount", {"source": _path("*args.from_path"), "target": _path("*args.to_path")}),
    # Asked first of all, and once: a script is the script still, not its interpreter.
    Hook("bprm_creds_for_exec", "execve execveat", {"path": _path("args.bprm->file->f_path")}),
)
"""Hooks that know a file by its mount and name, so that it has a path: those of `inode_…` know no mount.

Arguments: linux/lsm_hook_defs.h.
"""


def hooks_here(tools: Tools) -> frozenset[str]:
    """The names of hooks that programs of this kernel can be put on; none where security modules are no programs."""
    if not tools.has_feature("lsm") or not tools.has_feature("task_pt_regs"):
        return frozenset()
    found = {name.rpartition(":")[2] for name in tools.list_probes("lsm:*")}
    return frozenset(hook.name for hook in HOOKS if hook.name in found)


def noted_calls(hooks: Iterable[str]) -> dict[str, Hook]:
    """Calls of which these hooks tell the paths → one of the hooks; others that a call asks tell the same."""
    names = frozenset(hooks)
    return {call: hook for hook in HOOKS if hook.name in names for call in hook.calls}


def noted_call(call: WatchedCall, hook: Hook) -> WatchedCall:
    """The same system call, with parts that look at its note."""
    places = dict(zip(hook.paths, PLACES))
    parts = tuple(
        part.with_note(places[part.key], text=part.key in hook.text)
        if isinstance(part, Named) and part.key in places
        else part
        for part in call.parts
    )
    return WatchedCall(call.name, call.parameters, parts, call.only)


def wanted_hooks(
    hooks: Iterable[str], calls: Iterable[str], types: Iterable[str], *, uring: bool
) -> list[Hook]:
    """Those of the hooks that are asked in one of the calls, or in an operation of io_uring of these types."""
    names, watched, wanted = frozenset(hooks), frozenset(calls), frozenset(types)
    return [
        hook
        for hook in HOOKS
        if hook.name in names
        and (
            not watched.isdisjoint(hook.calls)
            or (uring and hook.type in wanted)
            or (notes_execution(hook) and not wanted.isdisjoint(hook.calls))
        )
    ]


def notes_execution(hook: Hook) -> bool:
    """Whether what it tells is recorded whichever calls are watched."""
    return "execve" in hook.calls


def number_text(registers: str, compat: bool) -> str:
    """Sets `$number` to the call that the running thread is in, as a note says it."""
    marked = f" if ({IS_COMPAT}) {{ $number |= {_COMPAT}; }}" if compat else ""
    return f"$number = (uint64){registers}->orig_ax;{marked}"


FIND_NOTE = """\
      $noted = (uint64)0;
      if (@noted[(uint64)$task].0 == (uint64)$task && @noted[(uint64)$task].1 == $number) { $noted = 1; }
"""
"""Where a call returns whose parts look at a note."""
DROP_NOTE = "      delete(@noted, (uint64)$task);\n"
NOTE_OF_EXEC = """\
  $named = "";
  if (@noted[(uint64)$task].0 == (uint64)$task) { $named = @noted[(uint64)$task].2; }
  delete(@noted, (uint64)$task);
"""
"""`$named`: what was to be executed, before an interpreter took its place."""


def hook_text(
    hook: Hook, numbers: Mapping[str, int], types: Iterable[str], *, uring: bool, compat: bool
) -> str:
    """The probe on a hook. `numbers`: of the system calls that are watched, by name."""
    note = _note(hook, {name: number for name, number in numbers.items() if name in hook.calls}, compat)
    operation = next((one for one in OPERATIONS if one.type == hook.type), None)
    if uring and operation is not None and hook.type in types:
        values = [value for path in hook.paths.values() for value in ('""', path)]
        record = operation_record(KIND_NOTED, operation, values)
        note = f"    if (($task->flags & {_PF_IO_WORKER}) != 0) {{ {record} }} else {{\n{note}    }}\n"
    hashed = f" && (uint64){hook.fresh}->d_hash.pprev != 0" if hook.fresh else ""
    return (
        f"lsm:{hook.name} {{\n  if (pid != @self{hashed}) {{\n    $task = (struct task_struct *)curtask;\n"
        f"{note}  }}\n}}\n"
    )


def _note(hook: Hook, numbers: Mapping[str, int], compat: bool) -> str:
    """Makes the note, in one of these calls."""
    first, *second = hook.paths.values()
    paths = f"{first}, {second[0]}" if second else f'{first}, ""'
    note = f"@noted[(uint64)$task] = ((uint64)$task, $number, {paths});"
    if not notes_execution(hook):
        if not numbers:
            return ""
        known = sorted(numbers.values())
        if compat:
            known += [_COMPAT + number for number in sorted(compat_numbers(numbers))]
        test = " || ".join(f"$number == {number}" for number in known)
        note = f"if ({test}) {{ {note} }}"
    return f"    {number_text('((struct pt_regs *)userregs)', compat)}\n    {note}\n"
