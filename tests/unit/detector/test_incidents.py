"""Which alerts belong together, and which are only counted."""

import pytest
from made_alerts import CRON, INIT, SSHD, alert, process, session

from kernscope.detector.incidents import MOST_KEPT, MOST_SHOWN, Incidents, grows, tree_root


def numbers(*alerts: object, **more: int) -> list[int]:
    incidents = Incidents(**more)
    return [incidents.add(one).incident for one in alerts]  # type: ignore[arg-type]


def job(pid: int, name: str = "backup") -> list[dict[str, object]]:
    return [process(pid, name), process(pid - 1, "cron", exe="/usr/sbin/cron"), CRON, INIT]


@pytest.mark.parametrize(
    ("chain", "root"),
    [
        (session(process(1300, "cat")), 1200),
        (session(), 1200),
        ([process(5, "worker"), process(4, "nginx"), INIT], 4),
        (job(3001), 3001),
        # systemd --user, a terminal, a shell
        ([process(9, "vi"), process(8, "bash"), process(7, "tmux: server", exe="/usr/bin/tmux"), INIT], 8),
        # a container: its first process
        ([process(9, "sh"), process(8, "redis"), process(7, "containerd-shim-runc-v2"), INIT], 8),
        # what begins sessions itself
        ([SSHD, INIT], 800),
        ([INIT], 1),
        # the name alone, cut as the kernel cuts it
        (
            [
                process(9, "x"),
                {"pid": 7, "name": "containerd-shim-runc-v2"[:15], "start_ns": 1, "exe": None},
                INIT,
            ],
            9,
        ),
        # the executable says more than the name that a process gave itself
        ([process(9, "x"), process(7, "sshd", exe="/usr/bin/evil"), INIT], 7),
        # deeper in the tree the name means nothing
        ([process(9, "x"), process(8, "sshd", exe="/usr/sbin/sshd"), process(7, "nginx"), INIT], 7),
    ],
)
def test_the_root_of_a_tree(chain: list[dict[str, object]], root: int) -> None:
    found = tree_root(chain)
    assert found is not None and found["pid"] == root


def test_without_a_process_there_is_no_root() -> None:
    assert tree_root([]) is None
    assert numbers(alert("a", []), alert("b", []), alert("a", [], fd_name="x")) == [1, 2, 1]


def test_one_session_is_one_incident_and_each_job_is_its_own() -> None:
    in_session = [session(process(1300, "cat")), session(process(1301, "sh"), process(1302, "nc")), session()]
    assert numbers(*(alert("r", chain) for chain in in_session)) == [1, 1, 1]
    assert numbers(alert("r", job(3001)), alert("r", job(3011)), alert("other", job(3001))) == [1, 2, 1]


def test_a_reused_pid_mixes_nothing() -> None:
    first = [process(50, "a", start_ns=10**9), INIT]
    again = [process(50, "b", start_ns=90 * 10**9), INIT]
    assert numbers(alert("r", first), alert("r", again), alert("r", again)) == [1, 2, 2]


def test_starts_in_ticks_and_in_nanoseconds_are_the_same() -> None:
    read = [process(50, "a", start_ns=1_230_000_000), INIT]
    seen = [process(50, "a", start_ns=1_234_567_891), INIT]
    assert numbers(alert("r", read), alert("r", seen)) == [1, 1]


def test_a_process_whose_parent_died_stays_in_its_incident() -> None:
    before = session(process(1300, "sh"), process(1301, "daemon"))
    orphan = [process(1301, "daemon"), INIT]
    child = [process(1400, "nc"), process(1301, "daemon"), INIT]
    assert numbers(alert("r", before), alert("r", orphan), alert("r", child)) == [1, 1, 1]


def test_a_quiet_tree_begins_anew() -> None:
    day = 24 * 3600
    assert numbers(alert("a"), alert("b", at_s=day), alert("c", at_s=2 * day + 1)) == [1, 1, 2]


def test_incidents_of_before_go_on() -> None:
    incidents = Incidents(first_incident=8, first_alert=100)
    incidents.restore([(7, 1200, 1200 * 10**9, alert().time_ns - 10**9)])
    placed = incidents.add(alert())
    assert (placed.incident, placed.number) == (7, 100)
    assert incidents.add(alert("r", job(3001))).incident == 8


def test_growing_intervals() -> None:
    assert [n for n in range(1, 20_001) if grows(n)] == [1, 10, 100, 1000, 10_000]


def test_the_same_again_is_counted() -> None:
    incidents = Incidents()
    placed = [incidents.add(alert("r", at_s=n, fd_name="/etc/shadow", proc_pid=n)) for n in range(25)]
    assert [(p.count, p.repeated) for p in placed] == [(n, n > 1) for n in range(1, 26)]
    assert {p.number for p in placed} == {1}
    assert [p.count for p in placed if p.shown] == [1, 10]
    [(shown, last)] = incidents.finish()
    assert (shown.output, last.count, last.number, last.incident) == ("r happened", 25, 1, 1)
    assert incidents.finish() == []


def test_what_was_shown_already_is_not_shown_at_the_end() -> None:
    incidents = Incidents()
    for _ in range(10):
        incidents.add(alert())
    assert incidents.finish() == []


def test_another_value_rule_or_tree_is_another_alert() -> None:
    incidents = Incidents()
    different = [
        alert("r", fd_name="/a"),
        alert("r", fd_name="/b"),
        alert("s", fd_name="/a"),
        alert("r", job(3001), fd_name="/a"),
        alert("r", fd_name=None),
        alert("r", fd_name=["/a"]),
    ]
    placed = [incidents.add(one) for one in different]
    assert [p.number for p in placed] == [1, 2, 3, 4, 5, 6]
    assert not any(p.repeated for p in placed)


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("proc_pid", 1, 2),
        ("proc_ppid", 1, 2),
        ("proc_apid[2]", 1, 2),
        ("proc_pid.ts", 1, 2),
        ("proc_duration", 1, 2),
        ("thread_tid", 1, 2),
        ("evt_time", "1", "2"),
        ("evt_rawtime", 1, 2),
        ("evt_time.iso8601", "1", "2"),
        ("evt_num", 1, 2),
        ("fd_num", 1, 2),
        ("fd_name", "10.0.0.1:4000->1.2.3.4:80", "10.0.0.1:4001->1.2.3.4:80"),
        ("rule_count", 1, 2),
        ("anomaly_score", 1.5, 2.5),
    ],
)
def test_fields_that_tell_occurrences_apart_make_no_other_alert(
    name: str, one: object, other: object
) -> None:
    incidents = Incidents()
    assert not incidents.add(alert("r", **{name: one})).repeated
    assert incidents.add(alert("r", **{name: other})).repeated


@pytest.mark.parametrize("name", ["proc_name", "proc_cmdline", "fd_sip", "fd_sport", "user_name", "evt_res"])
def test_other_fields_do(name: str) -> None:
    incidents = Incidents()
    incidents.add(alert("r", **{name: "1"}))
    assert not incidents.add(alert("r", **{name: "2"})).repeated


def test_only_what_the_output_shows_counts() -> None:
    incidents = Incidents()
    for size in ("1", "2"):
        one = alert("r", fd_name="/a")
        one.fields["proc.cwd"] = size  # evidence
        placed = incidents.add(one)
    assert placed.repeated


def test_after_an_hour_it_is_shown_anew() -> None:
    incidents = Incidents()
    for at in (0, 1, 2):
        incidents.add(alert(at_s=at))
    assert incidents.ended() == []
    placed = incidents.add(alert(at_s=3700))
    assert (placed.number, placed.count, placed.incident, placed.shown) == (2, 1, 1, True)
    [(_, last)] = incidents.ended()
    assert (last.number, last.count) == (1, 3)


def test_many_different_alerts_of_one_rule_are_kept_and_shown_less() -> None:
    incidents = Incidents()
    placed = [incidents.add(alert(fd_name=f"/{n}")) for n in range(MOST_KEPT + 500)]
    assert sum(p.shown for p in placed[:MOST_KEPT]) == MOST_SHOWN + 2  # and the 100th and the 1000th
    assert len({p.number for p in placed}) == MOST_KEPT + 1
    assert [p.repeated for p in placed[MOST_KEPT:]] == [False] + [True] * 499
    # another rule is not hidden by that
    assert incidents.add(alert("s", fd_name="/0")).shown
    assert incidents.finish()[-1][1].count == 500


def test_what_is_remembered_is_bounded() -> None:
    incidents = Incidents(most=10)
    for n in range(200):
        chain = [process(1000 + n, "x"), INIT]
        incidents.add(alert("r", chain))
        incidents.add(alert("r", chain))
    assert len(incidents._kept) == 10 and len(incidents._members) == 40
    assert len(incidents.ended()) == 190  # their counts are told when they are forgotten
