"""`netfilter:FAMILY:HOOK[:PRIORITY]`: packets at the hooks of the network stack, where firewalls sit."""

from collections.abc import Sequence

from kernscope.bundle import Attach
from kernscope.diagnostics import error, suggest
from kernscope.tables.bpf import AttachType, ProgramType
from kernscope.tables.helpers import HELPER_IDS
from kernscope.tables.packets import ETHERTYPE_IP, ETHERTYPE_IP6, ICMP, ICMP6, IP, IP6, TCP, UDP
from kernscope.types import Pointer, Struct, StructField

from .base import EventReader, KnownPointer, ProgramShape, Report, Target, has_wildcard, match_names
from .packet import PacketKind, attach_each
from .verdicts import Verdicts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess, KernelFacts
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program
    from kernscope.ssa import Value
    from kernscope.syntax.ast import AttachPoint

    from .packet_headers import HeaderFinder

__all__ = ["NETFILTER"]

FAMILIES = {"ipv4": 2, "ipv6": 10}
"""NFPROTO_* of include/uapi/linux/netfilter.h, those that BPF links take."""

HOOKS = {"prerouting": 0, "input": 1, "forward": 2, "output": 3, "postrouting": 4}
"""NF_INET_* of include/uapi/linux/netfilter.h."""

ALIASES = {
    "local_in": "input",
    "local_out": "output",
    "pre_routing": "prerouting",
    "post_routing": "postrouting",
}

_DROP, _ACCEPT = 0, 1
"""NF_DROP and NF_ACCEPT."""

_CONTEXT = Struct(
    "bpf_nf_ctx",
    16,
    {
        name: StructField(name, Pointer(Struct(f"struct {tag}", 0, {})), offset, type_text=f"struct {tag} *")
        for name, tag, offset in (("state", "nf_hook_state", 0), ("skb", "sk_buff", 8))
    },
)
"""struct bpf_nf_ctx of include/net/netfilter/nf_bpf_link.h."""

_OUTGOING = (HOOKS["output"], HOOKS["postrouting"])

DEFAULT_PRIORITY = 0
"""NF_IP_PRI_FILTER: where the filter tables of iptables and nftables are."""


class _Netfilter(PacketKind):
    providers = ("netfilter",)
    syntax = ("netfilter:FAMILY:HOOK", "netfilter:FAMILY:HOOK:PRIORITY")
    doc = "A packet at a hook of the network stack, for instance `netfilter:ipv4:input`. Verdicts: `accept`, `drop`."
    headers = (IP, IP6, TCP, UDP, ICMP, ICMP6)
    verdicts = Verdicts(_ACCEPT, {"accept": _ACCEPT, "drop": _DROP})

    def expand(self, point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
        if len(point.args) not in (2, 3) or not all(point.args):
            report(
                error(
                    "bad-target",
                    f"`{point.text}` does not name a hook",
                    point.span,
                    help="write `netfilter:ipv4:input`, or with a priority `netfilter:ipv4:input:-100`",
                )
            )
            return []
        family, hook = point.args[0], ALIASES.get(point.args[1], point.args[1])
        for what, name, table in (("family", family, FAMILIES), ("hook", hook, HOOKS)):
            if not match_names(name, list(table)):
                near = suggest(name, table)
                report(
                    error(
                        "unknown-probe",
                        f"there is no {what} `{name}` of netfilter for programs",
                        point.span,
                        notes=f"they are: {', '.join(f'`{n}`' for n in table)}",
                        help=f"did you mean `{near}`?" if near and not has_wildcard(name) else None,
                    )
                )
                return []
        priority = _priority(point.args[2]) if len(point.args) == 3 else DEFAULT_PRIORITY
        if priority is None:
            report(
                error(
                    "bad-target",
                    f"`{point.args[2]}` is no priority",
                    point.span,
                    notes="priorities are numbers of 32 bits without the lowest and the highest; lower ones come first",
                    help="0 is where firewalls filter, -100 before that",
                )
            )
            return []
        if not kernel.has_feature("netfilter"):
            from .missing import not_supported_here

            report(not_supported_here(point, "netfilter"))
            return []
        rest = f":{point.args[2]}" if len(point.args) == 3 else ""
        return [
            Target(self, f"netfilter:{f}:{h}{rest}", (FAMILIES[f], HOOKS[h], priority))
            for f in match_names(family, list(FAMILIES))
            for h in match_names(hook, list(HOOKS))
        ]

    def list_names(self, kernel: "KernelFacts") -> Sequence[str]:
        if not kernel.has_feature("netfilter"):
            return ()
        return [f"netfilter:{family}:{hook}" for family in FAMILIES for hook in HOOKS]

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        return attach_each(targets, ProgramType.NETFILTER, AttachType.NETFILTER)

    def args(self, kernel: "KernelFacts", target: Target) -> Struct:
        return _CONTEXT

    def load_arg(self, reader: EventReader, event: object, field: StructField, target: Target) -> "Value":
        b = reader.builder
        return b.opaque(b.load(8, reader.context, field.offset, pointer_result=True))

    def known_pointer(
        self, reader: EventReader, event: object, field: StructField, target: Target
    ) -> KnownPointer | None:
        from kernscope.btf import Kind

        btf = reader.kernel.btf()
        found = btf.find(Kind.STRUCT, field.type_text.split()[1])
        if found is None:
            return None
        return KnownPointer(
            reader.builder.load(8, reader.context, field.offset, pointer_result=True), btf, found.id
        )

    # --- the context, struct bpf_nf_ctx { const struct nf_hook_state *state; struct sk_buff *skb; } ----------

    def _member(self, reader: EventReader, name: str, size: int) -> "Value":
        """A member of the packet's `struct sk_buff`, which the verifier knows."""
        b = reader.builder
        packet = b.load(8, reader.context, 8, pointer_result=True)
        return b.load(size, packet, reader.kernel.btf().struct_member("sk_buff", name).byte_offset)

    def read_packet(
        self, finder: "HeaderFinder", place: "Value", offset: "Value | int", size: int
    ) -> "Value":
        """From `skb->data` on, which at these hooks is the network header; only what is not in pages of its own."""
        from kernscope.ssa import Cond

        b, reader = finder.b, finder.reader
        status = object()
        at = b.add(self._member(reader, "data", 8), offset)
        here = b.sub(self._member(reader, "len", 4), self._member(reader, "data_len", 4))
        inside, outside, done = b.block("inside"), b.block("outside", likely=False), b.block("read")
        b.branch_cmp(Cond.ULE, b.add(offset, size), here, inside, outside)
        b.seal(inside)
        b.position(inside)
        b.write_var(status, b.call(HELPER_IDS["probe_read_kernel"], place, size, at))
        b.jump(done)
        b.seal(outside)
        b.position(outside)
        b.write_var(status, 1)
        b.jump(done)
        b.seal(done)
        b.position(done)
        return b.read_var(status)

    def network(self, finder: "HeaderFinder") -> "tuple[Value, Value]":
        from kernscope.ssa import Cond

        b = finder.b
        family = self._state(finder.reader, "pf", 1)
        return b.const(0), b.select(b.cmp(Cond.EQ, family, FAMILIES["ipv6"]), ETHERTYPE_IP6, ETHERTYPE_IP)

    def _state(self, reader: EventReader, name: str, size: int) -> "Value":
        b = reader.builder
        state = b.load(8, reader.context, 0, pointer_result=True)
        return b.load(size, state, reader.kernel.btf().struct_member("nf_hook_state", name).byte_offset)

    def packet_length(self, reader: EventReader) -> "Value":
        return self._member(reader, "len", 4)

    def interface(self, reader: EventReader, target: Target) -> "Value":
        """Where it came from, or at hooks of packets that go out, where it goes to."""
        device = self._state(reader, "out" if target.key[1] in _OUTGOING else "in", 8)
        index = reader.kernel.btf().struct_member("net_device", "ifindex").byte_offset
        return reader.read_kernel(reader.builder.add(device, index), 4, False)

    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        family, hook, priority = attach.target
        assert isinstance(family, int) and isinstance(hook, int) and isinstance(priority, int)
        return [kernel.attach_netfilter(program, family, hook, priority, attach.probe)]


def _priority(text: str) -> int | None:
    """The number; the kernel keeps the two at the ends for itself (net/netfilter/nf_bpf_link.c)."""
    digits = text.removeprefix("-")
    number = int(text) if digits.isdecimal() else None
    return number if number is not None and -(1 << 31) < number < (1 << 31) - 1 else None


NETFILTER = _Netfilter()

KINDS = (NETFILTER,)
