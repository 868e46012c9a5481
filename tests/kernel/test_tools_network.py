"""Tools for the network against connections whose ports, bytes and ends are known."""

import os
import re
import socket
import time
from pathlib import Path

import pytest
from command_line import needs_tracing
from tool_runs import needs, rows, watch

import kernscope as library

pytestmark = needs_tracing


# --- network ---------------------------------------------------------------------------------------------


class Connection:
    """One connection over the loopback, with what is known of it."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, 0), family=family) as server:
            self.port = server.getsockname()[1]
            with socket.create_connection((host, self.port)) as client:
                self.client_port = client.getsockname()[1]
                accepted, _ = server.accept()
                with accepted:
                    client.sendall(b"x" * 5000)
                    client.shutdown(socket.SHUT_WR)
                    while accepted.recv(65536):
                        pass
                    accepted.sendall(b"y" * 300)
                    time.sleep(0.03)
                client.recv(65536)
        time.sleep(0.05)


def test_tcpconnect_and_tcpaccept() -> None:
    made: list[Connection] = []

    def work() -> None:
        made.append(Connection("127.0.0.1"))
        if socket.has_ipv6 and Path("/proc/net/if_inet6").exists():
            made.append(Connection("::1"))

    done = watch("tcpconnect", work=work)
    mine = rows(done, os.getpid())
    assert [(row[4], row[6], row[7]) for row in mine] == [
        (str(c.client_port), str(c.port), "open") for c in made
    ]
    assert [row[5] for row in mine] == ["127.0.0.1", "::1"][: len(made)]
    made.clear()
    done = watch("tcpaccept", work=work)
    assert [(row[4], row[6]) for row in rows(done, os.getpid())] == [
        (str(c.port), str(c.client_port)) for c in made
    ]


def test_tcplife() -> None:
    needs("sock:inet_sock_set_state")
    made: list[Connection] = []
    done = watch("tcplife", work=lambda: made.append(Connection()))
    port, client = str(made[0].port), str(made[0].client_port)
    mine = sorted(row[4:9] for row in rows(done, os.getpid()) if port in (row[4], row[6]))
    assert mine == sorted(
        [[client, "127.0.0.1", port, "5000", "300"], [port, "127.0.0.1", client, "300", "5000"]]
    )
    assert all(30 <= float(row[9]) < 5000 for row in rows(done, os.getpid()) if port in (row[4], row[6]))


def test_tcptop() -> None:
    needs("sock:sock_send_length")
    made: list[Connection] = []

    def work() -> None:
        made.append(Connection())
        time.sleep(1.3)

    done = watch("tcptop", work=work)
    port, client = made[0].port, made[0].client_port
    found = re.findall(
        rf"^(@\w+)\[{os.getpid()}, .*, (\d+), 127.0.0.1, (\d+)\]: (\d+)$", done.out, re.MULTILINE
    )
    assert sorted(found) == sorted(
        [
            ("@sent", str(client), str(port), "5000"),
            ("@sent", str(port), str(client), "300"),
            ("@received", str(client), str(port), "300"),
            ("@received", str(port), str(client), "5000"),
        ]
    )


def test_tcpdrop() -> None:
    needs("skb:kfree_skb")
    if "reason" not in {name for _, name in library.probe_fields("tracepoint:skb:kfree_skb")}:
        pytest.skip("this kernel does not tell why it drops packets")
    hosts = ["127.0.0.1", "::1"] if Path("/proc/net/if_inet6").exists() else ["127.0.0.1"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    def work() -> None:
        for host in hosts:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((host, port))

    found = [row for row in rows(watch("tcpdrop", work=work)) if row[4] == str(port)]
    assert [row[3] for row in found] == hosts
    assert {row[5] for row in found} == {"SKB_DROP_REASON_NO_SOCKET"}
    assert found[0][6].startswith("tcp_v4_")


def test_tcpconnect_that_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    def work() -> None:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))

    done = watch("tcpconnect", work=work)
    assert [(row[6], row[7]) for row in rows(done, os.getpid())] == [(str(port), "failed")]


def test_tcpstates() -> None:
    made: list[Connection] = []
    done = watch("tcpstates", work=lambda: made.append(Connection()))
    port, client = str(made[0].port), str(made[0].client_port)
    passive = [row[5:7] for row in rows(done) if row[2] == port and row[4] == client]
    active = [row[5:7] for row in rows(done) if row[4] == port and row[2] in ("0", client)]
    assert passive[:3] == [
        ["LISTEN", "SYN_RECV"],
        ["SYN_RECV", "ESTABLISHED"],
        ["ESTABLISHED", "CLOSE_WAIT"],
    ]
    assert active[:4] == [
        ["CLOSE", "SYN_SENT"],
        ["SYN_SENT", "ESTABLISHED"],
        ["ESTABLISHED", "FIN_WAIT1"],
        ["FIN_WAIT1", "FIN_WAIT2"],
    ]


def test_tcpretrans() -> None:
    """A server whose queue is full does not answer, so the client asks again after a second."""
    needs("tcp:tcp_retransmit_skb")
    ports: list[int] = []

    def work() -> None:
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen(0)
            ports.append(server.getsockname()[1])
            clients = [socket.socket() for _ in range(4)]
            for client in clients:
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", ports[0]))
            time.sleep(1.3)
            for client in clients:
                client.close()

    done = watch("tcpretrans", work=work)
    mine = [row for row in rows(done) if row[4] == str(ports[0]) and row[5] == "SYN_SENT"]
    assert 1 <= len(mine) <= 4


def test_tcpreset() -> None:
    needs("tcp:tcp_receive_reset")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    def work() -> None:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))

    done = watch("tcpreset", work=work)
    assert [row[3] for row in rows(done) if row[4] == str(port)] == ["127.0.0.1"]
