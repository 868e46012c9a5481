"""Rules that count, on events with times that are given."""

import json

import pytest
from rule_texts import check, found, rule

from kernscope.detector.alert import Alert
from kernscope.detector.check import CheckedRules
from kernscope.detector.correlation import Memory, adopt_counts
from kernscope.detector.engine import Engine
from kernscope.detector.listing import states_json

pytest.importorskip("yaml", reason="rules are YAML")

SECOND = 10**9
Event = dict[str, object]


def ready(text: str) -> CheckedRules:
    checked = check(text)
    assert found(checked) == []
    return checked


def at(seconds: float, type: str = "execve", **fields: object) -> Event:
    event: Event = {"evt.type": type, "evt.rawtime": 1_700_000_000 * SECOND + round(seconds * SECOND)}
    return event | {name.replace("_", "."): value for name, value in fields.items()}


def feed(checked: CheckedRules, events: list[Event]) -> list[tuple[int, Alert]]:
    """The alerts, each with the place of the event that gave it."""
    engine = Engine(checked)
    return [(place, alert) for place, event in enumerate(events) for alert in engine.feed(event)]


def places(text: str, events: list[Event]) -> list[int]:
    return [place for place, _ in feed(ready(text), events)]


def counted(text: str, events: list[Event]) -> list[tuple[int, object]]:
    return [(place, alert.fields["rule.count"]) for place, alert in feed(ready(text), events)]


COUNT = rule(more="count: 3\nwithin: 10s")


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0, 1], []),
        ([0, 1, 2], [(2, 3)]),
        ([0, 5, 10], [(2, 3)]),  # both ends belong to the window
        ([0, 5, 10.000000001], []),
        ([0, 5, 11, 12], [(3, 3)]),  # the window slides
        ([0, 0, 0], [(2, 3)]),
        # After the alert the key is quiet for a window, and what goes on is counted.
        ([0, 1, 2, 3, 4, 11.9, 12], [(2, 3), (6, 7)]),
        ([0, 1, 2, 8, 9, 12, 15, 22], [(2, 3), (5, 6), (7, 8)]),
        # Less than three in a window: it is over, and the next alert counts anew.
        ([0, 1, 2, 20, 21, 22], [(2, 3), (5, 3)]),
        ([0, 1, 2, 11, 13, 14, 15], [(2, 3), (5, 3)]),
    ],
)
def test_count(times: list[float], expected: list[tuple[int, object]]) -> None:
    assert counted(COUNT, [at(time) for time in times]) == expected


def test_only_matches_count() -> None:
    events = [at(0), at(1, "open"), at(2, "open"), at(3), at(4)]
    assert places(COUNT, events) == [4]


def test_events_out_of_order_take_the_time_of_the_one_before() -> None:
    assert counted(COUNT, [at(5), at(4.9), at(15)]) == [(2, 3)]
    # A clock that was set back by more than the window begins anew.
    assert counted(COUNT, [at(100), at(101), at(50), at(51), at(52)]) == [(4, 3)]


def test_large_counts_have_coarse_times() -> None:
    text = rule(more="count: 5000\nwithin: 1s")
    events = [at(number / 10_000) for number in range(20_000)]
    (first, alert), (second, again) = feed(ready(text), events)
    assert (first, alert.fields["rule.count"]) == (4999, 5000)
    assert (second, again.fields["rule.count"]) == (14_999, 15_000)
    slow = [at(number / 4900) for number in range(15_000)]
    assert places(text, slow) == []


@pytest.mark.parametrize(
    ("by", "events", "expected"),
    [
        ("process", [{"proc.pid": 1}, {"proc.pid": 2}, {"proc.pid": 1}], [2]),
        # The number was used again.
        ("process", [{"proc.pid": 1, "proc.pid.ts": 5}, {"proc.pid": 1, "proc.pid.ts": 6}], []),
        (
            "executable",
            [{"proc.exepath": "/bin/a"}, {"proc.exepath": "/bin/b"}, {"proc.exepath": "/bin/a"}],
            [2],
        ),
        ("user", [{"user.uid": 0}, {"user.uid": 0}], [1]),
        ("user", [{"user.name": "a"}, {"user.name": "b"}], []),
        ("address", [{"fd.rip": "10.0.0.1"}, {"fd.rip": "10.0.0.2"}, {"fd.rip": "10.0.0.1"}], [2]),
        (
            "address",
            [{"fd.sip": "10.0.0.1", "fd.cip": "1.1.1.1"}, {"fd.sip": "10.0.0.1", "fd.cip": "1.1.1.2"}],
            [1],
        ),
        (
            "address",
            [{"fd.cip": "9.9.9.9", "fd.sip": "1.1.1.1", "fd.is_server": True}, {"fd.rip": "9.9.9.9"}],
            [1],
        ),
        (
            "fd.directory",
            [{"fd.directory": "/a"}, {"fd.directory": "/b"}, {}, {}, {"fd.directory": "/b"}],
            [4],
        ),
        ("tolower(proc.name)", [{"proc.name": "A"}, {"proc.name": "a"}], [1]),
        ("[user, proc.name]", [{"user.uid": 0, "proc.name": "a"}, {"user.uid": 1, "proc.name": "a"}], []),
        ("[user, proc.name]", [{"user.uid": 0, "proc.name": "a"}, {"user.uid": 0, "proc.name": "a"}], [1]),
        (
            "fd.name",
            [{"fd.name": "x" * 5000 + "1"}, {"fd.name": "x" * 5000 + "2"}, {"fd.name": "x" * 5000 + "1"}],
            [2],
        ),
        (
            "process tree",
            [
                {"proc.pid": 30, "proc.ppid": 20, "proc.apid[2]": 10, "proc.apid[3]": 1},
                {"proc.pid": 40, "proc.ppid": 10, "proc.apid[2]": 1},
            ],
            [1],
        ),
        (
            "process tree",
            [
                {
                    "proc.pid": 30,
                    "proc.ppid": 20,
                    "proc.aname[1]": "bash",
                    "proc.apid[2]": 10,
                    "proc.aname[2]": "sshd",
                },
                {
                    "proc.pid": 31,
                    "proc.ppid": 21,
                    "proc.aname[1]": "bash",
                    "proc.apid[2]": 10,
                    "proc.aname[2]": "sshd",
                },
                {
                    "proc.pid": 32,
                    "proc.ppid": 20,
                    "proc.pname": "bash",
                    "proc.apid[2]": 10,
                    "proc.aname[2]": "sshd",
                },
            ],
            [2],
        ),
    ],
)
def test_by(by: str, events: list[Event], expected: list[int]) -> None:
    text = rule(more=f"count: 2\nwithin: 10s\nby: {by}")
    assert places(text, [at(number) | event for number, event in enumerate(events)]) == expected


def test_a_recording_may_hold_anything() -> None:
    text = rule(more="count: 2\nwithin: 10s\nby: process")
    events = [at(0) | {"proc.pid": value, "evt.rawtime": 5} for value in ([1, 2], [1, 2], [], "x", 1.5, True)]
    assert places(text, events) == [1]
    text = rule(more="distinct: fd.num\ncount: 2\nwithin: 10s")
    for time in (2**80, -1, 1.5, "x", None, True):
        assert places(text, [{"evt.type": "execve", "evt.rawtime": time, "fd.num": n} for n in (1, "1")]) == [
            1
        ]


def test_what_the_key_was_is_told() -> None:
    def by(key: str, event: Event) -> object:
        ((_, alert),) = feed(ready(rule(more=f"count: 2\nwithin: 10s\nby: {key}")), [event, event])
        return alert.fields["rule.by"]

    event = at(0, proc_pid=5, user_uid=0, fd_name="/x") | {"proc.pid.ts": 77}
    assert by("process", event) == "5"
    assert by("process tree", event) == "5"
    assert by("[process, user]", event) == "5 0"
    assert by("fd.name", event) == "/x"


def test_events_without_the_key_are_counted_as_such() -> None:
    checked = ready(rule(more="count: 2\nwithin: 10s\nby: process"))
    assert feed(checked, [at(0), at(1)]) == []
    correlation = checked.rules[0].correlation
    assert correlation is not None and correlation.skipped == 2


def test_distinct() -> None:
    text = rule(more="distinct: {field: fd.sport, count: 3}\nwithin: 10s\nby: process")
    ports = [1, 2, 2, 1, 3, 4, 4, 5]
    events = [at(number, proc_pid=7, fd_sport=port) for number, port in enumerate(ports)]
    ((place, alert),) = feed(ready(text), [*events, at(9, proc_pid=7), at(9, proc_pid=8, fd_sport=9)])
    assert place == 4
    assert alert.fields["rule.distinct"] == ["2", "1", "3"]
    assert (alert.fields["rule.count"], alert.fields["rule.by"]) == (3, "7")
    assert alert.fields["rule.duration"] == 2 * SECOND  # port 2 was last seen at 2
    # Each value counts from when it was seen last.
    assert places(text, [at(t, proc_pid=7, fd_sport=p) for t, p in ((0, 1), (6, 2), (7, 1), (16, 3))]) == [3]
    assert places(text, [at(t, proc_pid=7, fd_sport=p) for t, p in ((0, 1), (6, 2), (16.1, 3))]) == []
    # The second form, and the sum after the quiet time.
    second = rule(more="distinct: fd.sport\ncount: 3\nwithin: 10s\nby: process")
    many = [at(number / 10, proc_pid=7, fd_sport=number) for number in range(200)]
    assert counted(second, many) == [(2, 3), (102, 103)]


def test_distinct_members_of_lists_and_transformed() -> None:
    text = rule(more="distinct: basename(fd.name)\ncount: 2\nwithin: 1m")
    assert places(text, [at(0, fd_name="/a/x"), at(1, fd_name="/b/x"), at(2, fd_name="/b/y")]) == [2]
    text = rule(more="distinct: fd.port\ncount: 2\nwithin: 1m")
    assert places(text, [at(0, fd_sport=1, fd_cport=2)]) == [0]


SEQUENCE = """\
- rule: s
  desc: d
  priority: notice
  output: "%rule.count %rule.steps"
  sequence:
    - evt.type = connect
    - fetched
    - {condition: evt.type = execve, name: run}
  within: 10s
  by: user
- macro: fetched
  condition: evt.type = open
"""


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("c0 o1 e2", [2]),
        ("c0 e1 o2", []),
        ("c0 o5 e10", [2]),
        ("c0 o5 e11", []),
        ("c0 o5 c6 e11", []),
        ("c0 c4 o5 e11", [3]),  # the attempt that began last
        ("c0 o1 c8 e9", [3]),
        ("c0 o1 c8 o9 e12", [4]),
        ("c0 o0 e0", [2]),  # the same time: in the order in which they come
        ("e0 o0 c0", []),
        ("c0 o1 e2 e3", [2]),  # an attempt is used up
        ("c0 o1 e2 c3 o4 e5", [2]),  # quiet
        ("c0 o1 e2 c3 o4 e5 c9 o11 e12", [2, 8]),
    ],
)
def test_sequence(steps: str, expected: list[int]) -> None:
    types = {"c": "connect", "o": "open", "e": "execve"}
    events = [at(float(step[1:]), types[step[0]], user_uid=0) for step in steps.split()]
    assert places(SEQUENCE, events) == expected
    apart = [event | {"user.uid": number} for number, event in enumerate(events)]
    assert places(SEQUENCE, apart) == []


def test_a_sequence_tells_its_steps() -> None:
    events = [
        at(0, "connect", user_uid=0, fd_name="1.1.1.1:1->2.2.2.2:80", proc_name="cu\nrl", proc_pid=5),
        at(1, "open", user_uid=0, evt_time="12:00:00.5"),
        at(2, user_uid=0),
    ]
    ((_, alert),) = feed(ready(SEQUENCE), events)
    steps = [
        "1700000000.000000 connect cu\nrl(5) 1.1.1.1:1->2.2.2.2:80",
        "12:00:00.5 open ?(?)",
        "1700000002.000000 execve ?(?)",
    ]
    assert alert.fields["rule.steps"] == steps
    assert alert.fields["rule.duration"] == 2 * SECOND
    shown = ",".join(steps).replace("\n", "\\x0a")
    assert alert.output == f"1 {shown}"


def test_a_sequence_has_the_filter_and_exceptions_of_its_rule() -> None:
    text = SEQUENCE.replace("  sequence:", "  condition: proc.name = nc\n  sequence:")
    text += """\
- rule: s
  exceptions: [{name: e, fields: fd.name, values: [/ok]}]
  append: true
"""
    checked = ready(text)
    assert checked.rules[0].event_types == frozenset(("connect", "open", "execve"))
    kinds = ("connect", "open", "execve")
    good = [at(n, kind, user_uid=0, proc_name="nc", fd_name="/x") for n, kind in enumerate(kinds)]
    assert [place for place, _ in feed(checked, good)] == [2]
    for number in range(3):
        for change in ({"fd.name": "/ok"}, {"proc.name": "ls"}):
            changed = [event | (change if place == number else {}) for place, event in enumerate(good)]
            assert places(text, changed) == []


def test_steps_that_are_joined_by_value() -> None:
    text = """\
- rule: written then run
  desc: d
  priority: notice
  output: x
  sequence:
    - {condition: evt.type = openat and evt.is_open_write = true, by: fd.name}
    - {condition: evt.type = execve, by: proc.exepath}
  within: 1m
"""

    def written(path: str) -> Event:
        return at(0, "openat", fd_name=path) | {"evt.is_open_write": True}

    assert places(text, [written("/tmp/a"), at(1, proc_exepath="/tmp/b"), at(2, proc_exepath="/tmp/a")]) == [
        2
    ]
    assert places(text, [at(0, proc_exepath="/tmp/a"), written("/tmp/a")]) == []


def test_a_step_of_several_matches_and_another_rule() -> None:
    text = """\
- rule: many then one
  desc: d
  priority: notice
  output: x
  sequence:
    - {rule: failed, count: 3}
    - evt.type = execve
  within: 10s
"""
    text += rule("evt.type = open and evt.failed = true", name="failed", more="enabled: false")
    failed: Event = {"evt.failed": True}
    events = [at(t, "open") | failed for t in range(3)]
    assert places(text, [*events, at(4)]) == [3]
    assert places(text, [*events[1:], at(4)]) == []
    assert places(text, [*(at(t, "open") for t in range(3)), at(4)]) == []
    # The latest three count.
    assert places(text, [at(0, "open") | failed, *(at(t, "open") | failed for t in (8, 9, 9.5)), at(15)]) == [
        4
    ]


def test_one_event_is_one_step() -> None:
    text = SEQUENCE.replace("evt.type = connect", "fetched").replace("evt.type = execve", "fetched")
    assert places(text, [at(t, "open", user_uid=0) for t in range(3)]) == [2]


def test_changes_in_a_later_file() -> None:
    def places_of(change: str) -> list[int]:
        return [place for place, _ in feed(check(COUNT, change), [at(t) for t in range(6)])]

    assert places_of("- rule: r\n  count: 5\n  override: {count: replace}\n") == [4]
    assert places_of("- rule: r\n  within: 1s\n  override: {within: replace}\n") == []
    longer = "- rule: s\n  sequence: [evt.type = unlink]\n  override: {sequence: append}\n"
    kinds = ("connect", "open", "execve", "unlink")
    events = [at(n, kind, user_uid=0) for n, kind in enumerate(kinds)]
    assert [place for place, _ in feed(check(SEQUENCE, longer), events)] == [3]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("count: 3", ("1:7:10", "`count` needs `within`")),
        ("within: 3s", ("1:7:11", "`within` alone does nothing")),
        ("by: process", ("1:7:7", "`by` alone does nothing")),
        ("count: three\nwithin: 3s", ("1:7:10", "`count` is a number from 2 to")),
        ("count: 1\nwithin: 3s", ("1:7:10", "`count` is a number from 2 to")),
        ("count: [3]\nwithin: 3s", ("1:7:10", "`count` is a number from 2 to")),
        ("count: 3\nwithin: soon", ("1:8:11", "`within` is a time")),
        ("count: 3\nwithin: 3x", ("1:8:11", "`within` is a time")),
        ("count: 3\nwithin: -3s", ("1:8:11", "`within` is a time")),
        ("count: 3\nwithin: 0", ("1:8:11", "`within` is at least")),
        ("count: 3\nwithin: 30d", ("1:8:11", "`within` is at least")),
        ("count: 3\nwithin: 3s\nby: proces", ("1:9:7", "`by` cannot be `proces`")),
        ("count: 3\nwithin: 3s\nby: proc.nam", ("1:9:7", "there is no field `proc.nam`")),
        (
            "count: 3\nwithin: 3s\nby: container.image",
            ("1:9:7", "`container.image` is missing on a plain host"),
        ),
        ("count: 3\nwithin: 3s\nby: []", ("1:9:7", "`by` is empty")),
        ("count: 3\nwithin: 3s\nby: {a: b}", ("1:9:7", "`by` is a word or a list of words")),
        ("distinct: fd.sport\nwithin: 3s", ("1:7:13", "`distinct` needs a number of values")),
        ("distinct: {count: 3}\nwithin: 3s", ("1:7:13", "`distinct` needs a field")),
        (
            "distinct: {field: fd.sport, count: 3, number: 3}\nwithin: 3s",
            ("1:7:41", "`distinct` has `field` and `count`"),
        ),
        ("distinct: {field: fd.sport, count: 3}\ncount: 3\nwithin: 3s", ("1:7:38", "`count` is given twice")),
        ("distinct: fd.sport\ncount: 1000000\nwithin: 3s", ("1:8:10", "`count` is a number from 2 to 10000")),
        ("sequence: evt.type = open\nwithin: 3s", ("1:7:13", "`sequence` is a list of steps")),
        ("sequence: [evt.type = open]\nwithin: 3s", ("1:7:13", "a sequence has at least two steps")),
        ("sequence: [evt.type = open, '']\nwithin: 3s", ("1:7:31", "a step is empty")),
        ("sequence: [evt.type = open, [a]]\nwithin: 3s", ("1:7:31", "a step is a condition, or a mapping")),
        (
            "sequence: [evt.type = open, {by: user}]\nwithin: 3s",
            ("1:7:31", "a step has either `condition` or `rule`"),
        ),
        ("sequence: [evt.type = open, {rule: r, coun: 3}]\nwithin: 3s", ("1:7:41", "a step has no `coun`")),
        ("sequence: [evt.type = open, {rule: none}]\nwithin: 3s", ("1:7:38", "there is no rule `none`")),
        ("sequence: [evt.type = open, {rule: r}]\nwithin: 3s", ("1:7:38", "the rule `r` counts itself")),
        ("sequence: [evt.type = open, evt.type =]\nwithin: 3s", ("1:7:40", "expected a value behind `=`")),
        ("sequence: [evt.type = open, no_macro]\nwithin: 3s", ("1:7:31", "there is no macro `no_macro`")),
        ("sequence: [evt.type = open, proc.x = 1]\nwithin: 3s", ("1:7:31", "there is no field `proc.x`")),
        (
            "sequence: [evt.type = open, {condition: evt.type = close, count: 32}]\nwithin: 3s",
            ("1:7:13", "a sequence has at most 32 steps"),
        ),
        (
            "sequence: [evt.type = open, evt.type = read]\ncount: 3\nwithin: 3s",
            ("1:8:10", "exclude each other"),
        ),
    ],
)
def test_errors_and_their_places(keys: str, expected: tuple[str, str]) -> None:
    checked = check(rule(more=keys) + rule(name="other"))
    problem = checked.diagnostics[0]
    assert problem.span is not None
    line, column = problem.span.source.position(problem.span.start)
    assert (f"1:{line}:{column}", expected[1] in problem.message) == (expected[0], True), problem.message
    assert [r.state for r in checked.rules] == ["refused", "active"]
    assert checked.rules[0].reason == problem.message


def test_conditions_cannot_ask_for_evidence() -> None:
    checked = check(rule("evt.type = open and rule.count > 3", more="count: 3\nwithin: 3s"))
    assert found(checked) == [("1:6:25", "bad-correlation")]
    assert checked.rules[0].reason == "`rule.count` is known only when the rule alerts"


def test_a_step_that_can_never_match() -> None:
    text = SEQUENCE.replace("- fetched", "- evt.type = container")
    (checked,) = check(text).rules
    assert (checked.state, checked.reason) == ("cannot-fire", "on a plain host no containers are started")


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("count: 3000\nwithin: 90s", "3,000 matches within 90s"),
        ("count: 3\nwithin: 1.5s\nby: [process, fd.sip]", "3 matches within 1500ms by process and fd.sip"),
        (
            "distinct: basename(fd.name)\ncount: 3\nwithin: 120",
            "3 different values of basename(fd.name) within 2m",
        ),
        (
            "sequence: [evt.type = open, {rule: o, count: 3, by: user}]\nwithin: 1d",
            "2 steps in order: evt.type = open; `o` (3 times) by user; all within 1d",
        ),
    ],
)
def test_in_words(keys: str, text: str) -> None:
    checked = ready(rule(more=keys) + rule(name="o"))
    assert json.loads(states_json(checked))["rules"][0]["counts"] == text


class TestMemory:
    def test_a_flood_of_keys_is_bounded_and_counted(self) -> None:
        checked = ready(rule(more="count: 3\nwithin: 1h\nby: process"))
        checked.memory.most = 700
        events = [at(number / 1000, proc_pid=number) for number in range(1000)]
        assert feed(checked, events) == []
        correlation = checked.rules[0].correlation
        assert correlation is not None
        assert checked.memory.used <= 700
        assert correlation.evicted == checked.memory.evicted == 900
        # What was used last is kept.
        assert [p for p, _ in feed(checked, [at(2, proc_pid=999), at(3, proc_pid=999)])] == [1]

    def test_the_largest_rule_gives_way(self) -> None:
        checked = ready(
            rule(name="many", more="distinct: fd.name\ncount: 1000\nwithin: 1h\nby: user")
            + rule("evt.type = open", name="few", more="count: 2\nwithin: 1h\nby: user")
        )
        checked.memory.most = 500
        assert feed(checked, [at(0, "open", user_uid=7)]) == []
        feed(checked, [at(1, user_uid=n % 3, fd_name=str(n)) for n in range(600)])
        assert checked.memory.evicted > 0
        assert [alert.rule for _, alert in feed(checked, [at(2, "open", user_uid=7)])] == ["few"]

    def test_it_is_small_again_after_a_flood(self) -> None:
        checked = ready(rule(more="distinct: fd.name\ncount: 20\nwithin: 10s\nby: process"))
        events = [at(n / 1000, proc_pid=n % 300, fd_name=str(n)) for n in range(3000)]
        assert feed(checked, events) == []
        assert checked.memory.used == 300 * 16
        feed(checked, [at(20, proc_pid=1, fd_name="x")])
        assert checked.memory.used == 7

    def test_times_of_a_flood(self) -> None:
        checked = ready(rule(more="count: 1000000\nwithin: 10s"))
        assert feed(checked, [at(n / 10_000) for n in range(50_000)]) == []
        assert checked.memory.used <= 1024 + 6


def test_states_of_two_sets_are_apart() -> None:
    assert Memory().tables == []
    first, second = ready(COUNT), ready(COUNT)
    assert feed(first, [at(0), at(1)]) == []
    assert feed(second, [at(2)]) == []
    assert [p for p, _ in feed(first, [at(2)])] == [0]


class TestReload:
    def again(self, before: str, after: str, first: list[Event], then: list[Event]) -> list[int]:
        old, new = ready(before), ready(after)
        assert feed(old, first) == []
        adopt_counts(new.rules, old.rules)
        assert old.memory.used == 0 or new.memory.used == 0
        return [place for place, _ in feed(new, then)]

    @pytest.mark.parametrize(
        ("after", "goes_on"),
        [
            (COUNT, True),
            (COUNT + rule("evt.type = open", name="other"), True),
            (COUNT.replace("priority: notice", "priority: warning"), True),
            (COUNT.replace("evt.type = execve", "evt.type in (execve, open)"), False),
            (COUNT.replace("within: 10s", "within: 11s"), False),
            (COUNT + "  by: process\n", False),
            (COUNT.replace("- rule: r", "- rule: s"), False),
        ],
    )
    def test_counts_go_on_where_the_rule_is_the_same(self, after: str, goes_on: bool) -> None:
        then = [at(2, proc_pid=1)]
        assert self.again(COUNT, after, [at(0, proc_pid=1), at(1, proc_pid=1)], then) == [0] * goes_on

    def test_sequences_go_on(self) -> None:
        first = [at(0, "connect", user_uid=0), at(1, "open", user_uid=0)]
        assert self.again(SEQUENCE, SEQUENCE, first, [at(2, user_uid=0)]) == [0]
        other = SEQUENCE.replace("condition: evt.type = open", "condition: evt.type = openat")
        assert self.again(SEQUENCE, other, first, [at(2, user_uid=0)]) == []
