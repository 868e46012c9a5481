from made_events import Event, call, each, ended, opened, placed, started, times
from rule_cases import Cases

__all__ = ["CASES"]

_CONNECT = {"fd.type": "ipv4", "fd.l4proto": "tcp", "fd.sip": "169.254.169.254", "fd.sport": 80}


def _read(path: str, command: str, **who: object) -> Event:
    return opened(path, command, **who)  # type: ignore[arg-type]


_KINDS = (
    "/home/ann/.aws/credentials",
    "/home/ann/.kube/config",
    "/home/ann/.netrc",
    "/home/ann/.docker/config.json",
)

_SEIZE: Event = {"evt.arg.request": "PTRACE_SEIZE"}

CASES: Cases = {
    "Password hashes read": (
        [
            opened("/etc/shadow", "cat /etc/shadow"),
            opened("/etc/gshadow", "python3 collect.py", exe="/usr/bin/python3.11"),
            opened("/etc/shadow", "tar czf /tmp/x.tgz /etc/shadow"),
            opened("/etc/shadow", "passwd", exe="/tmp/passwd"),
        ],
        [
            opened("/etc/shadow", "su -", exe="/usr/bin/su"),
            opened("/etc/shadow", "tar czf /backup/etc.tgz /etc"),
            opened("/etc/passwd", "cat /etc/passwd"),
        ],
    ),
    "Private keys read": (
        [
            opened("/home/ann/.ssh/id_ed25519", "cat /home/ann/.ssh/id_ed25519"),
            opened("/etc/ssh/ssh_host_rsa_key", "cp /etc/ssh/ssh_host_rsa_key /tmp/k"),
        ],
        [
            opened("/home/ann/.ssh/id_ed25519", "ssh host", uid=1000),
            opened("/home/ann/.ssh/id_ed25519.pub", "cat /home/ann/.ssh/id_ed25519.pub"),
            opened("/root/.ssh/id_rsa", "rsync -a /root/ backup:/root/"),
        ],
    ),
    "Cloud and service credentials read": (
        [
            opened("/home/ann/.aws/credentials", "cat /home/ann/.aws/credentials"),
            opened("/root/.kube/config", "/tmp/collector"),
        ],
        [
            opened("/home/ann/.aws/credentials", "aws s3 ls", exe="/usr/bin/python3.11", name="aws"),
            opened("/home/ann/.docker/config.json", "docker pull x", uid=1000),
            opened(
                "/home/ann/.aws/credentials",
                "/home/ann/env/bin/aws s3 ls",
                exe="/home/ann/.pyenv/versions/3.11.7/bin/python3.11",
                uid=1000,
            ),
            opened("/home/ann/.netrc", "curl -n https://example.org", uid=1000),
        ],
    ),
    "Browser secrets read": (
        [opened("/home/ann/.config/google-chrome/Default/Login Data", "sqlite3 x", exe="/usr/bin/sqlite3")],
        [
            opened(
                "/home/ann/.config/google-chrome/Default/Login Data",
                "chrome",
                exe="/opt/google/chrome/chrome",
            ),
            opened("/srv/app/Cookies", "cat /srv/app/Cookies"),
        ],
    ),
    "Kerberos tickets and keys read": (
        [opened("/tmp/krb5cc_1000", "cp /tmp/krb5cc_1000 /root/t")],
        [opened("/etc/krb5.keytab", "sshd", exe="/usr/sbin/sshd")],
    ),
    "Command history read": (
        [opened("/home/ann/.bash_history", "grep passw /home/ann/.bash_history")],
        [opened("/root/.bash_history", "bash", parents="sshd")],
    ),
    "Secrets searched in files": (
        [
            started("grep -ri password /home"),
            started("find / -name id_rsa"),
            started("grep -rl --include=*.php DB_PASSWORD /var/www/html"),
        ],
        [
            started("grep -rn password src"),
            started("grep PasswordAuthentication /etc/ssh/sshd_config"),
            started("find . -name credentials.json"),
        ],
    ),
    "Memory of another process read or written": (
        [opened("/proc/1/mem", "python3 dump.py"), opened("/proc/812/mem", "/tmp/inject", "O_RDWR")],
        [
            opened("/proc/100/mem", "python3 x.py"),
            opened("/proc/812/mem", "gdb -p 812"),
            opened("/proc/812/maps", "python3 x.py"),
        ],
    ),
    "Memory of another process copied": (
        [call("process_vm_readv", "/tmp/dump 812", 4096)],
        [call("process_vm_readv", "strace -p 812", 4096), call("process_vm_readv", "/tmp/dump 812", -1)],
    ),
    "Environment of other processes read": (
        [
            each(opened("", "cat"), "fd.name", [f"/proc/{pid}/environ" for pid in range(10, 20)]),
            each(opened("", "bash x.sh"), "fd.name", [f"/proc/{pid}/environ" for pid in range(10, 20)]),
        ],
        [
            each(opened("", "cat"), "fd.name", ["/proc/10/environ", "/proc/11/environ"]),
            each(
                opened("", "python3 agent.py"), "fd.name", [f"/proc/{pid}/environ" for pid in range(10, 20)]
            ),
            each(opened("", "ps"), "fd.name", [f"/proc/{pid}/environ" for pid in range(10, 20)]),
        ],
    ),
    "Keyboard read": (
        [opened("/dev/input/event3", "python3 keys.py")],
        [
            opened("/dev/input/event3", "Xorg :0", exe="/usr/lib/xorg/Xorg"),
            opened("/dev/input/event3", "systemd-logind", exe="/usr/lib/systemd/systemd-logind"),
        ],
    ),
    "Network packets captured": (
        [
            call(
                "socket",
                "python3 sniff.py",
                3,
                event={"evt.arg.domain": "AF_PACKET", "evt.arg.type": "SOCK_RAW"},
            )
        ],
        [
            call("socket", "tcpdump -i lo", 3, event={"evt.arg.domain": "AF_PACKET"}),
            call("socket", "python3 web.py", 3, event={"evt.arg.domain": "AF_INET"}),
        ],
    ),
    "Passwords guessed with su or sudo": (
        [times(6, ended("su root", 1, uid=1000))],
        [times(3, ended("su root", 1, uid=1000)), times(9, ended("su postgres -c x", 0))],
    ),
    "Passwords guessed at the SSH server": (
        [times(20, ended("sshd", 255, parents="sshd"))],
        [times(20, ended("sshd", 0, parents="sshd")), times(5, ended("sshd", 255, parents="sshd"))],
    ),
    "Password cracker or guesser run": (
        [started("john hashes.txt"), started("python3 /opt/lazagne/laZagne.py all", name="python3")],
        [started("python3 johnson.py"), started("cat hydra.conf")],
    ),
    "Cloud metadata asked for credentials": (
        [
            started("curl http://169.254.169.254/latest/meta-data/iam/security-credentials/"),
            call("connect", "/tmp/agent", event=_CONNECT),
        ],
        [
            started("curl http://example.org/"),
            call("connect", "ssm-agent", event=_CONNECT, exe="/usr/bin/amazon-ssm-agent"),
        ],
    ),
    "Many kinds of credentials read": (
        [[_read(path, "python3 collect.py") for path in _KINDS]],
        [
            [_read(path, "python3 deploy.py", uid=1000) for path in _KINDS[:3]],
            [_read(path, "tar czf /backup/home.tgz /home") for path in _KINDS],
        ],
    ),
    "Protected file given a second name": (
        [
            placed("/etc/shadow", "/etc/.pwd", "ln /etc/shadow /etc/.pwd", "linkat"),
            call("mount", "mount x", event={"evt.arg.flags": "MS_BIND", "evt.arg.dev_name": "/etc/shadow"}),
        ],
        [placed("/etc/hosts", "/etc/hosts.old", "ln /etc/hosts /etc/hosts.old", "linkat")],
    ),
    "Memory of a process written to a file": (
        [
            started("gdb -p 90 -batch -ex generate-core-file"),
            started("bash /usr/bin/gcore 90", exe="/usr/bin/bash", name="gcore"),
        ],
        [started("gdb -p 90 -batch -ex bt"), started("gcore 90", uid=1000)],
    ),
    "Core dump copied": (
        [_read("/var/lib/systemd/coredump/core.sshd", "strings x"), _read("/var/crash/core.su.1", "/tmp/x")],
        [_read("/var/crash/core.su.1", "gdb x"), _read("/var/crash/core.su.1", "coredumpctl info", uid=0)],
    ),
    "Program that knows passwords examined": (
        [call("ptrace", "strace -p 812", event=_SEIZE | {"target.name": "sshd"})],
        [
            call("ptrace", "strace -p 812", event=_SEIZE | {"target.name": "make"}),
            call("ptrace", "strace -p 812", -1, event=_SEIZE | {"target.name": "sshd"}),
        ],
    ),
}
