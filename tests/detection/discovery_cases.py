from made_events import call, each, started
from rule_cases import Cases

__all__ = ["CASES"]

_TCP = {
    "fd.type": "ipv4",
    "fd.l4proto": "tcp",
    "fd.sip": "10.0.0.7",
    "fd.sport": 80,
    "evt.res": "ECONNREFUSED",
}
_CURIOUS = ("id", "whoami", "uname", "hostname", "ps", "ss", "w", "lsblk")
_TROUBLED = ("w", "uptime", "df", "free", "top", "ip", "ss", "ps", "lsof", "dmesg", "mount", "id")

CASES: Cases = {
    "Many questions about the host at once": (
        [[started(command, parents="sh python3") for command in _CURIOUS]],
        [
            [started(command, parents="sh python3") for command in _CURIOUS[:4]],
            [started("ps aux", parents="bash") for _ in range(20)],
            [started(command, parents="bash sshd") for command in _TROUBLED],
            [started(command, parents="50-landscape-sy run-parts") for command in _CURIOUS],
            [started(command, parents="configure make") for command in _CURIOUS],
        ],
    ),
    "Programs with special rights searched": (
        [started("find / -perm -4000 -type f"), started("find / -perm -u=s"), started("getcap -r /")],
        [
            started("find /var/tmp -perm 644 -mtime +3"),
            started("find / -perm -4000", parents="checksecurity cron"),
            started("getcap /usr/bin/ping"),
        ],
    ),
    "Many ports tried": (
        [each(call("connect", "python3 scan.py", -111, event=_TCP), "fd.sport", range(1, 40))],
        [
            each(call("connect", "python3 client.py", -111, event=_TCP), "fd.sport", range(1, 10)),
            [call("connect", "python3 client.py", event=_TCP) for _ in range(60)],
        ],
    ),
    "Many addresses tried": (
        [
            each(
                call("connect", "/tmp/worm", -111, event=_TCP | {"fd.sport": 22}),
                "fd.sip",
                [f"10.0.1.{n}" for n in range(40)],
            )
        ],
        [
            each(
                call("connect", "firefox", event=_TCP | {"fd.sport": 443}),
                "fd.sip",
                [f"10.0.1.{n}" for n in range(40)],
            )
        ],
    ),
    "Network scanner run": (
        [started("nmap -sS 10.0.0.0/24"), started("nc -zv 127.0.0.1 1-1000")],
        [started("nc -z 127.0.0.1 5432"), started("ping 10.0.0.1")],
    ),
    "Host examined by an escalation script": (
        [started("sh linpeas.sh"), started("/tmp/pspy64")],
        [started("sh backup.sh")],
    ),
}
