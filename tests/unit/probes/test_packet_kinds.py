"""What targets of packet probes mean, which programs they become, and what is refused, without a kernel."""

import pytest
from checking import bundle_of, findings, type_of
from fake_kernel import FakeKernel

from kernscope.compiler import compile_source
from kernscope.diagnostics import Source
from kernscope.probes import KINDS
from kernscope.probes.listing import fields, matching
from kernscope.probes.packet import context_struct, header_struct
from kernscope.tables.bpf import AttachType, ProgramType
from kernscope.tables.helpers import HELPER_IDS
from kernscope.tables.packets import HEADERS, IP, TCP
from kernscope.types import UINT8, UINT16, UINT32, Array


@pytest.mark.parametrize(
    ("target", "type", "attach_type", "attached"),
    [
        ("netfilter:ipv4:input", 32, 45, ("netfilter:ipv4:input", (2, 1, 0))),
        ("netfilter:ipv6:local_out:-5", 32, 45, ("netfilter:ipv6:output:-5", (10, 3, -5))),
        ("netfilter:ipv4:postrouting:100", 32, 45, ("netfilter:ipv4:postrouting:100", (2, 4, 100))),
        ("xdp:lo", 6, 37, ("xdp:lo", ("lo",))),
        ("tc:eth0:egress", 3, 0, ("tc:eth0:egress", ("eth0", 47))),
        ("cgroup:/a:ingress", 8, 0, ("cgroup:/a:ingress", ("/sys/fs/cgroup/a", 0))),
        ("cgroup:/:sock_create", 9, 2, ("cgroup:/:sock_create", ("/sys/fs/cgroup", 2))),
        ("cgroup:/:connect6", 18, 11, ("cgroup:/:connect6", ("/sys/fs/cgroup", 11))),
        ("cgroup:/:getpeername4", 18, 29, ("cgroup:/:getpeername4", ("/sys/fs/cgroup", 29))),
    ],
)
def test_programs(target: str, type: int, attach_type: int, attached: object) -> None:
    (program,) = bundle_of(f"{target} {{ @ = count(); }}").programs
    assert (program.type, program.expected_attach_type) == (type, attach_type)
    assert [(a.probe, a.target) for a in program.attach] == [attached]


def test_wildcards() -> None:
    names = {a.probe for p in bundle_of("netfilter:*:*put { @ = count(); }").programs for a in p.attach}
    assert names == {f"netfilter:{f}:{h}" for f in ("ipv4", "ipv6") for h in ("input", "output")}
    names = {a.probe for p in bundle_of("tc:*:* { @ = count(); }").programs for a in p.attach}
    assert len(names) == 6 and "tc:veth9:egress" in names
    connects = bundle_of("cgroup:/:connect* { @ = count(); }").programs
    assert [p.type for p in connects] == [ProgramType.CGROUP_SOCK_ADDR] * 2


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("netfilter:ipv4 { }", "bad-target"),
        ("netfilter:ipv4:input:x { }", "bad-target"),
        ("netfilter:ipv4:input:2147483647 { }", "bad-target"),
        ("netfilter:ipv4:input:-2147483648 { }", "bad-target"),
        ("netfilter:arp:input { }", "unknown-probe"),
        ("netfilter:ipv4:nope { }", "unknown-probe"),
        ("xdp { }", "bad-target"),
        ("xdp:lo:ingress { }", "bad-target"),
        ("xdp:nope0 { }", "unknown-probe"),
        ("tc:lo { }", "bad-target"),
        ("tc:lo:sideways { }", "bad-target"),
        ("tc:nope0:ingress { }", "unknown-probe"),
        ("cgroup:/ { }", "bad-target"),
        ("cgroup:/nope:connect4 { }", "unknown-probe"),
        ("cgroup:/:nope { }", "unknown-probe"),
    ],
)
def test_wrong_targets(program: str, code: str) -> None:
    assert [found for found, _ in findings(program)] == [code]


@pytest.mark.parametrize(
    ("target", "feature"), [("netfilter:ipv4:input", "netfilter"), ("tc:lo:ingress", "tcx")]
)
def test_what_a_kernel_does_not_have(target: str, feature: str) -> None:
    kernel = FakeKernel(without=[feature])
    assert [code for code, _ in findings(f"{target} {{ }}", kernel)] == ["not-supported-here"]
    assert matching(f"{target.partition(':')[0]}:*", kernel) == []


def test_an_interface_that_is_down_is_warned_of() -> None:
    bundle = bundle_of("xdp:veth9 { @ = count(); }")
    assert [w.code for w in bundle.warnings] == ["interface-down"]
    assert not bundle_of("xdp:* { @ = count(); }").warnings


def test_listing() -> None:
    kernel = FakeKernel()
    assert matching("xdp:*", kernel) == ["xdp:eth0", "xdp:lo", "xdp:veth9"]
    assert "cgroup:/:connect4" in matching("cgroup:*", kernel)
    assert ("uint16", "user_port") in fields("cgroup:/:connect4", kernel)
    assert ("struct sk_buff *", "skb") in fields("netfilter:ipv4:input", kernel)


# --- headers ----------------------------------------------------------------------------------------------


def test_types_of_members() -> None:
    probe = "netfilter:ipv4:input"
    assert type_of("ip->saddr", probe=probe) == Array(UINT8, 4)
    assert type_of("ip6->saddr", probe=probe) == Array(UINT8, 16)
    assert type_of("tcp->dest", probe=probe) == UINT16
    assert type_of("tcp->seq", probe=probe) == UINT32
    assert type_of("tcp->syn", probe=probe) == UINT8


def test_members_lie_within_their_headers() -> None:
    for header in HEADERS:
        for field in header_struct(header).fields.values():
            assert field.offset + field.type.size <= header.size, (header.name, field.name)


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("begin { print(tcp->dest); }", "not-available-here"),
        ("tracepoint:sched:sched_switch { print(pktlen); }", "not-available-here"),
        ("netfilter:ipv4:input { print(eth->h_proto); }", "not-available-here"),
        ("cgroup:/:connect4 { print(ip->saddr); }", "not-available-here"),
        ("xdp:lo { print(tcp->port); }", "unknown-field"),
        ("xdp:lo { print(*ip); }", "type-mismatch"),
        ("xdp:lo { print(ip[1]); }", "type-mismatch"),
        ("xdp:lo { $x = (struct task_struct *)ip; }", "type-mismatch"),
        ("xdp:lo { $x = &ip->ttl; }", "type-mismatch"),
        ("xdp:lo { print(args.len); }", "unknown-field"),
    ],
)
def test_wrong_uses(program: str, code: str) -> None:
    assert [found for found, _ in findings(program)] == [code]


def test_only_what_is_read_is_looked_for() -> None:
    """A program that reads no header asks nothing of the packet."""
    plain = bundle_of("xdp:lo { @ = count(); }").programs[0]
    reading = bundle_of("xdp:lo /tcp/ { @ = count(); }").programs[0]
    load = HELPER_IDS["xdp_load_bytes"].to_bytes(4, "little")
    assert load not in plain.code and load in reading.code


def test_a_header_in_several_kinds_of_one_action() -> None:
    programs = bundle_of("xdp:lo, tc:lo:egress, cgroup:/:egress /udp/ { @[udp->dest] = count(); }").programs
    assert [p.type for p in programs] == [ProgramType.XDP, ProgramType.SCHED_CLS, ProgramType.CGROUP_SKB]


def test_context_struct() -> None:
    struct = context_struct("x", "a 0 u32, b 4 be16, c 8 bytes4, d 16 u64")
    assert [(f.name, f.offset, f.type.size, f.swapped) for f in struct.fields.values()] == [
        ("a", 0, 4, False),
        ("b", 4, 2, True),
        ("c", 8, 4, False),
        ("d", 16, 8, False),
    ]
    assert struct.size == 24


def test_helpers_that_a_kernel_keeps_from_a_program() -> None:
    kernel = FakeKernel()
    kernel.missing_helpers.add((ProgramType.XDP, HELPER_IDS["get_current_comm"]))
    assert findings("xdp:lo { @[comm] = count(); }", kernel) == [("not-available-here", "comm")]
    assert findings("tc:lo:ingress { @[comm] = count(); }", kernel) == []


def test_kinds_of_packets() -> None:
    assert {k.providers[0] for k in KINDS if k.has_packets} == {"netfilter", "xdp", "tc"}
    assert IP in KINDS[-3].headers and TCP in KINDS[-3].headers
    assert AttachType.TCX_EGRESS == 47


def test_no_process_is_meant_by_p() -> None:
    """Packets belong to no process: `-p` leaves them in."""
    bundle = compile_source(Source("test", "xdp:lo { @ = count(); }"), FakeKernel(), pid=42)
    assert HELPER_IDS["get_current_pid_tgid"].to_bytes(4, "little") not in bundle.programs[0].code
