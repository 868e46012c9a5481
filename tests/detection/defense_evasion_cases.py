from made_events import Event, call, deleted, each, mode, opened, placed, started, wrote
from rule_cases import Cases

__all__ = ["CASES"]

_LOGS = [f"/var/log/app{n}.log" for n in range(8)]
_OLD_LOGS = [f"/var/log/app.log.{n}" for n in range(8)]

_NOT_MADE: Event = {"evt.is_open_create": False}

CASES: Cases = {
    "System log removed or emptied": (
        [
            deleted("/var/log/auth.log", "rm /var/log/auth.log"),
            wrote("/var/log/syslog", "bash -c x", event=_NOT_MADE),
            call("truncate", "truncate -s 0 /var/log/wtmp", event={"fs.path.name": "/var/log/wtmp"}),
            wrote("/var/log/wtmp", "/tmp/logcleaner", "O_RDWR"),
            placed("/dev/null", "/var/log/btmp", "ln -sf /dev/null /var/log/btmp", "symlinkat"),
        ],
        [
            placed(
                "/var/log/auth.log",
                "/var/log/auth.log.1",
                "logrotate /etc/logrotate.conf",
                exe="/usr/sbin/logrotate",
            ),
            wrote("/var/log/auth.log", "rsyslogd", "O_WRONLY|O_CREAT|O_APPEND", exe="/usr/sbin/rsyslogd"),
            deleted("/var/log/auth.log.3.gz", "rm /var/log/auth.log.3.gz"),
            placed("/var/log/auth.log", "/var/log/auth.log.1", "mv auth.log auth.log.1"),
            wrote("/var/log/auth.log", "sh rotate.sh"),
            opened("/var/log/auth.log", "tail -f /var/log/auth.log"),
            wrote("/var/log/auth.log", "logger x", "O_WRONLY|O_APPEND"),
        ],
    ),
    "Many logs removed": (
        [each(deleted("", "rm -f x"), "fs.path.name", _LOGS)],
        [
            each(deleted("", "rm -f x"), "fs.path.name", _LOGS[:3]),
            each(deleted("", "find /var/log -delete"), "fs.path.name", _OLD_LOGS),
            each(deleted("", "logrotate x", exe="/usr/sbin/logrotate"), "fs.path.name", _LOGS),
        ],
    ),
    "Journal or kernel log cleared": (
        [started("journalctl --vacuum-time=1s"), started("dmesg -C"), started("auditctl -D")],
        [started("journalctl --vacuum-time=30d"), started("journalctl -u ssh"), started("dmesg -T")],
    ),
    "Command history removed or emptied": (
        [
            deleted("/root/.bash_history", "rm /root/.bash_history"),
            wrote("/root/.bash_history", "bash -c x"),
            placed("/dev/null", "/root/.bash_history", "ln -sf /dev/null /root/.bash_history", "symlinkat"),
        ],
        [
            wrote("/root/.bash_history", "bash", "O_WRONLY|O_APPEND"),
            wrote("/root/.bash_history", "bash"),
            placed("/root/.zsh_history.new", "/root/.zsh_history", "zsh"),
        ],
    ),
    "Command history switched off": (
        [started("bash -i", env_HISTFILE="/dev/null"), started("bash -c unset HISTFILE; id")],
        [started("bash -i", env_HISTFILE="/root/.bash_history")],
    ),
    "Times of a system file changed": (
        [
            started("touch -d 2001-01-01 /usr/bin/sshd"),
            started("touch -r /bin/ls /etc/cron.d/x"),
            call("utimensat", "python3 x.py", event={"fs.path.name": "/usr/bin/x"}),
        ],
        [
            started("touch -d 2001-01-01 build/stamp"),
            started("touch /etc/nologin"),
            call("utimensat", "dpkg -i x.deb", event={"fs.path.name": "/usr/bin/x"}),
            call("utimensat", "tar xf x.tar", event={"fs.path.name": "/usr/bin/x"}),
        ],
    ),
    "Guard stopped": (
        [
            started("systemctl stop auditd"),
            started("systemctl disable --now rsyslog.service"),
            started("pkill -9 falco"),
            started("setenforce 0"),
            started("ufw disable"),
            started("service rsyslog stop"),
        ],
        [
            started("systemctl restart rsyslog"),
            started("systemctl stop nginx"),
            started("systemctl stop rsyslog.service", parents="rsyslog.prerm dpkg"),
            started("systemctl status auditd"),
            started("pkill firefox"),
        ],
    ),
    "Guard killed": (
        [
            call("kill", "bash -c x", event={"evt.arg.sig": "SIGKILL", "target.name": "auditd"}),
            call(
                "kill",
                "python3 x.py",
                event={
                    "evt.arg.sig": "SIGSTOP",
                    "target.name": "kernscope",
                    "target.cmdline": "kernscope detect run",
                },
            ),
        ],
        [
            call("kill", "bash -c x", event={"evt.arg.sig": "SIGHUP", "target.name": "rsyslogd"}),
            call("kill", "bash -c x", event={"evt.arg.sig": "SIGKILL", "target.name": "firefox"}),
            call(
                "kill",
                "systemd",
                event={"evt.arg.sig": "SIGTERM", "target.name": "auditd"},
                exe="/usr/lib/systemd/systemd",
            ),
        ],
    ),
    "Firewall's rules flushed": (
        [started("iptables -F"), started("nft flush ruleset"), started("iptables -P INPUT ACCEPT")],
        [
            started("iptables -A INPUT -p tcp --dport 22 -j ACCEPT"),
            started("iptables -F", parents="ufw-init ufw"),
            started("nft list ruleset"),
        ],
    ),
    "Logging's settings changed": (
        [wrote("/etc/rsyslog.conf", "bash -c x"), wrote("/etc/audit/rules.d/x.rules", "python3 x.py")],
        [wrote("/etc/rsyslog.d/50-x.conf", "nano x"), wrote("/etc/fail2ban/jail.conf", "dpkg -i x.deb")],
    ),
    "File made unchangeable": (
        [started("chattr +i /etc/cron.d/x"), started("chattr -i /root/.ssh/authorized_keys")],
        [started("chattr +C /srv/db"), started("chattr +i /etc/resolv.conf")],
    ),
    "Library from a temporary place put into a program": (
        [started("ls", env_LD_PRELOAD="/tmp/x.so"), started("sshd", env_LD_PRELOAD="/usr/lib/.x.so")],
        [
            started("dpkg-deb", env_LD_PRELOAD="/usr/lib/x86_64-linux-gnu/libfakeroot/libfakeroot-sysv.so"),
            started("app", env_LD_PRELOAD="/usr/lib/libjemalloc.so.2"),
            started("ls"),
        ],
    ),
    "Process disguised as a thread of the kernel": (
        [
            started("[kworker/0:1]", exe="/usr/bin/sleep", name="sleep"),
            started("kworker/u8:2", exe="/opt/kworker", name="kworker/u8:2"),
        ],
        [started("[ -f x ]", exe="/usr/bin/[", name="["), started("kwin_wayland")],
    ),
    "Process renames itself as a thread of the kernel": (
        [call("prctl", "x", event={"evt.arg.option": "PR_SET_NAME"}, exe="/opt/x", name="kworker/1:3")],
        [call("prctl", "pool-1", event={"evt.arg.option": "PR_SET_NAME"}, exe="/opt/x")],
    ),
    "Program under the name of a system service": (
        [started("sshd -D", exe="/home/ann/sshd"), started("cron", exe="/tmp/cron")],
        [
            started("sshd -D"),
            started("cron", exe="/usr/bin/bash"),
            started("myserver", exe="/home/ann/myserver"),
        ],
    ),
    "Name that misleads": (
        [started("x", exe="/home/ann/.../x"), started("ls", exe="/opt/ls ")],
        [started("ls"), started("x", exe="/home/ann/.local/bin/x")],
    ),
    "Directory whose name is not seen made": (
        [
            call("mkdir", "mkdir /tmp/...", event={"fs.path.name": "/tmp/..."}),
            call("mkdir", "mkdir /dev/shm/.x", event={"fs.path.name": "/dev/shm/.x"}),
        ],
        [
            call("mkdir", "mkdir /tmp/.X11-unix", event={"fs.path.name": "/tmp/.X11-unix"}),
            call("mkdir", "mkdir /home/ann/.config", event={"fs.path.name": "/home/ann/.config"}),
        ],
    ),
    "Hidden file made executable in a temporary directory": (
        [mode("/tmp/.x", "S_IRUSR|S_IXUSR", "chmod +x /tmp/.x")],
        [
            mode("/tmp/x", "S_IRUSR|S_IXUSR", "chmod +x /tmp/x"),
            mode("/tmp/.x", "S_IRUSR", "chmod 600 /tmp/.x"),
            mode("/home/ann/.local/bin/x", "S_IXUSR", "chmod +x x"),
        ],
    ),
    "Program deletes itself": (
        [deleted("/home/ann/x", "x", exe="/home/ann/x")],
        [deleted("/home/ann/x", "rm x"), deleted("/tmp/data", "x", exe="/home/ann/x")],
    ),
    "Process hidden by a mount": (
        [call("mount", "mount --bind /tmp/e /proc/812", event={"fs.path.name": "/proc/812"})],
        [call("mount", "mount -t proc proc /proc", event={"fs.path.name": "/proc"})],
    ),
    "Detector tampered with": (
        [
            deleted("/var/lib/kernscope/alerts.db", "rm x"),
            wrote("/var/lib/kernscope/alerts.db", "python3 x.py"),
        ],
        [
            wrote(
                "/var/lib/kernscope/alerts.db",
                "kernscope /usr/bin/kernscope detect run",
                exe="/usr/bin/python3.11",
            ),
            wrote("/etc/kernscope/detect.yaml", "nano x"),
        ],
    ),
    "Tracing of the kernel changed": (
        [wrote("/sys/kernel/tracing/tracing_on", "bash -c x")],
        [
            wrote("/sys/kernel/tracing/tracing_on", "trace-cmd record"),
            opened("/sys/kernel/tracing/trace", "cat x"),
        ],
    ),
    "Events lost": (
        [call("lost", "x", event={"watch.lost": 12})],
        [started("lost")],
    ),
    "Certificates to be trusted added": (
        [
            wrote("/usr/local/share/ca-certificates/x.crt", "openssl req -x509"),
            wrote("/etc/ssl/certs/ca-certificates.crt", "bash -c x"),
        ],
        [
            wrote(
                "/etc/ssl/certs/x", "update-ca-certif /usr/sbin/update-ca-certificates", exe="/usr/bin/dash"
            ),
            opened("/etc/ssl/certs/ca-certificates.crt", "curl https://example.org"),
        ],
    ),
    "Names of machines redirected": (
        [wrote("/etc/hosts", "bash -c x"), placed("/etc/sedX1", "/etc/hosts", "sed -i x /etc/hosts")],
        [wrote("/etc/hosts", "vim /etc/hosts", exe="/usr/bin/vim.basic"), opened("/etc/hosts", "curl x")],
    ),
    "Many programs looked for to be killed": (
        [[started(f"pkill -9 -f {name}", proc_sid=7) for name in ("miner", "guard", "agent", "helper")]],
        [[started("pkill -f server", proc_sid=8) for _ in range(9)]],
    ),
}
