"""`cgroup:PATH:HOOK`: packets and sockets of the processes in a control group and those below it.

Hooks differ in what their context is and in whether they decide: so there are several kinds behind one provider.
"""

from collections.abc import Sequence

from kernscope.bundle import Attach
from kernscope.diagnostics import error, suggest
from kernscope.tables.bpf import AttachType, ProgramType
from kernscope.tables.helpers import HELPER_IDS
from kernscope.tables.packets import ICMP, ICMP6, IP, IP6, TCP, UDP

from .base import EventReader, ProbeKind, ProgramShape, Report, Target, match_names
from .packet import attach_each, context_struct, load_context
from .socket_buffer import SocketBufferKind
from .verdicts import Verdicts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess, KernelFacts
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program
    from kernscope.ssa import Value
    from kernscope.syntax.ast import AttachPoint
    from kernscope.types import Struct, StructField

__all__ = ["CGROUP", "SERVERS"]

_REFUSE, _ALLOW = 0, 1
"""What a program of a control group returns (kernel/bpf/cgroup.c)."""

_EPERM = 1
"""The error of a refusal unless the program sets another one."""

_DECIDES = Verdicts(_ALLOW, {"allow": _ALLOW, "deny": _REFUSE}, takes_errno=True, of_processes=True)
_ONLY_LOOKS = Verdicts(_ALLOW, {}, of_processes=True)
"""The verifier takes nothing else than 1."""


class _Attaches(ProbeKind):
    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        path, attach_type = attach.target
        assert isinstance(attach_type, int)
        return [kernel.attach_cgroup(program, str(path), attach_type, attach.probe)]


class _Packets(_Attaches, SocketBufferKind):
    providers = ("cgroup_packets",)
    headers = (IP, IP6, TCP, UDP, ICMP, ICMP6)
    verdicts = Verdicts(_ALLOW, {"accept": _ALLOW, "drop": _REFUSE})

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        return attach_each(targets, ProgramType.CGROUP_SKB, _hook_number(targets))

    def args(self, kernel: "KernelFacts", target: Target) -> "Struct":
        return context_struct(
            target.name,
            "len 0 u32, pkt_type 4 u32, mark 8 u32, queue_mapping 12 u32, protocol 16 be16, vlan_present 20 u32, "
            "vlan_tci 24 u32, vlan_proto 28 be16, priority 32 u32, ingress_ifindex 36 u32, ifindex 40 u32, "
            "hash 68 u32, napi_id 84 u32",
        )


class _Sockets(_Attaches):
    """Hooks about a socket, in the process whose it is."""

    limited_helpers = True

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        return attach_each(targets, self.program_type, _hook_number(targets))

    def __init__(self, name: str, program_type: int, verdicts: Verdicts) -> None:
        self.providers, self.program_type, self.verdicts = (name,), program_type, verdicts

    def args(self, kernel: "KernelFacts", target: Target) -> "Struct":
        return context_struct(target.name, _HOOKS[target.name.rpartition(":")[2]].members)

    def load_arg(self, reader: EventReader, event: object, field: "StructField", target: Target) -> "Value":
        return load_context(reader, field)

    def prepare_refusal(self, reader: EventReader, errno: int) -> None:
        if errno != _EPERM:
            reader.builder.call(HELPER_IDS["set_retval"], -errno)


PACKETS = _Packets()
SOCKET = _Sockets("cgroup_socket", ProgramType.CGROUP_SOCK, _DECIDES)
SOCKET_END = _Sockets("cgroup_socket_end", ProgramType.CGROUP_SOCK, _ONLY_LOOKS)
ADDRESS = _Sockets("cgroup_address", ProgramType.CGROUP_SOCK_ADDR, _DECIDES)
ADDRESS_SEEN = _Sockets("cgroup_address_seen", ProgramType.CGROUP_SOCK_ADDR, _ONLY_LOOKS)
SERVERS = (PACKETS, SOCKET, SOCKET_END, ADDRESS, ADDRESS_SEEN)

_SOCKET_MEMBERS = (
    "bound_dev_if 0 u32, family 4 u32, type 8 u32, protocol 12 u32, mark 16 u32, priority 20 u32"
)
"""struct bpf_sock, as far as a socket that is being made has something to say."""
_BOUND4 = "family 4 u32, type 8 u32, protocol 12 u32, src_ip4 24 bytes4, src_port 44 u32"
_BOUND6 = "family 4 u32, type 8 u32, protocol 12 u32, src_ip6 28 bytes16, src_port 44 u32"
_USER4 = (
    "user_family 0 u32, user_ip4 4 bytes4, user_port 24 be16, family 28 u32, type 32 u32, protocol 36 u32"
)
_USER6 = (
    "user_family 0 u32, user_ip6 8 bytes16, user_port 24 be16, family 28 u32, type 32 u32, protocol 36 u32"
)
"""struct bpf_sock_addr."""


class _Hook:
    __slots__ = ("kind", "members", "number")

    def __init__(self, kind: ProbeKind, number: int, members: str) -> None:
        self.kind, self.number, self.members = kind, number, members


_HOOKS = {
    "ingress": _Hook(PACKETS, AttachType.CGROUP_INET_INGRESS, ""),
    "egress": _Hook(PACKETS, AttachType.CGROUP_INET_EGRESS, ""),
    "sock_create": _Hook(SOCKET, AttachType.CGROUP_INET_SOCK_CREATE, _SOCKET_MEMBERS),
    "sock_release": _Hook(SOCKET_END, AttachType.CGROUP_INET_SOCK_RELEASE, _SOCKET_MEMBERS),
    "post_bind4": _Hook(SOCKET, AttachType.CGROUP_INET4_POST_BIND, _BOUND4),
    "post_bind6": _Hook(SOCKET, AttachType.CGROUP_INET6_POST_BIND, _BOUND6),
    "bind4": _Hook(ADDRESS, AttachType.CGROUP_INET4_BIND, _USER4),
    "bind6": _Hook(ADDRESS, AttachType.CGROUP_INET6_BIND, _USER6),
    "connect4": _Hook(ADDRESS, AttachType.CGROUP_INET4_CONNECT, _USER4),
    "connect6": _Hook(ADDRESS, AttachType.CGROUP_INET6_CONNECT, _USER6),
    "sendmsg4": _Hook(ADDRESS, AttachType.CGROUP_UDP4_SENDMSG, f"{_USER4}, msg_src_ip4 40 bytes4"),
    "sendmsg6": _Hook(ADDRESS, AttachType.CGROUP_UDP6_SENDMSG, f"{_USER6}, msg_src_ip6 44 bytes16"),
    "recvmsg4": _Hook(ADDRESS_SEEN, AttachType.CGROUP_UDP4_RECVMSG, _USER4),
    "recvmsg6": _Hook(ADDRESS_SEEN, AttachType.CGROUP_UDP6_RECVMSG, _USER6),
    "getpeername4": _Hook(ADDRESS_SEEN, AttachType.CGROUP_INET4_GETPEERNAME, _USER4),
    "getpeername6": _Hook(ADDRESS_SEEN, AttachType.CGROUP_INET6_GETPEERNAME, _USER6),
    "getsockname4": _Hook(ADDRESS_SEEN, AttachType.CGROUP_INET4_GETSOCKNAME, _USER4),
    "getsockname6": _Hook(ADDRESS_SEEN, AttachType.CGROUP_INET6_GETSOCKNAME, _USER6),
}


def _hook_number(targets: Sequence[Target]) -> int:
    number = targets[0].key[1]
    assert isinstance(number, int)
    return number


class _Cgroup(ProbeKind):
    """Reads the target and hands it to the kind of its hook."""

    providers = ("cgroup",)
    syntax = ("cgroup:PATH:HOOK",)
    doc = (
        "Packets (`ingress`, `egress`) and sockets (`connect4`, `bind6`, `sock_create` …) of a control group. "
        "Verdicts: `accept`, `drop` of packets, `allow`, `deny` of the others."
    )

    def expand(self, point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
        if len(point.args) != 2 or not all(point.args):
            report(
                error(
                    "bad-target",
                    f"`{point.text}` does not name a hook of a control group",
                    point.span,
                    help="write `cgroup:/system.slice:connect4`, for instance; `/` is the root group",
                )
            )
            return []
        path, hook = point.args
        hooks = match_names(hook, list(_HOOKS))
        if not hooks:
            near = suggest(hook, _HOOKS)
            report(
                error(
                    "unknown-probe",
                    f"control groups have no hook `{hook}`",
                    point.span,
                    notes=f"they have: {', '.join(f'`{name}`' for name in _HOOKS)}",
                    help=f"did you mean `{near}`?" if near else None,
                )
            )
            return []
        folder = kernel.cgroup_folder(path)
        if folder is None:
            report(
                error(
                    "unknown-probe",
                    f"there is no control group `{path}`",
                    point.span,
                    notes="groups are folders of the file system cgroup2; a path may begin where that is mounted",
                )
            )
            return []
        return [
            Target(_HOOKS[name].kind, f"cgroup:{path}:{name}", (folder, _HOOKS[name].number))
            for name in hooks
        ]

    def describe(self, kernel: "KernelFacts", name: str) -> list[tuple[str, str]]:
        hook = _HOOKS.get(name.rpartition(":")[2])
        args = hook.kind.args(kernel, Target(hook.kind, name)) if hook is not None else None
        return [(field.type_text, field.name) for field in args.fields.values()] if args is not None else []

    def list_names(self, kernel: "KernelFacts") -> Sequence[str]:
        return [f"cgroup:/:{name}" for name in _HOOKS]


CGROUP = _Cgroup()

KINDS: tuple[ProbeKind, ...] = (CGROUP,)
