"""Packet probes on the running kernel: exact counts, headers of packets put together by hand, errors, detaching."""

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Tracer, eventually, kernscope, needs_tracing
from private_network import Receiver, frame, ipv4, ipv6, own_network, send_frame, set_up, udp

import kernscope as ks
from kernscope.kernel import Kernel
from kernscope.tables.packets import ETH, HEADERS, ICMP, ICMP6, IP, IP6, TCP, UDP

pytestmark = needs_tracing

ENFORCE = {"enforce": True}
KERNEL = Kernel()

KINDS = [
    pytest.param(
        target,
        marks=pytest.mark.skipif(
            bool(feature) and not KERNEL.has_feature(feature), reason=f"no {feature} here"
        ),
    )
    for target, feature in (
        ("netfilter:ipv4:input", "netfilter"),
        ("xdp:lo", "xdp"),
        ("tc:lo:ingress", "tcx"),
        ("tc:lo:egress", "tcx"),
        ("cgroup:/:ingress", ""),
        ("cgroup:/:egress", ""),
    )
]
FRAMES = [
    pytest.param(
        target,
        marks=pytest.mark.skipif(not KERNEL.has_feature(feature), reason=f"no {feature} here"),
    )
    for target, feature in (("xdp:lo", "xdp"), ("tc:lo:ingress", "tcx"), ("tc:lo:egress", "tcx"))
]


@pytest.fixture(autouse=True)
def network(request: pytest.FixtureRequest) -> Iterator[None]:
    if "cgroup" in request.node.name and KERNEL.cgroup_folder("/") is None:
        pytest.skip("no control groups of version 2 here")
    with own_network():
        yield


# --- counting and deciding --------------------------------------------------------------------------------


@pytest.mark.parametrize("target", KINDS)
def test_exact_counts(target: str) -> None:
    with Receiver() as receiver:
        port = receiver.port
        with ks.run(f"{target} /udp->dest == {port}/ {{ @n = count(); @bytes = sum(udp->len); }}") as session:
            receiver.send(100, b"12345")
            assert receiver.take(100) == 100
            assert eventually(lambda: session.maps["@n"].value == 100)
            assert session.maps["@bytes"].value == 100 * (8 + 5)
        receiver.send(3)
        assert receiver.take(3) == 3
    assert session.maps["@n"].value == 100


@pytest.mark.parametrize("target", KINDS)
def test_dropping(target: str) -> None:
    with Receiver() as receiver:
        program = f"{target} {{ if (udp && udp->dest == {receiver.port}) {{ @n = count(); drop(); }} }}"
        with ks.run(program, settings=ENFORCE) as session:
            receiver.send(20)
            assert eventually(lambda: session.maps["@n"].value == 20)
            assert receiver.is_empty()
        receiver.send(1)
        assert receiver.take(1) == 1
        with ks.run(program, dry_run=True) as session:
            receiver.send(20)
            assert receiver.take(20) == 20


@pytest.mark.parametrize("target", KINDS)
def test_a_verdict_in_a_loop_of_a_function_ends_the_action(target: str) -> None:
    """Both in the function and in the loop over a map around its call."""
    with Receiver() as receiver:
        program = (
            f"begin {{ @ports[{receiver.port}] = 1; }} "
            "fn refuse($port : uint16) : void "
            "{ for ($kv : @ports) { if ($kv.0 == $port) { drop(); @never = count(); } } @missed[$port] = count(); } "
            f"{target} /udp/ {{ @n[udp->dest] = count(); refuse(udp->dest); @after[udp->dest] = count(); }} "
            f"{target} /udp/ {{ for ($kv : @ports) {{ refuse(udp->dest); @inside[udp->dest] = count(); }} "
            "@behind[udp->dest] = count(); }"
        )
        with ks.run(program, settings=ENFORCE) as session:
            receiver.send(20)
            assert eventually(lambda: session.maps["@n"].get(receiver.port, 0) == 20)
            assert receiver.is_empty()
            for name in ("@missed", "@after", "@inside", "@behind"):
                assert receiver.port not in session.maps[name]
            assert not session.maps["@never"].value


@pytest.mark.parametrize("target", KINDS)
def test_killed_it_leaves_nothing_behind(target: str) -> None:
    with Receiver() as receiver:
        program = f"{target} /udp->dest == {receiver.port}/ {{ drop(); }}"
        with Tracer("--enforce", "-e", program) as tracer:
            receiver.send(5)
            assert receiver.take(5, 0.2) == 0
            tracer.process.send_signal(signal.SIGKILL)
            tracer.process.wait()
            assert eventually(lambda: receiver.send() or receiver.take(1, 0.2) == 1)


@pytest.mark.parametrize("target", KINDS)
def test_addresses_lengths_and_interfaces(target: str) -> None:
    program = (
        f"{target} /udp->dest == PORT/ {{ @[ntop(ip->saddr), ntop(ip->daddr), ip->protocol, ip->tot_len, pktlen, "
        "ifname, ifindex] = count(); }"
    )
    with Receiver() as receiver, ks.run(program.replace("PORT", str(receiver.port))) as session:
        receiver.send(2, b"hello")
        assert receiver.take(2) == 2
        assert eventually(lambda: sum(session.maps["@"].snapshot().values()) == 2)
        with_frame = 14 if target.startswith(("xdp", "tc")) else 0
        assert session.maps["@"].snapshot() == {
            ("127.0.0.1", "127.0.0.1", 17, 33, 33 + with_frame, "lo", socket.if_nametoindex("lo")): 2
        }


def test_ipv6_by_netfilter() -> None:
    if not KERNEL.has_feature("netfilter"):
        pytest.skip("no BPF netfilter links (Linux 6.4)")
    with Receiver(socket.AF_INET6) as receiver:
        program = (
            f"netfilter:ipv6:output /udp->dest == {receiver.port}/ "
            '{ if (ip6->saddr == pton("::1") && !ip) { @[ip6->nexthdr, ip6->payload_len] = count(); } }'
        )
        with ks.run(program) as session:
            receiver.send(3, b"1234")
            assert receiver.take(3) == 3
            assert session.maps["@"].snapshot() == {(17, 12): 3}


# --- headers ----------------------------------------------------------------------------------------------


def seen_in(target: str, content: bytes, what: str) -> object:
    """The value of an expression in the one frame that comes from the address 02:…:01."""
    program = (
        f"{target} {{ if (eth->h_source[5] == 1 && eth->h_source[0] == 2) {{ @ = {what}; @n = count(); }} }}"
    )
    with ks.run(program) as session:
        send_frame(content)
        assert eventually(lambda: session.maps["@n"].value == 1)
        return session.maps["@"].value


PACKETS = [
    ("plain", frame(0x0800, ipv4(udp(100))), 100),
    ("with options", frame(0x0800, ipv4(udp(101), options=b"\1" * 8)), 101),
    ("a later fragment", frame(0x0800, ipv4(udp(102), fragment=5)), 0),
    ("the first fragment", frame(0x0800, ipv4(udp(103), fragment=0x2000)), 103),
    ("a tag", frame(0x0800, ipv4(udp(104)), b"\x81\0\0\x07"), 104),
    ("two tags", frame(0x0800, ipv4(udp(105)), b"\x88\xa8\0\x07\x81\0\0\x08"), 105),
    ("v6", frame(0x86DD, ipv6(udp(106))), 106),
    ("hop-by-hop options", frame(0x86DD, ipv6(b"\x11\1" + bytes(14) + udp(107), 0)), 107),
    ("a first fragment", frame(0x86DD, ipv6(b"\x11\0\0\1\0\0\0\1" + udp(108), 44)), 108),
    ("a later one", frame(0x86DD, ipv6(b"\x11\0\0\x08\0\0\0\1" + udp(109), 44)), 0),
    ("authenticated", frame(0x86DD, ipv6(b"\x11\4" + bytes(22) + udp(110), 51)), 110),
    (
        "four extensions",
        frame(
            0x86DD,
            ipv6(b"\x3c\0" + bytes(6) + (b"\x3c\0" + bytes(6)) * 2 + b"\x11\0" + bytes(6) + udp(111), 0),
        ),
        111,
    ),
    ("cut in the header", frame(0x0800, ipv4(udp(112)[:6])), 0),
    ("no IP", frame(0x0806, bytes(40)), 0),
]


@pytest.mark.parametrize("target", FRAMES)
@pytest.mark.parametrize(("content", "port"), [p[1:] for p in PACKETS], ids=[p[0] for p in PACKETS])
def test_where_the_transport_header_is(target: str, content: bytes, port: int) -> None:
    assert seen_in(target, content, "(udp->dest, udp != 0)") == (port, port != 0)


@pytest.mark.parametrize("target", FRAMES)
def test_members_of_headers(target: str) -> None:
    head = struct.pack(">HHIIBBHHH", 5, 443, 0x01020304, 0x05060708, 0x50, 0x12, 500, 0xABCD, 9)
    members = (
        "(tcp->source, tcp->dest, tcp->seq, tcp->ack_seq, tcp->doff, tcp->syn, tcp->ack, tcp->fin, tcp->rst, "
        "tcp->window, tcp->check, tcp->urg_ptr)"
    )
    expected = (5, 443, 0x01020304, 0x05060708, 5, 1, 1, 0, 0, 500, 0xABCD, 9)
    assert seen_in(target, frame(0x0800, ipv4(head, 6)), members) == expected
    ip = "(ip->version, ip->ihl, ip->tot_len, ip->id, ip->frag_off, ip->ttl, ip->protocol, ntop(ip->daddr))"
    assert seen_in(target, frame(0x0800, ipv4(head, 6, options=b"\1" * 4)), ip) == (
        *(4, 6, 44, 77, 0, 64, 6),
        "10.0.0.2",
    )
    ip6 = "(ip6->version, ip6->priority, ip6->flow_lbl, ip6->payload_len, ip6->hop_limit, ntop(ip6->daddr))"
    assert seen_in(target, frame(0x86DD, ipv6(udp(1))), ip6) == (6, 0xAB, 0x12345, 11, 63, "fd00::2")
    echo = struct.pack(">BBHHH", 8, 0, 0x1111, 7, 9)
    icmp = "(icmp->type, icmp->checksum, icmp->id, icmp->sequence, icmp6 != 0)"
    assert seen_in(target, frame(0x0800, ipv4(echo, 1)), icmp) == (8, 0x1111, 7, 9, False)
    assert seen_in(target, frame(0x86DD, ipv6(echo, 58)), "(icmp6->type, icmp != 0)") == (8, False)
    assert seen_in(target, frame(0x0806, bytes(40)), "(eth->h_proto, ip != 0, ip->ttl)") == (0x0806, False, 0)


STRUCTS = {
    ETH: "ethhdr",
    IP: "iphdr",
    IP6: "ipv6hdr",
    TCP: "tcphdr",
    UDP: "udphdr",
    ICMP: "icmphdr",
    ICMP6: "icmp6hdr",
}
NAMED_OTHERWISE = {
    (IP6, "flow_lbl"): None,  # three bytes there, the low 20 bits of a number here
    (IP6, "priority"): None,  # the upper half of it there
    (ICMP, "id"): "un.echo.id",
    (ICMP, "sequence"): "un.echo.sequence",
    **{(ICMP6, name): None for name in ("type", "code", "checksum", "id", "sequence")},  # prefixed, in unions
}


@pytest.mark.parametrize("header", HEADERS, ids=[h.name for h in HEADERS])
def test_headers_are_laid_out_as_the_kernels_structs(header: object) -> None:
    btf = KERNEL.btf()
    compared = 0
    for member in header.members:  # type: ignore[attr-defined]
        path = NAMED_OTHERWISE.get((header, member.name), member.name)  # type: ignore[call-overload]
        if path is None:
            continue
        found = btf.struct_member(STRUCTS[header], path)  # type: ignore[index]
        if member.bits is None:
            assert found.byte_offset == member.offset, member.name
            assert btf.size_of(found.type_id) == member.size * max(member.count, 1), member.name
        compared += 1
    assert compared or header is ICMP6


ACTIONS = [
    "@[1] = 1; for ($kv : @) { @n[udp->dest, $kv.0] = count(); if (tcp) { drop(); } }",
    "for ($i : 0..5) { @n[udp->dest] = sum($i); if ($i == 3 && udp) { drop(); } }",
    "$i = 0; while ($i < 10) { $i++; if (ip->ttl == $i) { drop(); break; } } @ = $i;",
    "$t = tcp; if ($t && $t->syn) { @[$t->dest] = nsecs; } else { @h = hist(nsecs - @[tcp->source]); }",
    "$a = ip->saddr; @[$a[0], ip6->saddr[15], $a == ip->daddr, ip6->saddr == ip6->daddr] = count();",
    "@ = tcp ? tcp->dest : udp->dest; @n = !ip; @t = (ip->ttl, (tcp->seq, udp->len)); exit();",
    'printf("%s %s %d %s %s\\n", ntop(ip->saddr), ntop(ip6->daddr), tcp->dest, ifname, strftime("%H", nsecs));',
    "@h = hist(pktlen); @l = lhist(tcp->dest, 0, 65536, 1024); @m = max(ip->ttl); @a = avg(udp->len);",
]


@pytest.mark.parametrize("target", KINDS)
def test_the_verifier_accepts_what_the_compiler_does(target: str) -> None:
    kind = (
        "eth ip ip6 tcp udp icmp icmp6" if target.startswith(("xdp", "tc")) else "ip ip6 tcp udp icmp icmp6"
    )
    everything = [
        f"@{header.name}_{member.name} = {header.name}->{member.name};"
        for header in HEADERS
        if header.name in kind.split()
        for member in header.members
    ]
    for action in (*ACTIONS, " ".join(everything)):
        ks.run(f"{target} {{ {action} }}", settings=ENFORCE).rehearse()


# --- the contexts -----------------------------------------------------------------------------------------


def test_args_of_interfaces() -> None:
    index = socket.if_nametoindex("lo")
    with Receiver() as receiver:
        port = receiver.port
        program = (
            f"xdp:lo /udp->dest == {port}/ {{ @x[args.ingress_ifindex, args.rx_queue_index] = count(); }}"
        )
        if KERNEL.has_feature("tcx"):
            members = "args.len, args.protocol, args.ifindex"
            program += f" tc:lo:ingress /udp->dest == {port}/ {{ @t[{members}] = count(); }}"
        with ks.run(program) as session:
            receiver.send(3, b"123")
            assert receiver.take(3) == 3
            assert session.maps["@x"].snapshot() == {(index, 0): 3}
            if KERNEL.has_feature("tcx"):
                assert session.maps["@t"].snapshot() == {(14 + 31, 0x0800, index): 3}


def test_args_of_netfilter_are_the_kernels_structs() -> None:
    if not KERNEL.has_feature("netfilter"):
        pytest.skip("no BPF netfilter links (Linux 6.4)")
    with Receiver() as receiver:
        program = (
            f"netfilter:ipv4:output /udp->dest == {receiver.port}/ "
            "{ @[args.skb->len, args.state->hook, str(args.state->out->name)] = count(); }"
        )
        with ks.run(program) as session:
            receiver.send(2, b"123")
            assert receiver.take(2) == 2
            assert session.maps["@"].snapshot() == {(31, 3, "lo"): 2}


SOCKETS = """
import socket, sys
port = int(sys.argv[1])
for _ in range(4):
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", port))
    made.sendto(b"x", ("127.0.0.1", port + 1))
    made.close()
    try:
        socket.create_connection(("127.0.0.1", port + 2))
    except OSError:
        pass
"""


def test_sockets_of_a_control_group() -> None:
    folder = KERNEL.cgroup_folder("/")
    if folder is None:
        pytest.skip("no control groups of version 2 here")
    group = os.path.join(folder, f"kernscope-test-{os.getpid()}")
    os.mkdir(group)
    try:
        name, port = f"cgroup:/{os.path.basename(group)}", 61_300
        program = f"""
            {name}:sock_create {{ @made[args.family, args.type, args.protocol] = count(); }}
            {name}:bind4 {{ @bound[ntop(args.user_ip4), args.user_port] = count(); }}
            {name}:post_bind4 {{ @after[ntop(args.src_ip4), args.src_port] = count(); }}
            {name}:sendmsg4 {{ @sent[ntop(args.user_ip4), args.user_port] = count(); }}
            {name}:connect4 {{ @connected[comm, args.user_port, args.protocol] = count(); }}
            {name}:sock_release {{ @closed = count(); }}"""
        enter = f'echo $$ > {group}/cgroup.procs && exec "$@"'
        with ks.run(program) as session:
            command = ["sh", "-c", enter, "sh", sys.executable, "-c", SOCKETS, str(port)]
            subprocess.run(command, check=True, timeout=60)
            assert session.maps["@made"].snapshot() == {(2, 2, 17): 4, (2, 1, 6): 4}
            assert session.maps["@bound"].snapshot() == {("127.0.0.1", port): 4}
            assert session.maps["@after"].snapshot() == {("127.0.0.1", port): 4}
            assert session.maps["@sent"].snapshot() == {("127.0.0.1", port + 1): 4}
            (key,) = session.maps["@connected"].snapshot()
            assert key[1:] == (port + 2, 6) and session.maps["@connected"].snapshot()[key] == 4
            assert eventually(lambda: session.maps["@closed"].value == 8)
    finally:
        eventually(lambda: not Path(group, "cgroup.procs").read_text())
        os.rmdir(group)


# --- refusals in processes --------------------------------------------------------------------------------

CONNECT = """
import errno, socket, sys
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])))
except OSError as error:
    print(errno.errorcode[error.errno])
"""


def other_process(port: int) -> str:
    """The error that another process gets which connects to a port where nobody listens."""
    done = subprocess.run(
        [sys.executable, "-c", CONNECT, str(port)], capture_output=True, text=True, timeout=60
    )
    return done.stdout.strip()


def test_the_tracers_own_process_is_never_refused() -> None:
    if KERNEL.cgroup_folder("/") is None:
        pytest.skip("no control groups of version 2 here")
    port = 61_234
    program = f"cgroup:/:connect4 /args.user_port == {port}/ {{ @[pid] = count(); deny(EHOSTDOWN); }}"
    with ks.run(program, settings=ENFORCE) as session:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        assert other_process(port) == "EHOSTDOWN"
        assert session.maps["@"].snapshot()[os.getpid()] == 1
    assert other_process(port) == "ECONNREFUSED"
    with ks.run(program, dry_run=True) as session:
        assert other_process(port) == "ECONNREFUSED"


# --- what goes wrong --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("xdp:nope0", ("no network interface here is called `nope0`", "the interfaces are: `lo`")),
        ("xdp:l0", ("did you mean `lo`?",)),
        ("netfilter:arp:input", ("there is no family `arp`", "`ipv4`, `ipv6`")),
        ("netfilter:ipv4:inptu", ("did you mean `input`?",)),
        ("netfilter:ipv4:input:x", ("`x` is no priority",)),
        ("cgroup:/no/such/group:egress", ("there is no control group `/no/such/group`",)),
        ("cgroup:/:conect4", ("did you mean `connect4`?",)),
    ],
)
def test_targets_that_are_not_there(target: str, parts: tuple[str, ...]) -> None:
    done = kernscope("run", "-e", f"{target} {{ @ = count(); }}")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert all(part in done.stderr for part in parts), done.stderr


def test_an_interface_that_is_down() -> None:
    with own_network(up=False), Tracer("-e", "xdp:lo { @ = count(); }") as tracer:
        assert "warning[interface-down]: the network interface `lo` is down" in tracer.err
        set_up("lo")
        with Receiver() as receiver:
            receiver.send(5)
            assert receiver.take(5) == 5
        assert tracer.stop().code == 0


def test_an_interface_that_is_taken() -> None:
    with ks.run("xdp:lo { @ = count(); }"):
        done = kernscope("run", "-e", "xdp:lo { @ = count(); }")
    assert done.returncode == 3 and "room for one only" in done.stderr


def test_without_tcx() -> None:
    if KERNEL.has_feature("tcx"):
        pytest.skip("this kernel has tcx")
    done = kernscope("run", "-e", "tc:lo:ingress { @ = count(); }")
    assert done.returncode == 1 and "Linux 6.6" in done.stderr and "xdp:DEVICE" in done.stderr


def test_without_netfilter_links() -> None:
    if KERNEL.has_feature("netfilter"):
        pytest.skip("this kernel has netfilter links")
    done = kernscope("run", "-e", "netfilter:ipv4:input { @ = count(); }")
    assert done.returncode == 1 and "Linux 6.4" in done.stderr


def test_helpers_that_the_kernel_keeps_from_packet_programs() -> None:
    done = kernscope("run", "-e", "xdp:lo { @[kstack] = count(); }")
    assert done.returncode == 1 and "`kstack` is not possible in `xdp:lo`" in done.stderr


def test_listing() -> None:
    done = kernscope("run", "-l", "xdp:*")
    assert done.stdout == "xdp:lo\n"
    assert "ingress_ifindex" in kernscope("run", "-lv", "xdp:lo").stdout
    hooks = kernscope("run", "-l", "cgroup:*").stdout.splitlines()
    assert "cgroup:/:connect4" in hooks and "cgroup:/:ingress" in hooks
