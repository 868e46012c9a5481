"""Windows of live processes, from records and maps that are made here."""

import pytest
from rule_texts import check, rule

import kernscope
from kernscope.detector.anomaly import Baseline
from kernscope.detector.watch import behaviour
from kernscope.detector.watch.behaviour import EXACT, SAMPLED, Behaviour, usual_baseline, wanted_behaviour
from kernscope.detector.watch.behaviour_program import GRAM_KIND, MAP_NAMES, behaviour_text
from kernscope.detector.watch.live_event import LiveEvent
from kernscope.detector.watch.processes import ProcessTree
from kernscope.detector.watch.program import KIND, Plan
from kernscope.detector.watch.records import Records

SECOND = 10**9
MAP = MAP_NAMES[0]


@pytest.mark.parametrize(
    ("condition", "output", "wanted"),
    [
        ("evt.type = execve", "x", ""),
        ("evt.type = window and window.rate > 1", "x", SAMPLED),
        ("evt.type in (window, execve)", "x", SAMPLED),
        ("evt.type = execve and anomaly.score > 1", "x", EXACT),
        ("evt.type = execve", "%anomaly.reason", EXACT),
        ("evt.type = execve", "%window.rate", SAMPLED),
    ],
)
def test_what_rules_need(condition: str, output: str, wanted: str) -> None:
    pytest.importorskip("yaml", reason="rules are YAML")
    assert wanted_behaviour(check(rule(condition).replace("%proc.name", output)).rules) == wanted


@pytest.mark.parametrize("exact", [False, True])
def test_the_program_compiles_and_leaves_itself_out(exact: bool) -> None:
    text = behaviour_text(exact=exact)
    assert "pid != @self" in text and "SELF" not in text
    assert kernscope.format_program("begin { @self = pid; }\n" + text, name="b")


class Clock:
    def __init__(self) -> None:
        self.now = 1000 * SECOND

    def __call__(self) -> int:
        return self.now


class Watched:
    """A behaviour with a tree of two processes: 10 `/bin/a` and its child 11, which executed nothing."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.events: list[LiveEvent] = []
        self.baseline = Baseline()
        self.behaviour = Behaviour(EXACT, self.events.append, baseline=self.baseline)
        self.tree = ProcessTree(lambda pid: None)
        parent = self.tree.fork(10, 5, 1)
        parent.exe, parent.comm = "/bin/a", "a"
        self.records = Records(Plan(), self.tree, boot_offset_ns=0, began_ns=0)
        self.behaviour.join(self.records)
        self.fork(11)

    def fork(self, pid: int) -> None:
        self.records.take((KIND["fork"], 0, pid, 6, 10))

    def second(self, **counts: int) -> None:
        """A second with calls of process 10: read, write, or failed read."""
        self.clock.now += SECOND
        keys = {"read": (10, 7, 0, False), "write": (10, 7, 1, False), "failed": (10, 7, 0, True)}
        self.behaviour.take_map(MAP, {keys[name]: count for name, count in counts.items()})


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(behaviour, "_now_ns", clock)
    return clock


def test_a_window_with_much_in_it_is_an_event(clock: Clock) -> None:
    watched = Watched(clock)
    for _ in range(4):
        watched.second(read=2000, write=400, failed=100)
    assert watched.events == []
    watched.second(read=2000)
    (event,) = watched.events
    assert (event.get("evt.type"), event.get("proc.pid"), event.get("proc.name")) == ("window", 10, "a")
    wanted = {
        "window.calls": 12_000,
        "window.rate": 2400,
        "window.errors": 400,
        "window.error_share": 3,
        "window.forks": 1,
        "window.top": "read 87 %, write 13 %",
        "window.duration": 5 * SECOND,
        "anomaly.score": 0.0,
        "anomaly.reason": None,
    }
    assert {name: event.get(name) for name in wanted} == wanted


def test_a_window_with_little_in_it_is_none(clock: Clock) -> None:
    watched = Watched(clock)
    for _ in range(20):
        watched.second(read=100)
    assert watched.events == []


def test_forks_count(clock: Clock) -> None:
    watched = Watched(clock)
    for pid in range(100, 300):
        watched.fork(pid)
    for _ in range(5):
        watched.second()
    assert [event.get("window.forks") for event in watched.events] == [201]


def test_calls_that_are_none_and_processes_that_are_unknown(clock: Clock) -> None:
    watched = Watched(clock)
    for _ in range(5):
        clock.now += SECOND
        watched.behaviour.take_map(MAP, {(10, 7, (1 << 64) - 1, True): 10_000, (99, 7, 0, False): 10_000})
        watched.behaviour.take_map("@other", {(10, 7, 0, False): 10_000})
    assert watched.events == []


def test_samples_stand_for_many(clock: Clock) -> None:
    watched = Watched(clock)
    window = watched.behaviour.scorer.windows.of((10, 5), "/bin/a")
    watched.behaviour.take_map(MAP, {(10, 7, 1024 | 3, False): 640, (10, 7, 3, True): 5})
    assert (window.calls, window.total, window.seen, window.failed) == ({3: 645}, 645, 15, 5)


def test_calls_before_an_exec_are_those_of_the_program_before(clock: Clock) -> None:
    watched = Watched(clock)
    process = watched.tree.get(10)
    assert process is not None
    for exe, inode in (("/bin/a", 7), ("/bin/b", 8)):
        process.exe, process.exe_inode = exe, inode
        watched.behaviour.observe(watched.records.event("execve", process, clock.now))
    watched.behaviour.take_map(MAP, {(10, 7, 0, False): 1, (10, 8, 1, False): 2, (10, 9, 2, False): 3})
    windows = watched.behaviour.scorer.windows
    assert windows.of((10, 5), "/bin/a").calls == {0: 1}
    assert windows.of((10, 5), "/bin/b").calls == {1: 2}


def test_a_score_is_a_field_of_later_events(clock: Clock) -> None:
    watched = Watched(clock)
    other = Watched(clock)
    learning = Behaviour(EXACT, lambda _: None, baseline=watched.baseline, learning=True)
    learning.join(other.records)
    for _ in range(50 * 5):
        clock.now += SECOND
        learning.take_map(MAP, {(10, 7, 0, False): 100, (10, 7, 1, False): 50})
    model = watched.baseline.models["/bin/a"]
    assert (model.ready, sorted(model.calls)) == (True, [0, 1])

    process = watched.tree.get(10)
    before = watched.records.event("execve", process, clock.now)
    assert (before.get("anomaly.score"), before.get("anomaly.reason")) == (0.0, None)
    watched.behaviour._began_ns = clock.now
    for _ in range(5):
        watched.second(read=100, write=50)
    assert watched.events == []
    for _ in range(5):
        clock.now += SECOND
        watched.behaviour.take_map(MAP, {(10, 7, 0, False): 100, (10, 7, 101, False): 5})
    (event,) = watched.events
    assert event.get("anomaly.reason") == "new calls: ptrace"
    later = watched.records.event("execve", process, event.time_ns + 59 * SECOND)
    assert later.get("anomaly.score") == event.get("anomaly.score") == 12.0
    assert watched.records.event("execve", process, event.time_ns + 61 * SECOND).get("anomaly.score") == 0.0


def test_unknown_runs_count_for_their_process(clock: Clock) -> None:
    watched = Watched(clock)
    model = watched.baseline.of("/bin/a")
    model.periods = 1000
    model.grams[1] = 1
    for run in range(1, 20):
        watched.records.take((GRAM_KIND, 0, 10, 5, run))
    for _ in range(5):
        watched.second()
    assert [event.get("anomaly.reason") for event in watched.events] == ["18 unknown runs of calls"]


@pytest.mark.usefixtures("clock")
class TestBaselineOfTheHost:
    @pytest.fixture(autouse=True)
    def state(self, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = f"{tmp_path}/baseline.json"
        monkeypatch.setattr(behaviour, "baseline_path", lambda: self.path)

    def test_none_yet(self) -> None:
        notes: list[str] = []
        assert not usual_baseline(notes).models
        assert notes == [
            "no baseline yet: `anomaly.score` is 0 until `kernscope detect learn` has learned what is usual"
        ]

    def test_damaged(self) -> None:
        with open(self.path, "w") as file:
            file.write("x")
        notes: list[str] = []
        assert not usual_baseline(notes).models
        assert notes[0].startswith(f"`{self.path}`: not JSON")

    def test_there(self) -> None:
        made = Baseline()
        made.of("/bin/a")
        made.save(self.path)
        notes: list[str] = []
        assert list(usual_baseline(notes).models) == ["/bin/a"]
        assert notes == []
