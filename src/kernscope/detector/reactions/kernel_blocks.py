"""`deny` and `block`: programs of our own language with verdicts, and maps that say whom they are about.

A program is attached once, when the detector starts, and decides nothing while its map is empty. What is put into the
map has a time at which it ends, so that a detector that hangs does not enforce for ever; the program is gone with the
detector's descriptors, however it ends.
"""

from __future__ import annotations

import socket
import time
from ipaddress import ip_address

from kernscope.detector.reactions.base import Context, Refused, Step, StepKind
from kernscope.detector.reactions.signals import named, target_tree
from kernscope.detector.sinks import settings
from kernscope.detector.sinks.base import Setting
from kernscope.diagnostics import CompileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from kernscope.detector.alert import Alert
    from kernscope.detector.reactions.process_trees import Held
    from kernscope.runtime import Session

__all__ = ["BLOCK", "DENY", "block_text", "deny_text", "peer_of"]

MOST_DENIED = 16_384
MOST_BLOCKED = 16_384
_SECOND = 1_000_000_000
HOOKS = ("bprm_check_security", "file_open", "socket_connect")
"""Starting programs, opening files, connecting."""
_ALL_HOOKS = (
    *HOOKS,
    *("socket_bind", "socket_listen", "socket_sendmsg", "inode_unlink", "inode_rename", "inode_create"),
    *("inode_mkdir", "inode_setattr", "task_kill", "ptrace_access_check", "mmap_file", "bpf", "sb_mount"),
)


def deny_text(hooks: list[str]) -> str:
    """Refuses what processes in `@denied` (pid → end of their time) do; children are born into it."""
    probes = ",\n".join(f"lsm:{hook}" for hook in hooks)
    return f"""\
let @denied = hash({MOST_DENIED});
begin {{ @denied[(uint64)0] = nsecs(monotonic); delete(@denied, (uint64)0); }}
{probes}
/@denied[(uint64)pid] > nsecs(monotonic)/ {{ deny(EPERM); }}
rawtracepoint:sched_process_fork {{
  $parent = (uint64)args.parent->tgid;
  $child = (uint64)args.child->tgid;
  if ($child != $parent && @denied[$parent] > nsecs(monotonic)) {{ @denied[$child] = @denied[$parent]; }}
}}
rawtracepoint:sched_process_exit {{
  if (args.p->tgid == args.p->pid) {{ delete(@denied, (uint64)args.p->tgid); }}
}}
"""


_BLOCK_HEAD = f"""\
let @blocked4 = hash({MOST_BLOCKED});
let @blocked6 = hash({MOST_BLOCKED});
begin {{
  @blocked4[pton("0.0.0.0")] = nsecs(monotonic); delete(@blocked4, pton("0.0.0.0"));
  @blocked6[pton("::")] = nsecs(monotonic); delete(@blocked6, pton("::"));
}}
"""
_WHERE = {
    "netfilter": {
        "in4": "netfilter:ipv4:prerouting:-300",
        "out4": "netfilter:ipv4:output:-300",
        "in6": "netfilter:ipv6:prerouting:-300",
        "out6": "netfilter:ipv6:output:-300",
    },
    "cgroup": {"in": "cgroup:/:ingress", "out": "cgroup:/:egress"},
}


def block_text(by: str) -> str:
    """Drops packets from and to addresses in `@blocked4` and `@blocked6` (address → end of its time)."""
    where = _WHERE[by]
    four, six = "@blocked4[ip.{}] > nsecs(monotonic)", "@blocked6[ip6.{}] > nsecs(monotonic)"
    if by == "cgroup":
        return _BLOCK_HEAD + "".join(
            f"{where[way]} {{ if (ip && {four.format(side)}) {{ drop(); }} "
            f"if (ip6 && {six.format(side)}) {{ drop(); }} }}\n"
            for way, side in (("in", "saddr"), ("out", "daddr"))
        )
    return _BLOCK_HEAD + "".join(
        f"{where[way + family]} {{ if ({test.format(side)}) {{ drop(); }} }}\n"
        for way, side in (("in", "saddr"), ("out", "daddr"))
        for family, test in (("4", four), ("6", six))
    )


class _Program:
    """A program that enforces, and the times that its maps' entries have."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self._ends: dict[tuple[str, int | bytes], float] = {}

    def start(self, context: Context, text: str, name: str) -> None:
        """Raises ValueError where this kernel has no such hooks, and what starting a session raises."""
        if context.run is None:
            raise Refused("programs cannot be run here")
        try:
            session = context.run(text, name=name, settings={"enforce": True}, print_maps=False)
        except CompileError as problem:
            first = problem.diagnostics[0]
            why = "; ".join([first.message, *first.notes])
            raise ValueError(f"`{name}` does not work here: {why}") from None
        try:
            session.start()
        except BaseException:
            session.close()
            raise
        self.session = session

    def put(self, map: str, key: int | bytes, seconds: float) -> None:
        from kernscope.kernel import KernelError

        assert self.session is not None
        end = time.monotonic() + seconds
        try:
            self.session.maps[map].assign(key, int(end * _SECOND))
        except KernelError as problem:
            raise Refused(f"the kernel's list is full: {problem}") from None
        self._ends[map, key] = end

    def remove(self, map: str, key: int | bytes) -> None:
        assert self.session is not None
        self._ends.pop((map, key), None)
        self.session.maps[map].remove(key)

    def forget_old(self) -> int:
        """How many ended."""
        if self.session is None:
            return 0
        self.session.hand_over()
        now = time.monotonic()
        over = [entry for entry, end in self._ends.items() if end <= now]
        for map, key in over:
            self.remove(map, key)
        return len(over)

    def __len__(self) -> int:
        return len(self._ends)

    def close(self) -> None:
        if self.session is not None:
            self.session.close()
            self.session = None


class _Deny:
    def __init__(self, context: Context, values: Mapping[str, object]) -> None:
        self.context = context
        hooks, self.seconds = values["hooks"], float(str(values["ttl"]))
        assert isinstance(hooks, list)
        self.hooks = [str(hook) for hook in hooks]
        self._fresh: list[Held] = []
        self._program = _Program()

    def would(self, alert: Alert) -> str:
        target_tree(alert, self.context).close()
        return f"refuse {', '.join(self.hooks)} to {named(alert)} for {self.seconds:g} s"

    def prepare(self) -> None:
        self._program.start(self.context, deny_text(self.hooks), "deny")

    def act(self, alert: Alert, incident: int) -> str:
        if self._program.session is None:
            self.prepare()
        tree = target_tree(alert, self.context)
        try:
            # Children that are born from now on inherit it; those that were there are looked for until none is new.
            self._program.put("@denied", tree.members[0].pid, self.seconds)
            tree.look()
            for held in tree.members[1:]:
                self._program.put("@denied", held.pid, self.seconds)
        finally:
            self._fresh += tree.members
        return f"refuses {', '.join(self.hooks)} to {named(alert)} for {self.seconds:g} s"

    def tick(self) -> None:
        self._program.forget_old()
        # Who ended just before it was put in has left its pid there, for whoever gets that next.
        for held in self._fresh:
            if held.ended:
                self._program.remove("@denied", held.pid)
            held.close()
        self._fresh.clear()

    def close(self) -> None:
        self._program.close()
        for held in self._fresh:
            held.close()
        self._fresh.clear()


def peer_of(alert: Alert) -> str:
    """The address of the other side. Raises Refused where the alert has none."""
    fields = alert.fields
    accepted = str(fields.get("evt.type", "")).startswith("accept") or fields.get("fd.is_server") is True
    for name in ("fd.rip", *(("fd.cip", "fd.sip") if accepted else ("fd.sip", "fd.cip"))):
        value = fields.get(name)
        if isinstance(value, str) and value:
            try:
                ip_address(value)
            except ValueError:
                continue
            return value
    raise Refused("the alert is about no connection")


class _Block:
    def __init__(self, context: Context, values: Mapping[str, object]) -> None:
        self.context = context
        self.by, self.seconds = str(values["by"]), float(str(values["ttl"]))
        self._program = _Program()

    def _peer(self, alert: Alert) -> str:
        peer = peer_of(alert)
        reason = self.context.protection.of_address(peer)
        if reason:
            raise Refused(f"{peer} must not be blocked: {reason}")
        return peer

    def would(self, alert: Alert) -> str:
        return f"block {self._peer(alert)} for {self.seconds:g} s"

    def prepare(self) -> None:
        self._program.start(self.context, block_text(self.by), "block")

    def act(self, alert: Alert, incident: int) -> str:
        peer = self._peer(alert)
        if self._program.session is None:
            self.prepare()
        address = ip_address(peer)
        mapped = getattr(address, "ipv4_mapped", None)
        if mapped is not None:
            address = mapped
        map, family = (
            ("@blocked4", socket.AF_INET) if address.version == 4 else ("@blocked6", socket.AF_INET6)
        )
        self._program.put(map, socket.inet_pton(family, str(address)), self.seconds)
        return f"blocks {address} for {self.seconds:g} s"

    def tick(self) -> None:
        over = self._program.forget_old()
        if over:
            self.context.tell(f"{over} address{'es are' if over > 1 else ' is'} not blocked any more")

    def close(self) -> None:
        self._program.close()


def _hooks(value: object) -> list[str]:
    found = value if isinstance(value, list) else [value]
    for hook in found:
        if hook not in _ALL_HOOKS:
            raise ValueError(f"are some of {', '.join(_ALL_HOOKS)}, not `{hook}`")
    if not found:
        raise ValueError("are at least one")
    return [str(hook) for hook in found]


def _make_deny(values: Mapping[str, object], context: Context) -> Step:
    return _Deny(context, values)


def _make_block(values: Mapping[str, object], context: Context) -> Step:
    return _Block(context, values)


DENY = StepKind(
    "deny",
    "Refuse what the process and its descendants do, by hooks of the kernel's security modules (BPF LSM).",
    (
        Setting("hooks", "what is refused", _hooks, list(HOOKS)),
        Setting("ttl", "how long", settings.duration_s, 600.0),
    ),
    _make_deny,
    enforces=True,
)
BLOCK = StepKind(
    "block",
    "Drop all packets from and to the other side of the connection that the alert is about.",
    (
        Setting("by", "which hooks drop them", settings.choice(tuple(_WHERE)), "netfilter"),
        Setting("ttl", "how long", settings.duration_s, 3600.0),
    ),
    _make_block,
    enforces=True,
)
