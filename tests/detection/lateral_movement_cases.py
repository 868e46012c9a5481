from made_events import call, each, started
from rule_cases import Cases

__all__ = ["CASES"]

_SSH = {"fd.type": "ipv4", "fd.l4proto": "tcp", "fd.sip": "10.0.0.7", "fd.sport": 22}
_HOSTS = [f"10.0.0.{n}" for n in range(12)]

CASES: Cases = {
    "Many machines logged in to": (
        [each(call("connect", "ssh host", event=_SSH), "fd.sip", _HOSTS)],
        [
            [call("connect", "ssh host", event=_SSH) for _ in range(30)],
            each(call("connect", "ssh host", event=_SSH, parents="ansible-playboo bash"), "fd.sip", _HOSTS),
        ],
    ),
    "SSH login with a password on the command line": (
        [started("sshpass -p secret ssh root@10.0.0.7")],
        [started("ssh root@10.0.0.7")],
    ),
    "Agent of another user's SSH used": (
        [
            started(
                "ssh ann@host",
                env_SSH_AUTH_SOCK="/tmp/ssh-abc/agent.1",
                parents="bash cron",
                event={"user.loginuid": -1},
            )
        ],
        [
            started("ssh host", env_SSH_AUTH_SOCK="/tmp/ssh-abc/agent.1", uid=1000),
            started("ssh host", env_SSH_AUTH_SOCK="/tmp/ssh-abc/agent.1", parents="bash sshd"),
        ],
    ),
}
