"""Operations that go through io_uring instead of a system call: seen where they are submitted.

What was prepared then lies in the kernel's memory, so paths are what the kernel will use. The result is not known yet:
an event of an operation is an attempt, with the type of the system call that does the same and the result 0.
Numbers of operations: linux/io_uring.h; structures: io_uring/openclose.c, fs.c, net.c, by the kernel's own types.
"""

from __future__ import annotations

from kernscope.detector.watch.parts import PATH_BYTES, Address, join_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "KIND_URING",
    "OPERATIONS",
    "Operation",
    "RecentPaths",
    "decode_operation",
    "operation_record",
    "uring_text",
]

KIND_URING = 4
_HEAD = 11
"""Values of a record before those of the operation."""


class Operation:
    """An operation: the event type it gives, and what its structure has.

    `paths` are (directory's member or "", path's member, key of the raw values).
    """

    __slots__ = ("flags", "number", "paths", "structure", "type")

    def __init__(
        self, number: int, type: str, structure: str, paths: Sequence[tuple[str, str, str]], flags: str = ""
    ) -> None:
        self.number, self.type, self.structure, self.paths, self.flags = number, type, structure, paths, flags


_TWO = (("old_dfd", "oldpath", "source"), ("new_dfd", "newpath", "target"))
OPERATIONS: tuple[Operation, ...] = (
    Operation(16, "connect", "io_connect", ()),
    Operation(18, "openat", "io_open", (("dfd", "filename", "path"),), "how.flags"),
    Operation(28, "openat2", "io_open", (("dfd", "filename", "path"),), "how.flags"),
    Operation(35, "renameat2", "io_rename", _TWO),
    Operation(36, "unlinkat", "io_unlink", (("dfd", "filename", "path"),)),
    Operation(37, "mkdirat", "io_mkdir", (("dfd", "filename", "path"),)),
    Operation(38, "symlinkat", "io_link", (("", "oldpath", "source"), ("new_dfd", "newpath", "target"))),
    Operation(39, "linkat", "io_link", _TWO),
)


def uring_text(types: Iterable[str]) -> str:
    """The probe for the operations that give one of these event types; "" where none does."""
    wanted = set(types)
    branches = [_branch(operation) for operation in OPERATIONS if operation.type in wanted]
    if not branches:
        return ""
    return (
        "rawtracepoint:io_uring_submit_req {\n"
        "  if (pid != @self) {\n    $op = (uint64)args.req->opcode; $task = (struct task_struct *)curtask;\n"
        + "".join(branches)
        + "  }\n}\n"
    )


def _branch(operation: Operation) -> str:
    request = f"((struct {operation.structure} *)args.req)"
    setup, values = "", []
    for n, (directory, path, _) in enumerate(operation.paths):
        base, raw = f"$base{n}", f"$raw{n}"
        setup += f'      {raw} = str({request}->{path}->name, {PATH_BYTES}); {base} = "";\n'
        if directory:
            setup += f"""\
      if (strncmp({raw}, "/", 1) != 0) {{
        $dir = (int32){request}->{directory};
        if ($dir == -100) {{ {base} = path($task->fs->pwd, {PATH_BYTES}); }}
        else if ($dir >= 0 && $dir < $task->files->fdt->max_fds) {{
          {base} = path($task->files->fdt->fd[$dir]->f_path, {PATH_BYTES});
        }}
      }}
"""
        values += [base, raw]
    if operation.flags:
        values.append(f"(uint64){request}->{operation.flags}")
    if operation.type == "connect":
        # The file is found when the operation runs; until then there is the descriptor.
        setup += (
            "      $sock = ((struct socket *)$task->files->fdt->fd[args.req->cqe.fd]->private_data)->sk;\n"
        )
        values.append(f"buf(uptr((uint64){request}->addr), (uint64){request}->addr_len & 127)")
        values += ["(uint64)$sock->sk_protocol", "(uint64)$sock->sk_type"]
    return (
        f"    if ($op == {operation.number}) {{ // {operation.type}\n{setup}"
        f"      {operation_record(KIND_URING, operation, values)}\n    }}\n"
    )


def operation_record(kind: int, operation: Operation, values: Sequence[str]) -> str:
    """The statement that makes the record of an operation of `$task`, the running one."""
    header = (
        f"{kind}, nsecs, {operation.number}, (uint64)pid, (uint64)tid, "
        "(uint64)$task->group_leader->start_boottime, (uint64)$task->real_parent->tgid, (uint64)uid, (uint64)gid, "
        "$task->group_leader->comm, $task->real_parent->group_leader->comm"
    )
    return f"print(({', '.join([header, *values])}));"


class RecentPaths:
    """What processes asked for lately: many operations, of which some may never have come to their work."""

    def __init__(self) -> None:
        self._asked: dict[tuple[object, ...], None] = {}

    @staticmethod
    def _key(pid: int, type: str, raw: Mapping[str, object]) -> tuple[object, ...]:
        return pid, type, raw.get("path"), raw.get("source"), raw.get("target")

    def add(self, pid: int, type: str, raw: Mapping[str, object]) -> None:
        """Remember an operation that was submitted."""
        if len(self._asked) >= _MOST_RECENT:
            del self._asked[next(iter(self._asked))]
        self._asked[self._key(pid, type, raw)] = None

    def has(self, pid: int, type: str, raw: Mapping[str, object]) -> bool:
        """Whether the process has asked for the same, with the same paths."""
        return self._key(pid, type, raw) in self._asked


_MOST_RECENT = 1024


def decode_operation(record: Sequence[object], raw: dict[str, object]) -> str | None:
    """Put what a record of an operation says into `raw`; its event type, None for an unknown operation."""
    operation = next((one for one in OPERATIONS if one.number == record[2]), None)
    if operation is None:
        return None
    place = _HEAD
    for _, _, key in operation.paths:
        base, path = str(record[place]), str(record[place + 1])
        raw[f"{key}_raw"] = path
        # The target of a symbolic link is text: it is resolved when it is followed.
        raw[key] = join_path(base, path) or path
        place += 2
    if operation.flags:
        raw["flags"] = record[place]
    if operation.type == "connect":
        Address("0", "0").decode(record[place : place + 1], raw)
        raw["protocol"], raw["socket_type"] = record[place + 1 : place + 3]
    raw["uring"] = True
    return operation.type
