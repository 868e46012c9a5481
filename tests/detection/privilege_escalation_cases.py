from made_events import call, opened, started, wrote
from rule_cases import Cases

__all__ = ["CASES"]

_NEWUSER = {"evt.arg.flags": "CLONE_NEWUSER|CLONE_NEWNS"}
_SUPERBLOCK = {"evt.arg.flags": "MS_NODEV", "evt.arg.type": "overlay", "fs.path.name": "/tmp/m"}
_POKE = {"evt.arg.request": "PTRACE_POKETEXT", "evt.arg.pid": 812}
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
        [started("bash -p", parents="bash sshd", exe="/home/ann/bash")],
        [started("bash -p x.sh", parents="make"), started("bash -l")],
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
}
