from made_events import Event, call, deleted, opened, placed, started, times, wrote
from rule_cases import Cases

__all__ = ["CASES"]

_DOCUMENTS = [f"/home/ann/report{n}.docx" for n in range(40)]
_NOTES = [f"/home/ann/note{n}.txt" for n in range(30)]


def _fork(command: str, result: int = 200, **who: object) -> dict[str, object]:
    return call("clone", command, result, event={"evt.arg.flags": "CLONE_CHILD_SETTID|SIGCHLD"}, **who)


def _renamed(ending: str, command: str, **who: object) -> list[dict[str, object]]:
    return [placed(path, path + ending, command, **who) for path in _DOCUMENTS]


_BOMB = _fork("x", parents="x x x x bash")
for _generation in range(1, 5):
    _BOMB[f"proc.acmdline[{_generation}]"] = "x"


def _window(command: str, rate: int, top: str, errors: int = 0) -> Event:
    """Five seconds of a process."""
    window: Event = {"window.rate": rate, "window.calls": 5 * rate, "window.top": top}
    return call("window", command, event=window | {"window.error_share": errors, "anomaly.score": 0})


CASES: Cases = {
    "Many files given another ending": (
        [_renamed(".locked", "python3 x.py"), _renamed(".qq7", "/tmp/x")],
        [
            _renamed(".1", "logrotate x", exe="/usr/sbin/logrotate"),
            _renamed(".bak", "python3 x.py"),
            [placed(f"/srv/tmp{n}", f"/srv/file{n}", "python3 x.py") for n in range(40)],
        ],
    ),
    "Many files with endings of ransom programs": (
        [[wrote(f"/home/ann/{n}.enc", "python3 x.py") for n in range(20)]],
        [
            [wrote(f"/home/ann/{n}.enc", "python3 x.py") for n in range(4)],
            [wrote(f"/home/ann/{n}.html", "python3 x.py") for n in range(40)],
        ],
    ),
    "Many documents overwritten": (
        [[wrote(path, "python3 x.py", "O_RDWR") for path in _DOCUMENTS]],
        [
            [wrote(path, "python3 x.py", "O_WRONLY|O_CREAT|O_TRUNC") for path in _DOCUMENTS],
            [wrote(f"/srv/{n}.o", "ld x", "O_RDWR") for n in range(40)],
            [opened(path, "python3 x.py") for path in _DOCUMENTS],
        ],
    ),
    "Many documents deleted by a program": (
        [[deleted(path, "python3 x.py") for path in _DOCUMENTS]],
        [
            [deleted(path, "rm -r x") for path in _DOCUMENTS],
            [deleted(f"/tmp/tmpab12/{n}.txt", "python3 x.py") for n in range(40)],
        ],
    ),
    "Many documents read and deleted": (
        [
            [
                event
                for path in _NOTES
                for event in (opened(path, "python3 x.py"), deleted(path, "python3 x.py"))
            ]
        ],
        [
            [deleted(path, "python3 x.py") for path in _NOTES],
            [opened(path, "python3 x.py") for path in _NOTES]
            + [deleted(path, "python3 x.py") for path in _NOTES],
            [event for path in _NOTES for event in (opened(path, "gzip x"), deleted(path, "gzip x"))],
        ],
    ),
    "Note of a ransom program left": (
        [
            wrote("/home/ann/HOW_TO_DECRYPT.txt", "python3 x.py"),
            wrote("/srv/README_FOR_DECRYPT.txt", "/tmp/x"),
        ],
        [wrote("/srv/README.md", "python3 x.py"), wrote("/srv/how-to-build.txt", "python3 x.py")],
    ),
    "Many files encrypted by a tool": (
        [times(12, started("openssl enc -aes-256-cbc -in a -out b", parents="sh bash"))],
        [
            times(3, started("openssl enc -aes-256-cbc -in a -out b", parents="sh bash")),
            times(12, started("openssl x509 -in a", parents="sh bash")),
        ],
    ),
    "Disk overwritten": (
        [wrote("/dev/sda", "dd if=/dev/zero of=/dev/sda"), wrote("/dev/nvme0n1", "python3 x.py", "O_RDWR")],
        [
            wrote("/dev/sdb", "mke2fs /dev/sdb", exe="/usr/sbin/mke2fs"),
            wrote("/dev/null", "bash -c x"),
            wrote("/dev/loop0", "python3 x.py"),
        ],
    ),
    "Disk read past the file system": (
        [
            opened("/dev/sda1", "dd if=/dev/sda1"),
            started("debugfs -R cat /etc/shadow /dev/sda1", exe="/usr/sbin/debugfs"),
        ],
        [
            opened("/dev/sda1", "blkid", exe="/usr/sbin/blkid"),
            started("debugfs -R stats /dev/sda1", exe="/usr/sbin/debugfs"),
        ],
    ),
    "System destroyed": (
        [
            started("rm -rf --no-preserve-root /"),
            started("rm -rf /etc"),
            started("dd if=/dev/urandom of=/dev/vda bs=1M"),
            started("shred -u /var/log/auth.log"),
        ],
        [
            started("rm -rf /var/tmp/build"),
            started("rm -r /home/ann/old"),
            started("dd if=/dev/zero of=disk.img bs=1M count=10"),
            started("shred secret.txt"),
        ],
    ),
    "Backups or snapshots removed": (
        [started("rm -rf /var/backups/db"), started("zfs destroy -r tank@daily")],
        [started("rm -rf /var/backups/old", parents="sh cron"), started("zfs list")],
    ),
    "All processes killed": (
        [call("kill", "/tmp/x", event={"evt.arg.pid": -1, "evt.arg.sig": "SIGKILL"})],
        [
            call("kill", "bash", event={"evt.arg.pid": 812, "evt.arg.sig": "SIGKILL"}),
            call(
                "kill",
                "killall5",
                event={"evt.arg.pid": -1, "evt.arg.sig": "SIGTERM"},
                exe="/usr/sbin/killall5",
            ),
        ],
    ),
    "Coins mined": (
        [started("x -o stratum+tcp://10.0.0.9:3333 -u wallet"), started("xmrig --donate-level 1")],
        [started("grep -r stratum+tcp:// ."), started("miner --help")],
    ),
    "Connection to a pool of miners": (
        [
            call(
                "connect",
                "x",
                event={"fd.type": "ipv4", "fd.l4proto": "tcp", "fd.sip": "203.0.113.9", "fd.sport": 3333},
                exe="/tmp/x",
            )
        ],
        [
            call(
                "connect",
                "node x",
                event={"fd.type": "ipv4", "fd.l4proto": "tcp", "fd.sip": "203.0.113.9", "fd.sport": 3333},
            )
        ],
    ),
    "Processes multiply": (
        [times(60, _BOMB)],
        [times(60, _fork("bash x.sh", parents="bash sshd")), times(10, _BOMB)],
    ),
    "Very many processes started at once": (
        [times(400, _fork("python3 x.py"))],
        [
            times(400, _fork("bash x.sh")),
            times(400, call("vfork", "python3 x.py", 200)),
            times(400, call("clone", "python3 x.py", 200, event={"evt.arg.flags": "CLONE_VM|CLONE_THREAD"})),
        ],
    ),
    "Flood of system calls": (
        [
            _window("./x", 900_000, "getppid 100 %"),
            _window("./x", 300_000, "openat 98 %, close 2 %", errors=97),
        ],
        [
            _window("dd if=/dev/zero of=x bs=512", 1_200_000, "read 50 %, write 50 %"),
            _window("find / -name x", 400_000, "newfstatat 70 %, getdents64 20 %, openat 10 %", errors=2),
            _window("./x", 20_000, "getppid 100 %"),
        ],
    ),
    "Limit of processes reached": (
        [times(40, _fork("python3 x.py", -11) | {"evt.res": "EAGAIN"})],
        [times(5, _fork("python3 x.py", -11) | {"evt.res": "EAGAIN"})],
    ),
    "Accounts locked out": (
        [[started(f"passwd -l u{n}", parents="sh bash") for n in range(5)]],
        [
            started("passwd -l u1", parents="sh bash"),
            [started(f"passwd u{n}", parents="sh bash") for n in range(5)],
        ],
    ),
}
