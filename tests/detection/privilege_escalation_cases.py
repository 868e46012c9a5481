from made_events import Event, call, opened, started, wrote
from rule_cases import Cases

__all__ = ["CASES"]

_NEWUSER = {"evt.arg.flags": "CLONE_NEWUSER|CLONE_NEWNS"}
_SUPERBLOCK = {"evt.arg.flags": "MS_NODEV", "evt.arg.type": "overlay", "fs.path.name": "/tmp/m"}
_POKE = {"evt.arg.request": "PTRACE_POKETEXT", "evt.arg.pid": 812}
_SPLICED: Event = {"evt.rawarg.len": 1, "fd.name": "/etc/passwd"}
_SETUID = {"proc.euid": 0, "proc.euid_before": 1000}
_BIND = {
    "evt.arg.flags": "MS_BIND|MS_REC",
    "evt.arg.dev_name": "/home/ann/root",
    "fs.path.name": "/home/ann/root",
}
_DISK = {"evt.arg.flags": "MS_RDONLY", "evt.arg.dev_name": "/dev/sda1", "fs.path.name": "/tmp/.h"}
_ATTACH = {"evt.arg.request": "PTRACE_ATTACH", "evt.arg.pid": 812}

CASES: Cases = {
    "Program that the kernel runs as root changed": (
        [
            wrote("/proc/sys/kernel/core_pattern", "bash -c x"),
            wrote("/sys/fs/cgroup/rdma/release_agent", "sh -c x"),
            wrote("/proc/sys/kernel/modprobe", "/tmp/x"),
        ],
        [
            wrote("/proc/sys/kernel/core_pattern", "sysctl --system", exe="/usr/sbin/sysctl"),
            opened("/proc/sys/kernel/core_pattern", "cat x"),
            wrote("/proc/sys/kernel/pid_max", "bash -c x"),
        ],
    ),
    "Setting of the kernel's protection weakened": (
        [
            wrote("/proc/sys/kernel/randomize_va_space", "bash -c x"),
            started("sysctl -w kernel.yama.ptrace_scope=0"),
        ],
        [started("sysctl -w net.ipv4.ip_forward=1"), started("sysctl -w kernel.randomize_va_space=2")],
    ),
    "User namespace made by an unusual program": (
        [call("unshare", "/home/ann/x", event=_NEWUSER, uid=1000)],
        [
            call("unshare", "bwrap x", event=_NEWUSER, uid=1000),
            call("unshare", "/home/ann/x", event={"evt.arg.flags": "CLONE_NEWNET"}, uid=1000),
        ],
    ),
    "File systems mounted in a user namespace of one's own": (
        [
            [
                call("unshare", "unshare -Urm sh", event=_NEWUSER, uid=1000, user="ann", proc_sid=7),
                call(
                    "mount",
                    "mount -t overlay x /tmp/m",
                    event=_SUPERBLOCK | {"user.loginuid": 1000},
                    proc_sid=7,
                ),
            ]
        ],
        [
            [
                call("unshare", "bwrap x", event=_NEWUSER, uid=1000, proc_sid=8),
                call("mount", "bwrap x", event=_SUPERBLOCK, proc_sid=8),
            ],
            call("mount", "mount /dev/sdb1 /mnt", event=_SUPERBLOCK),
            [
                call("unshare", "build x", event=_NEWUSER, parents="make", uid=1000, proc_sid=9),
                call("mount", "mount x y", event=_BIND, uid=1000, proc_sid=9),
            ],
        ],
    ),
    "Namespaces of the first process entered": (
        [
            started("nsenter -t 1 -m -u -n sh"),
            started("cat /proc/1/root/etc/shadow"),
            started("chroot /host"),
        ],
        [started("nsenter -t 4711 -n ip a"), started("chroot /srv/jail"), started("ls -l /proc/1/root/")],
    ),
    "Namespace entered by an unusual program": (
        [call("setns", "/opt/x", event={"evt.arg.nstype": "CLONE_NEWNS"}, exe="/home/ann/x")],
        [call("setns", "ip netns exec a ip a"), call("setns", "nsenter -t 4711 -n")],
    ),
    "Container runtime used by an unusual program": (
        [
            call(
                "connect",
                "curl --unix-socket /run/docker.sock http://x",
                event={"fd.name": "/run/docker.sock"},
            )
        ],
        [
            call("connect", "docker ps", event={"fd.name": "/run/docker.sock"}),
            call("connect", "curl x", event={"fd.name": "/run/app.sock"}),
        ],
    ),
    "Container with the host's rights started": (
        [started("docker run --privileged -it alpine sh"), started("docker run -v /:/host alpine sh")],
        [started("docker run -v /srv/data:/data app"), started("docker ps")],
    ),
    "Mistake in sudo tried": (
        [started("sudo -u#-1 id", uid=1000), started("sudoedit -s x\\", uid=1000)],
        [
            started("sudo -u postgres psql", uid=1000),
            started("sudoedit /etc/hosts", uid=1000),
            started("sudo -s", uid=1000),
        ],
    ),
    "Mistake in a setuid program tried": (
        [
            started("pkexec", argv0="", event={"proc.exe": ""}, exe="/usr/bin/pkexec"),
            started("su", env_GLIBC_TUNABLES="glibc.malloc.mxfast=glibc.malloc.mxfast=A"),
        ],
        [started("pkexec"), started("su -"), started("su", env_GLIBC_TUNABLES="glibc.malloc.check=1")],
    ),
    "Shell out of a program with special rights": (
        [started("sh", parents="find sudo bash"), started("bash -p", parents="awk sudo bash")],
        [
            started("bash", parents="sudo bash"),
            started("bash deploy.sh", parents="make sudo"),
            started("sh", parents="find bash"),
        ],
    ),
    "Shell keeps a setuid program's rights": (
        [
            started("bash -p", parents="bash sshd", exe="/home/ann/bash"),
            started("sh -c id", parents="report bash", uid=1000, event=_SETUID),
        ],
        [
            started("bash -p x.sh", parents="make"),
            started("bash -l"),
            started("bash -l", parents="su bash", event={"proc.euid": 0}),
        ],
    ),
    "Own memory written past its rights": (
        [opened("/proc/100/mem", "/home/ann/cow", "O_RDWR", pid=100)],
        [
            opened("/proc/100/mem", "python3 x.py", pid=100),
            opened("/proc/100/mem", "gdb x", "O_RDWR", pid=100),
        ],
    ),
    "Code put into another process": (
        [call("ptrace", "/home/ann/inject 812", event=_POKE)],
        [call("ptrace", "gdb -p 812", event=_POKE), call("ptrace", "x", -1, event=_POKE)],
    ),
    "Process stopped to be examined": (
        [call("ptrace", "python3 inject.py", event=_ATTACH)],
        [
            call("ptrace", "strace -p 812", event=_ATTACH),
            call("ptrace", "x", event={"evt.arg.request": "PTRACE_TRACEME"}),
            call(
                "ptrace",
                "/home/ann/test",
                event=_ATTACH,
                parents="test make",
                parent_exes="/home/ann/test /usr/bin/make",
            ),
        ],
    ),
    "Program loaded into the kernel by an unusual program": (
        [call("bpf", "/home/ann/kit", 5, event={"evt.arg.cmd": "BPF_PROG_LOAD"})],
        [
            call("bpf", "bpftrace -e x", 5, event={"evt.arg.cmd": "BPF_PROG_LOAD"}),
            call("bpf", "systemd", 5, event={"evt.arg.cmd": "BPF_PROG_LOAD"}, exe="/usr/lib/systemd/systemd"),
            call("bpf", "/home/ann/kit", 5, event={"evt.arg.cmd": "BPF_MAP_CREATE"}),
        ],
    ),
    "Page faults handled by a user's program": (
        [call("userfaultfd", "/home/ann/x", 3, uid=1000)],
        [
            call("userfaultfd", "qemu-system-x86_64", 3, uid=1000),
            call("userfaultfd", "/home/ann/x", -1, uid=1000),
        ],
    ),
    "Rights of root asked for in vain": (
        [call("setuid", "/home/ann/x", -1, event={"evt.arg.uid": 0}, uid=1000)],
        [
            call("setuid", "/home/ann/x", -1, event={"evt.arg.uid": 5}, uid=1000),
            call("setuid", "ping x", -1, event={"evt.arg.uid": 0}, uid=1000),
        ],
    ),
    "Memory of the kernel or of the machine opened": (
        [
            opened("/dev/mem", "python3 x.py"),
            opened("/proc/kcore", "dd if=/proc/kcore"),
            wrote("/dev/cpu/0/msr", "/opt/x"),
        ],
        [opened("/dev/mem", "dmidecode", exe="/usr/sbin/dmidecode"), opened("/dev/cpu/0/msr", "/opt/x")],
    ),
    "Interpreter or tool run with another's rights": (
        [
            started("find . -exec id", uid=1000, event=_SETUID),
            started("/home/ann/x", uid=1000, event=_SETUID),
            started("python3 -c x", exe="/usr/bin/python3.11", uid=1000, event=_SETUID),
        ],
        [
            started("passwd", uid=1000, event=_SETUID),
            started("find .", uid=1000, event={"proc.euid": 1000, "proc.euid_before": 1000}),
            started("mount /media/x", uid=1000, event=_SETUID),
            started("/usr/bin/fusermount3 -u x", uid=1000, event=_SETUID),
        ],
    ),
    "Root's rights without a program that gives them": (
        [started("sh -c id", parents="exploit bash", event=_SETUID)],
        [
            started("apt update", parents="sudo bash", event={"proc.euid": 0, "proc.euid_before": 0}),
            started("ls", uid=1000, event={"proc.euid": 1000, "proc.euid_before": 0}),
            started("sudo ls", uid=1000, event=_SETUID),
        ],
    ),
    "File opened by its handle": (
        [call("open_by_handle_at", "/usr/local/bin/x", 4, event={"fd.name": "/etc/hosts"})],
        [
            call("open_by_handle_at", "ganesha.nfsd", 4, event={"fd.name": "/srv/x"}),
            call("open_by_handle_at", "/usr/local/bin/x", -1),
        ],
    ),
    "Disk mounted in a temporary place": (
        [call("mount", "mount /dev/sda1 /tmp/.h", event=_DISK), call("mount", "x", -1, event=_DISK)],
        [
            call("mount", "mount /dev/sdb1 /mnt", event=_DISK | {"fs.path.name": "/mnt"}),
            call("mount", "mount x.img /tmp/image", event=_DISK | {"evt.arg.dev_name": "/dev/loop0"}),
        ],
    ),
    "Cached file of the system handed to the kernel": (
        [
            call("splice", "/tmp/x", 1, event=_SPLICED, uid=1000),
            call("socket", "python3 x.py", 3, event={"evt.arg.domain": "AF_ALG"}, uid=1000),
        ],
        [
            call("splice", "cat /etc/passwd", 900, event=_SPLICED | {"evt.rawarg.len": 131072}, uid=1000),
            call("splice", "/tmp/x", 1, event=_SPLICED | {"fd.name": "/home/ann/x"}, uid=1000),
            call("socket", "cryptsetup open x", 3, event={"evt.arg.domain": "AF_ALG"}),
        ],
    ),
}
