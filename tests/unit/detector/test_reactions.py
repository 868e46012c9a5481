"""Reactions: which alerts they are about, what they do to real processes of this test, and what they leave alone."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from kernscope.detector.alert import Alert
from kernscope.detector.reactions import (
    Context,
    Done,
    Match,
    Protection,
    RateCap,
    Reactions,
    Refused,
    kinds,
    make_ladder,
)
from kernscope.detector.reactions.commands import environment
from kernscope.detector.reactions.kernel_blocks import peer_of
from kernscope.detector.reactions.process_trees import hold
from kernscope.detector.reactions.signals import target_tree
from kernscope.kernel.process_table import boot_offset_ns, start_of

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may signal processes of others")


class Unprotected(Protection):
    """The processes of these tests are children of the test, which stands for the detector."""

    def of_process(self, pid: int) -> str:
        return "it is the test" if pid in (os.getpid(), os.getppid(), 1) else ""


def alert_of(pid: int, start_ns: int | None = None, **more: object) -> Alert:
    started = start_of(pid) if start_ns is None else start_ns
    process = {"pid": pid, "start_ns": (started or 0) + boot_offset_ns(), "name": "x", "exe": "/bin/x"}
    alert = Alert("Shell", "critical", ["attack.t1059", "shell"], "shell x", process=[process], event=1)
    for name, value in more.items():
        setattr(alert, name, value)
    return alert


def reactions(
    *steps: tuple[str, dict[str, object]],
    enforce: bool = True,
    dry_run: bool = False,
    match: Match | None = None,
    after: int = 1,
    cap: RateCap | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Reactions:
    context = Context(Unprotected(), enforce=enforce, dry_run=dry_run, tell=tell)
    ladder = make_ladder("l", match or Match(), [(name, given, after) for name, given in steps], context)
    return Reactions([ladder], context, cap)


def texts(found: list[Done]) -> list[tuple[str, str]]:
    return [(done.state, done.text) for done in found]


def state_of(pid: int) -> str:
    """`T` for stopped, `Z` for ended and not reaped, …; `` where there is none."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


def wait_for(condition: Callable[[], bool]) -> bool:
    for _ in range(500):
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def tree() -> Iterator[list[int]]:
    """A process, its child, and the child's child, all sleeping: the pids, the oldest first."""
    code = (
        "import os, sys, time\n"
        "print(os.getpid(), flush=True)\n"
        "if os.fork() == 0:\n"
        "    print(os.getpid(), flush=True)\n"
        "    if os.fork() == 0:\n"
        "        print(os.getpid(), flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    pids = [int(process.stdout.readline()) for _ in range(3)]
    yield pids
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    process.stdout.close()
    process.wait()


def test_a_whole_tree_is_killed(tree: list[int]) -> None:
    found = reactions(("kill", {})).take(alert_of(tree[0]), 1)
    expected = f"killed process {tree[0]} (x) and its descendants: 3 processes"
    assert texts(found) == [("done", expected)]
    assert wait_for(lambda: all(state_of(pid) in ("", "Z") for pid in tree))


def test_descendants_only(tree: list[int]) -> None:
    reactions(("kill", {})).take(alert_of(tree[1]), 1)
    assert wait_for(lambda: all(state_of(pid) in ("", "Z") for pid in tree[1:]))
    assert state_of(tree[0]) == "S"


def test_a_tree_that_forks_all_the_time_is_killed_whole() -> None:
    # Each generation lives for a moment only; what it starts goes on. Bounded, also if it is not killed.
    code = (
        "import os, sys, time\n"
        "print(os.getpid(), flush=True)\n"
        "end = time.monotonic() + 20\n"
        "for _ in range(3):\n"
        "    if os.fork() == 0: break\n"
        "while time.monotonic() < end:\n"
        "    if os.fork() == 0:\n"
        "        time.sleep(0.02); os._exit(0)\n"
        "    os.waitpid(-1, os.WNOHANG); time.sleep(0.005)\n"
    )
    mark = f"ks-forks-{os.getpid()}"
    process = subprocess.Popen([sys.executable, "-c", code, mark], stdout=subprocess.PIPE)

    def left() -> list[str]:
        found = []
        for name in os.listdir("/proc"):
            with suppress(OSError):
                if name.isdigit() and mark.encode() in Path(f"/proc/{name}/cmdline").read_bytes():
                    found.append(name)
        return found

    try:
        assert process.stdout is not None and process.stdout.readline()
        assert wait_for(lambda: len(left()) > 4)
        (done,) = reactions(("kill", {})).take(alert_of(process.pid), 1)
        assert done.state == "done"
        # Children that had been handed to process 1 end by themselves at once.
        assert wait_for(lambda: not left())
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_another_process_with_the_pid_is_left_alone(tree: list[int]) -> None:
    started = start_of(tree[0])
    assert started is not None
    for other in (started - 50_000_000, started + 50_000_000):
        found = reactions(("kill", {}), ("stop", {})).take(alert_of(tree[0], other), 1)
        assert texts(found) == [
            ("refused", f"did not {name}: process {tree[0]} has ended") for name in ("kill", "stop")
        ]
    assert state_of(tree[0]) == "S"
    held = hold(tree[0], started)
    assert held is not None and not held.ended
    held.close()


def test_a_stopped_tree_runs_again(tree: list[int]) -> None:
    told: list[str] = []
    ladder = reactions(("stop", {"ttl": "300ms"}), tell=told.append)
    assert "3 processes" in ladder.take(alert_of(tree[0]), 1)[0].text
    assert wait_for(lambda: all(state_of(pid) == "T" for pid in tree))
    time.sleep(0.3)
    ladder.tick()
    assert wait_for(lambda: all(state_of(pid) == "S" for pid in tree))
    assert told == ["3 processes run again: the time of `stop` is over"]
    ladder.close()


def test_what_is_stopped_runs_again_when_the_detector_ends(tree: list[int]) -> None:
    ladder = reactions(("stop", {"ttl": "1h"}))
    ladder.take(alert_of(tree[0]), 1)
    assert wait_for(lambda: state_of(tree[2]) == "T")
    ladder.close()
    assert wait_for(lambda: all(state_of(pid) == "S" for pid in tree))


@pytest.mark.parametrize("ttl", ["1h", "500ms"])
def test_what_is_stopped_runs_again_when_the_detector_is_killed(tree: list[int], ttl: str) -> None:
    code = (
        "import sys, time; sys.path[:0] = sys.argv[2].split(':')\n"
        "from test_reactions import alert_of, reactions\n"
        f"r = reactions(('stop', {{'ttl': '{ttl}'}}))\n"
        "print(r.take(alert_of(int(sys.argv[1])), 1)[0].state, flush=True)\n"
        "time.sleep(60)\n"
    )
    detector = subprocess.Popen(
        [sys.executable, "-c", code, str(tree[0]), str(Path(__file__).parent)], stdout=subprocess.PIPE
    )
    assert detector.stdout is not None
    assert detector.stdout.readline() == b"done\n"
    if ttl == "1h":
        assert wait_for(lambda: all(state_of(pid) == "T" for pid in tree))
        detector.kill()
    # Otherwise the detector hangs, and the watchdog continues them all the same.
    assert wait_for(lambda: all(state_of(pid) == "S" for pid in tree))
    detector.kill()
    detector.stdout.close()
    detector.wait()


def test_the_protected(tree: list[int]) -> None:
    context = Context(Protection(), enforce=True)
    for pid, reason in {
        1: "it is process 1",
        os.getpid(): "it is the detector",
        os.getppid(): "it is process 1" if os.getppid() == 1 else "ancestor",
    }.items():
        with pytest.raises(Refused, match=reason):
            target_tree(alert_of(pid), context)
    with pytest.raises(Refused, match="the detector started it"):
        target_tree(alert_of(tree[0]), context)
    with pytest.raises(Refused, match="does not say which process"):
        target_tree(Alert("r", "notice", [], "o"), context)


@needs_root
def test_protected_paths(tree: list[int]) -> None:
    exe = os.readlink(f"/proc/{tree[0]}/exe")
    protected = Protection([exe])
    protected.own_pid = tree[2]
    assert protected.of_process(tree[1]) == "it is an ancestor of the detector"
    protected.own_pid = os.getpid() if os.getppid() == 1 else 1
    trusted = os.stat(exe).st_uid == 0 and not os.stat(exe).st_mode & 0o022
    assert protected._by_path(tree[0], exe) == (f"`{exe}` is protected" if trusted else "")
    assert protected._by_path(tree[0], "/usr/sbin/sshd") == ""
    # The path is protected, and another file lies there, or none.
    assert Protection(["/bin/sh"])._by_path(tree[0], "/bin/sh") == ""
    assert Protection(["/no/such"])._by_path(tree[0], "/no/such") == ""
    assert protected._by_path(tree[0], f"{exe} (deleted)") == ""


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.9", "`127.0.0.0/8` is protected"),
        ("::1", "`::1/128` is protected"),
        ("::ffff:127.0.0.1", "`127.0.0.0/8` is protected"),
        ("0.0.0.0", "it is no address of one machine"),
        ("224.0.0.1", "it is no address of one machine"),
        ("203.0.113.7", ""),
        ("2001:db8::7", ""),
    ],
)
def test_protected_addresses(address: str, reason: str) -> None:
    assert Protection().of_address(address) == reason


def test_the_peer() -> None:
    fields = {"evt.type": "connect", "fd.cip": "192.0.2.1", "fd.sip": "203.0.113.7"}
    assert peer_of(Alert("r", "notice", [], "", fields=dict(fields))) == "203.0.113.7"
    assert peer_of(Alert("r", "notice", [], "", fields={**fields, "evt.type": "accept4"})) == "192.0.2.1"
    assert (
        peer_of(Alert("r", "notice", [], "", fields={**fields, "fd.rip": "198.51.100.1"})) == "198.51.100.1"
    )
    with pytest.raises(Refused):
        peer_of(Alert("r", "notice", [], "", fields={"fd.sip": "/run/x"}))


def test_nothing_is_enforced_unless_allowed(tree: list[int]) -> None:
    steps: list[tuple[str, dict[str, object]]] = [("kill", {}), ("stop", {}), ("deny", {}), ("block", {})]
    alert = alert_of(tree[0], fields={"evt.type": "connect", "fd.sip": "203.0.113.7"})
    whole = f"process {tree[0]} (x) and its descendants"
    wanted = [
        f"would kill {whole}: 3 processes",
        f"would stop {whole}: 3 processes",
        f"would refuse bprm_check_security, file_open, socket_connect to {whole} for 600 s",
        "would block 203.0.113.7 for 3600 s",
    ]
    for why, options in {"needs --enforce": {"enforce": False}, "dry run": {"dry_run": True}}.items():
        ladder = reactions(*steps, **options)  # type: ignore[arg-type]
        ladder.prepare()
        assert texts(ladder.take(alert, 1)) == [("would", f"{text} ({why})") for text in wanted]
    assert [state_of(pid) for pid in tree] == ["S", "S", "S"]


def test_the_cap(tree: list[int]) -> None:
    ladder = reactions(("stop", {}), cap=RateCap(2, 60.0))
    states = [ladder.take(alert_of(tree[0]), 1)[0] for _ in range(3)]
    assert [done.state for done in states] == ["done", "done", "refused"]
    assert states[2].text == "did not stop: more than 2 in 60 s"
    assert ladder.counts == {("stop", "done"): 2, ("stop", "refused"): 1}
    ladder.close()


def test_which_alerts() -> None:
    alert = alert_of(os.getpid())
    fitting = [
        Match(),
        Match(["Sh*"]),
        Match(["x", "Shell"]),
        Match(tags=["attack.*"]),
        Match(priority="critical"),
        Match(["Shell"], ["shell"], "debug"),
    ]
    others = [Match(["shell"]), Match(tags=["net"]), Match(priority="alert"), Match(["Shell"], ["x"])]
    assert [match.fits(alert) for match in fitting + others] == [True] * 6 + [False] * 4


def test_a_ladder_goes_up() -> None:
    context = Context(Unprotected())
    steps: list[tuple[str, dict[str, object], int]] = [
        ("run", {"command": ["/bin/true"]}, 1),
        ("kill", {}, 3),
    ]
    ladder = Reactions([make_ladder("l", Match(), steps, context)], context)
    alert = Alert("r", "notice", [], "o")
    counts = [len(ladder.take(alert, incident)) for incident in (1, 1, 2, 1, 1)]
    assert counts == [1, 1, 1, 2, 2]
    ladder.close()


def test_alerts_about_what_the_detector_started_have_no_reaction(tree: list[int]) -> None:
    alert = alert_of(tree[0])
    alert.process.append({"pid": os.getpid()})
    assert reactions(("kill", {})).take(alert, 1) == []


def test_a_command(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\nenv > {out}.env\ncat > {out}.tmp; mv {out}.tmp {out}\n")
    script.chmod(0o755)
    alert = alert_of(
        os.getpid(), fields={"proc.aname[2]": "a;$(touch x)\nb", "n": 5, "list": ["a", "b"], "nul": "a\0b"}
    )
    alert.output = "evil `x` $(y)"
    ladder = reactions(("run", {"command": [str(script)]}), enforce=False)
    ladder.prepare()
    assert texts(ladder.take(alert, 7)) == []  # about the test itself
    alert.process[0]["pid"] = 1 << 30
    assert texts(ladder.take(alert, 7)) == [("done", f"runs `{script}`")]
    assert wait_for(out.exists)
    assert json.loads(out.read_text()) == json.loads(alert.json())
    variables = Path(f"{out}.env").read_text()
    assert "KERNSCOPE_OUTPUT=evil `x` $(y)\n" in variables
    assert "KERNSCOPE_FIELD_PROC_ANAME_2_=a;$(touch x)\nb\n" in variables
    assert "HOME=" not in variables
    found = environment(alert, 7)
    assert found["KERNSCOPE_FIELD_NUL"] == "a\\x00b" and found["KERNSCOPE_FIELD_LIST"] == "a,b"
    assert found["KERNSCOPE_INCIDENT"] == "7" and found["KERNSCOPE_TAGS"] == "attack.t1059,shell"
    ladder.close()


def test_a_command_that_hangs_is_killed_with_its_group(tmp_path: Path) -> None:
    told: list[str] = []
    pid = tmp_path / "pid"
    script = f"sleep 60 & echo $! > {pid}.tmp; mv {pid}.tmp {pid}; echo said; exec sleep 60"
    ladder = reactions(("run", {"command": ["/bin/sh", "-c", script], "timeout": 0.5}), tell=told.append)
    alert = Alert("r", "notice", [], "o")
    ladder.take(alert, 1)
    assert wait_for(lambda: bool(told))
    assert told == ["`/bin/sh` was killed: it took longer than 0.5 s"]
    assert wait_for(lambda: state_of(int(pid.read_text())) in ("", "Z"))
    ladder.close()


def test_a_command_that_fails_says_so_once_it_is_over(tmp_path: Path) -> None:
    told: list[str] = []
    script = "(sleep 60 &) ; head -c 100000 /dev/zero | tr '\\0' x; echo; exit 3"
    ladder = reactions(("run", {"command": ["/bin/sh", "-c", script]}), tell=told.append)
    ladder.take(Alert("r", "notice", [], "o"), 1)
    # A child that keeps the output open is not waited for.
    assert wait_for(lambda: bool(told))
    assert told[0].startswith("`/bin/sh` ended with status 3: xxx") and len(told[0]) < 5000
    ladder.close()


def test_commands_are_bounded() -> None:
    told: list[str] = []
    given: dict[str, object] = {"command": ["/bin/sleep", "60"], "parallel": 1, "queue": 1, "timeout": 2}
    ladder = reactions(("run", given), tell=told.append)
    states = [ladder.take(Alert("r", "notice", [], "o"), 1)[0] for _ in range(3)]
    assert [done.state for done in states] == ["done", "done", "refused"]
    assert states[2].text == "did not run: 1 of `/bin/sleep` run and 1 wait already"
    began = time.monotonic()
    ladder.close()
    assert time.monotonic() - began < 30 and "1 runs of `/bin/sleep` did not begin" in told


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("kil", {}, "there is no reaction `kil`; did you mean `kill`?"),
        ("kill", {"now": True}, "`kill` has no setting `now`; it has none"),
        ("stop", {"ttl": "long"}, "`ttl` is a time such as 10s, 5m or 90d, not `long`"),
        ("run", {}, "`run` needs `command`: a program's absolute path and its arguments"),
        ("run", {"command": "ls"}, "`command` begins with an absolute path, not `ls`: there is no shell"),
        ("run", {"comand": ["/bin/ls"]}, "`run` has no setting `comand`; did you mean `command`?"),
        ("deny", {"hooks": ["file_opn"]}, "`hooks` are some of"),
        ("block", {"by": "iptables"}, "`by` is one of netfilter, cgroup, not `iptables`"),
    ],
)  # fmt: skip
def test_settings_that_are_wrong(name: str, given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        reactions((name, given))
    assert str(caught.value).startswith(message)


def test_commands_that_cannot_run_are_found_at_once() -> None:
    for given, message in (
        ({"command": ["/no/such"]}, "no program"),
        ({"command": ["/bin/true"], "user": "no-one-x"}, "no user"),
    ):
        with pytest.raises(ValueError, match=message):
            reactions(("run", dict(given))).prepare()


def test_a_command_that_others_may_write_is_not_run(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o775)
    with pytest.raises(ValueError, match="others may write"):
        reactions(("run", {"command": [str(script)]})).prepare()


def test_every_kind_has_a_text() -> None:
    assert list(kinds()) == ["run", "webhook", "stop", "kill", "deny", "block"]
    assert all(kind.doc and all(setting.doc for setting in kind.settings) for kind in kinds().values())
