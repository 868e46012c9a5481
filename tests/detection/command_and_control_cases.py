from made_events import Event, call, opened, started, times
from rule_cases import Cases

__all__ = ["CASES"]

_OUT = {
    "fd.type": "ipv4",
    "fd.l4proto": "tcp",
    "fd.sip": "203.0.113.9",
    "fd.sport": 443,
    "fd.name": "10.0.0.2:4000->203.0.113.9:443",
}
_DNS = _OUT | {"fd.l4proto": "udp", "fd.sport": 53}

_RAW: Event = {"evt.arg.domain": "AF_INET", "evt.arg.type": "SOCK_RAW|SOCK_CLOEXEC"}

CASES: Cases = {
    "Connection of a hidden program": (
        [
            call("connect", "x", event=_OUT, exe="/dev/shm/x"),
            call("connect", "x", event=_OUT, exe="/tmp/.x/x"),
            call("connect", "x", event=_OUT, exe="/memfd:x (deleted)"),
        ],
        [call("connect", "curl x", event=_OUT), call("connect", "x", event=_OUT, exe="/home/ann/x")],
    ),
    "Service of a hidden program": (
        [call("listen", "x", event=_OUT, exe="/dev/shm/x")],
        [
            call("listen", "nginx", event=_OUT, exe="/usr/sbin/nginx"),
            call("listen", "x", event={"fd.type": "unix"}, exe="/dev/shm/x"),
        ],
    ),
    "Shell makes a network connection": (
        [call("connect", "bash -c x", event=_OUT)],
        [
            call("connect", "bash -c x", event=_OUT | {"fd.sip": "127.0.0.1", "fd.sport": 5432}),
            call("connect", "bash", event={"fd.type": "unix", "fd.name": "/run/nscd/socket"}),
        ],
    ),
    "Tunnel through names": (
        [started("iodine -f t.example.org"), started(f"dig {'a1b2' * 13}.t.example.org TXT")],
        [started("dig www.example.org"), started("host example.org")],
    ),
    "Very many questions for names": (
        [times(120, call("sendto", "python3 x.py", 60, event=_DNS))],
        [
            times(30, call("sendto", "python3 x.py", 60, event=_DNS)),
            times(
                300,
                call("sendto", "systemd-resolved", 60, event=_DNS, exe="/usr/lib/systemd/systemd-resolved"),
            ),
            times(300, call("sendto", "python3 x.py", 60, event=_DNS | {"fd.sport": 5353})),
        ],
    ),
    "Network interface made by an unusual program": (
        [opened("/dev/net/tun", "/opt/x", "O_RDWR")],
        [opened("/dev/net/tun", "openvpn", "O_RDWR", exe="/usr/sbin/openvpn")],
    ),
    "Relay to other networks run": (
        [started("chisel client x"), started("ssh -o StrictHostKeyChecking=no -fNR 9000:localhost:22 x")],
        [started("ssh -L 8080:localhost:80 host"), started("ssh -R 9000:localhost:22 host")],
    ),
    "Raw packets made by an unusual program": (
        [
            call("socket", "python3 tunnel.py", 3, event=_RAW),
            call("socket", "/home/ann/tunnel", 3, event=_RAW),
        ],
        [
            call("socket", "ping 10.0.0.1", 3, event=_RAW),
            call("socket", "python3 x.py", 3, event=_RAW | {"evt.arg.type": "SOCK_DGRAM|SOCK_CLOEXEC"}),
            call("socket", "python3 x.py", -1, event=_RAW),
        ],
    ),
}
