"""The store: what is written is read again, whatever happens between."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_alerts import INIT, NOW_NS, alert, process

from kernscope.detector.alert import Alert
from kernscope.detector.incidents import Incidents
from kernscope.detector.store import AlertQuery, Store, StoredAlerts, StoreError

HERE = Path(__file__).parent
PRIVATE_MOUNTS = subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0


class Writer:
    """A store and the incidents in front of it."""

    def __init__(self, path: Path, **more: float) -> None:
        self.told: list[str] = []
        self.store = Store(str(path), tell=self.told.append, **more)  # type: ignore[arg-type]
        self.incidents = Incidents(first_incident=self.store.next_incident, first_alert=self.store.next_alert)
        self.incidents.restore(self.store.known_incidents())

    def write(self, *alerts: Alert) -> bool:
        for one in alerts:
            self.store.add(one, self.incidents.add(one))
        return self.store.commit()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "alerts.db"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    made = Writer(path)
    yield made
    made.store.close()


def read(path: Path, **query: object) -> list[str]:
    """`number rule ×count` of what fits."""
    store = StoredAlerts(str(path))
    found = [f"{a.number} {a.rule} ×{a.count}" for a in store.alerts(AlertQuery(**query))]  # type: ignore[arg-type]
    store.close()
    return found


def distinct(count: int, first: int = 0, text: str = "") -> list[Alert]:
    chains = [[process(2000 + n, "x"), INIT] for n in range(first, first + count)]
    return [alert("r", chain, output=f"{text}{n}") for n, chain in enumerate(chains, first)]


def test_what_is_written_is_read(writer: Writer, path: Path) -> None:
    one = alert("A rule", priority="critical", tags=("T1059", "x"), output="what", fd_name="/etc/shadow")
    assert writer.write(one, alert("other"))
    store = StoredAlerts(str(path))
    first, second = store.alerts(AlertQuery())
    assert (first.number, first.incident, first.count, first.time_ns, first.last_ns) == (
        1,
        1,
        1,
        NOW_NS,
        NOW_NS,
    )
    assert (first.rule, first.priority, first.tags, first.output) == (
        "A rule",
        "critical",
        ["T1059", "x"],
        "what",
    )
    assert (first.pid, first.name, first.exe, first.user) == (1300, "cat", "/usr/bin/cat", "root")
    assert (first.fields, first.process) == (one.fields, one.process)
    assert (second.number, second.incident, second.rule) == (2, 1, "other")
    incident = store.incident(1)
    assert incident is not None
    assert (incident.alerts, incident.priority, incident.root["pid"], incident.rules) == (
        *(2, "critical", 1200),
        ["A rule", "other"],
    )
    assert store.losses() == [] and store.trimmed() == 0


def test_repetitions_are_counted_in_their_row(writer: Writer, path: Path) -> None:
    writer.write(*(alert(at_s=n) for n in range(3)))
    writer.write(*(alert(at_s=n) for n in range(3, 42)))
    assert read(path) == ["1 r ×42"]
    store = StoredAlerts(str(path))
    [found] = store.alerts(AlertQuery())
    assert found.last_ns - found.time_ns == 41 * 10**9
    [incident] = store.incidents(AlertQuery())
    assert incident.alerts == 42


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({}, [1, 2, 3, 4]),
        ({"last": 2}, [3, 4]),
        ({"rule": "SHELL"}, [1, 2]),
        ({"rule": "shell*"}, [2]),
        ({"rule": "?hell of"}, []),
        ({"rule": "[s]hell"}, []),
        ({"priority": "error"}, [1, 3]),
        ({"tag": "T1"}, [1]),
        ({"tag": "T"}, []),
        ({"process": "nc"}, [1]),
        ({"process": "101"}, [1]),
        ({"process": "/usr/bin/ba"}, [2]),
        ({"user": "ali"}, [2]),
        ({"incident": 3}, [3]),
        ({"text": "SECRET"}, [4]),
        ({"text": "/etc/pass"}, [3]),
        ({"text": "%"}, []),
        ({"text": "' OR 1 --"}, []),
        ({"rule": "x' OR 1 --"}, []),
        ({"since_ns": NOW_NS + 2 * 10**9}, [3, 4]),
        ({"until_ns": NOW_NS + 10**9}, [1, 2]),
        ({"priority": "error", "process": "nc"}, [1]),
    ],
)
def test_filters(writer: Writer, path: Path, query: dict[str, object], numbers: list[int]) -> None:
    writer.write(
        alert("Reverse shell", [process(101, "nc"), INIT], priority="critical", tags=("T1", "T10")),
        alert("Shell of a server", [process(102, "bash", user="alice"), INIT], at_s=1, tags=("T10",)),
        alert("Read", [process(103, "cat"), INIT], priority="error", at_s=2, fd_name="/etc/passwd"),
        alert("Other", [process(104, "cat"), INIT], priority="notice", at_s=3, output="a secret thing"),
    )
    assert [int(line.split()[0]) for line in read(path, **query)] == numbers


HOSTILE = "x\n\x1b[2J\udcff\u202e'\";DROP TABLE alerts;--\x00"


def test_hostile_texts(writer: Writer, path: Path) -> None:
    chain = [process(5, HOSTILE, exe=f"/{HOSTILE}", cmdline=HOSTILE, user=HOSTILE), INIT]
    writer.write(alert("r", chain, tags=("a\nb",), fd_name=HOSTILE))
    store = StoredAlerts(str(path))
    [found] = store.alerts(AlertQuery())
    for shown in (found.name, found.exe, found.user, *found.tags):
        assert shown.isprintable()
    assert found.fields["fd.name"] == HOSTILE  # evidence is kept to the byte
    assert found.process[0]["cmdline"] == HOSTILE
    for key in ("process", "user", "text"):
        assert read(path, **{key: HOSTILE.replace("\udcff", "*") if key != "text" else "DROP table"}) != []
    assert read(path, tag="a\nb") == ["1 r ×1"]


def test_huge_values_are_cut_with_a_mark(writer: Writer, path: Path) -> None:
    huge = {f"fd_x{n}": "y" * 100_000 for n in range(50)}
    writer.write(alert("r", [process(n, "z" * 10_000) for n in range(2, 40)], output="o" * 10**6, **huge))
    writer.write(alert("many", fd_types=["file"] * 1000))
    first, second = StoredAlerts(str(path)).alerts(AlertQuery())
    assert first.body["cut"] is True and len(first.output) <= 4200
    assert str(first.fields["fd.x0"]).endswith("more")
    assert path.stat().st_size + path.with_name("alerts.db-wal").stat().st_size < 600_000
    types = second.fields["fd.types"]
    assert isinstance(types, list) and types[-1] == "… 936 more"


def test_only_the_owner_may_read(writer: Writer, path: Path) -> None:
    writer.write(alert())
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    assert len(list(path.parent.iterdir())) == 4  # with WAL, its index, and the page of losses


def test_links_and_folders_of_others_are_refused(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "hard").hardlink_to(tmp_path / "target")
    os.mkfifo(tmp_path / "pipe")
    for name, why in (("link", "is a link"), ("hard", "hard link"), ("pipe", "no regular file")):
        with pytest.raises(StoreError, match=why):
            Store(str(tmp_path / name))
    (tmp_path / "x.db").unlink(missing_ok=True)
    (tmp_path / "x.db.lost").symlink_to("target")
    with pytest.raises(StoreError, match="is a link"):
        Store(str(tmp_path / "x.db"))
    assert (tmp_path / "target").read_text() == "precious"
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(StoreError, match="others may write to the folder") as refused:
        Store(str(shared / "x.db"))
    assert "choose a folder of your own" in refused.value.help
    assert list(shared.iterdir()) == []


def test_one_writer(writer: Writer, path: Path) -> None:
    with pytest.raises(StoreError, match="another detector writes"):
        Store(str(path))
    writer.write(alert())
    assert read(path) == ["1 r ×1"]


def test_numbers_and_incidents_go_on(path: Path) -> None:
    first = Writer(path)
    first.write(alert(), alert("s", [process(9, "x"), INIT]))
    first.store.close()
    second = Writer(path)
    second.write(alert("t", at_s=1), alert("u", [process(10, "y"), INIT]))
    second.store.close()
    store = StoredAlerts(str(path))
    assert [(a.number, a.incident) for a in store.alerts(AlertQuery())] == [(1, 1), (2, 2), (3, 1), (4, 3)]
    incident = store.incident(1)
    assert incident is not None and incident.alerts == 2


class TestDamage:
    @pytest.mark.parametrize("damage", ["nonsense", "cut", "zeroed"])
    def test_a_damaged_store_is_moved_aside(self, path: Path, damage: str) -> None:
        before = Writer(path)
        before.write(*distinct(300))
        before.store.close()
        whole = path.read_bytes()
        kept = {
            "nonsense": os.urandom(50_000),
            "cut": whole[: len(whole) // 2 + 100],
            "zeroed": whole[:4096] + bytes(40_000),
        }
        path.write_bytes(kept[damage])
        writer = Writer(path)
        assert writer.write(alert("new"))
        writer.store.close()
        [message] = writer.told
        aside = next(path.parent.glob("alerts.db.damaged-*"))
        assert "was damaged" in message and str(aside) in message and "new one is begun" in message
        assert aside.read_bytes()[:100] == kept[damage][:100]
        assert stat.S_IMODE(aside.stat().st_mode) == 0o600
        assert read(path) == ["1 new ×1"]

    def test_only_a_few_damaged_ones_are_kept(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700)
        for _ in range(6):
            path.write_bytes(b"nonsense" * 1000)
            Writer(path).store.close()
        assert len(list(path.parent.glob("alerts.db.damaged-*"))) == 3

    def test_damage_while_it_is_written(self, writer: Writer, path: Path) -> None:
        """Another program wrote over it."""
        writer.write(*distinct(3000))
        with sqlite3.connect(path) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        other.close()
        size = path.stat().st_size
        with open(path, "r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (size - 4096))
        written = distinct(1000, 3000)
        for begin in range(0, 1000, 100):
            assert writer.write(*written[begin : begin + 100])
        assert any("was damaged" in text for text in writer.told)
        found = read(path)
        assert found[-1] == "4000 r ×1" and 100 <= len(found) <= 1000

    def test_a_database_of_others_is_not_touched(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700)
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE mine (x)")
        other.commit()
        other.close()
        content = path.read_bytes()
        with pytest.raises(StoreError, match="another program's database"):
            Store(str(path))
        assert path.read_bytes() == content
        with pytest.raises(StoreError, match="no store of alerts"):
            StoredAlerts(str(path))

    def test_a_later_version_is_not_touched(self, path: Path) -> None:
        Writer(path).store.close()
        other = sqlite3.connect(path)
        other.execute("PRAGMA user_version = 99")
        other.close()
        with pytest.raises(StoreError, match="has version 99, and this Kernscope knows 1"):
            Store(str(path))
        with pytest.raises(StoreError, match="has version 99"):
            StoredAlerts(str(path))

    def test_reading_what_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="no alerts are stored: there is no"):
            StoredAlerts(str(tmp_path / "none.db"))
        (tmp_path / "x").write_bytes(b"x" * 5000)
        with pytest.raises(StoreError, match="no SQLite database"):
            StoredAlerts(str(tmp_path / "x"))
        (tmp_path / "empty").touch()
        with pytest.raises(StoreError, match="no store of alerts"):
            StoredAlerts(str(tmp_path / "empty"))

    def test_a_store_that_is_removed(self, writer: Writer, path: Path) -> None:
        writer.write(alert("a"))
        for file in path.parent.glob("alerts.db*"):
            if file.suffix != ".lost":
                file.unlink()
        writer.store.tick()
        assert writer.write(alert("b"))
        assert read(path) == ["2 b ×1"]
        assert any("was removed or replaced" in text for text in writer.told)


class TestNoRoom:
    def test_a_lock_that_stays(self, writer: Writer, path: Path) -> None:
        writer.write(alert("a"))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert not writer.write(alert("b"), alert("b"), alert("c"))
        assert not writer.write(alert("b"))
        [message] = writer.told
        assert "another program has locked it" in message and "counted" in message
        assert lost_page(path) == 2
        other.execute("ROLLBACK")
        time.sleep(1.05)  # it is tried again each second
        writer.store.tick()
        assert read(path) == ["1 a ×1", "2 b ×3", "3 c ×1"]
        assert "can be written again: 2 alerts" in writer.told[-1]
        assert lost_page(path) == 0 and StoredAlerts(str(path)).losses() == []

    def test_what_waits_is_bounded_and_the_rest_counted(
        self, writer: Writer, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("kernscope.detector.store.writer.MOST_WAITING_BYTES", 50_000)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert not writer.write(*distinct(200))
        assert 0 < writer.store.lost < 200
        assert lost_page(path) == 200
        other.execute("ROLLBACK")
        time.sleep(1.05)
        writer.store.tick()
        found = read(path)
        [(_, count, why)] = StoredAlerts(str(path)).losses()
        assert len(found) + count == 200 and count == writer.store.lost
        assert why == "too many alerts waited" or "locked" in why
        assert f"{count} are lost" in writer.told[-1] and lost_page(path) == 0

    @pytest.mark.parametrize("place", ["limit", "tmpfs"])
    def test_a_full_disk_and_then_a_kill(self, path: Path, place: str) -> None:
        """Everything that was shown is in the store, or in the count of what is not."""
        path.parent.mkdir(mode=0o700)
        if place == "tmpfs":
            if not PRIVATE_MOUNTS:
                pytest.skip("mounting needs root")
            mount = f"mount -t tmpfs -o size=400k,mode=0700 none {path.parent}"
            command = [
                "unshare",
                "-m",
                "sh",
                "-c",
                f"{mount} && {sys.executable} {HERE}/store_worker.py full {path}",
            ]
        else:
            command = [sys.executable, str(HERE / "store_worker.py"), "limited", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == -signal.SIGKILL or done.returncode == 128 + signal.SIGKILL, done.stderr
        *_, last = done.stdout.splitlines()
        shown, stored, lost = map(int, last.split())
        assert 0 < stored < shown
        if place == "tmpfs":  # it is gone with its namespace; the worker read it from a second process
            assert stored + lost == shown
            return
        after = Writer(path)
        assert after.told == [
            f"{shown - stored} alerts are not in the store: an earlier run ended before they could be written"
        ]
        assert after.write(alert("later"))
        after.store.close()
        assert len(read(path)) == stored + 1
        [(_, count, why)] = StoredAlerts(str(path)).losses()
        assert (count, why) == (shown - stored, "an earlier run ended before they could be written")
        assert lost_page(path) == 0

    @pytest.mark.skipif(not PRIVATE_MOUNTS, reason="mounting needs root")
    def test_a_disk_that_is_full_from_the_start(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700)
        mount = f"mount -t tmpfs -o size=400k,mode=0700 none {path.parent}"
        script = f"{mount} && {sys.executable} {HERE}/store_worker.py already-full {path}"
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, timeout=60
        )
        assert done.stderr == ""
        *shown, lost, stored, fails, works = done.stdout.splitlines()
        assert (shown, lost, stored) == (["1", "2", "3", "4", "5"], "5", "5")
        assert "cannot be written" in fails and "disk is full" in fails
        assert "can be written again: 5 alerts that waited are in it" in works

    def test_a_read_only_store(self, path: Path) -> None:
        Writer(path).store.close()
        if not PRIVATE_MOUNTS:
            if os.geteuid() == 0:
                pytest.skip("root may write everywhere, and mounting is not allowed here")
            path.parent.chmod(0o500)
            path.chmod(0o400)
            with pytest.raises(StoreError, match="cannot open the store"):
                Store(str(path))
            path.parent.chmod(0o700)
            return
        folder = path.parent
        mount = f"mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}"
        script = f"{mount} && {sys.executable} {HERE}/store_worker.py readonly {path}"
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, timeout=60
        )
        assert done.stderr == ""
        assert done.stdout == "cannot open the store: Read-only file system\n0 alerts\n"


def lost_page(path: Path) -> int:
    return int.from_bytes(path.with_name(path.name + ".lost").read_bytes()[8:16], "little")


def test_a_kill_at_any_moment_loses_nothing_that_was_shown(path: Path) -> None:
    """The worker prints a number when its alert was shown; it is killed three times."""
    shown: set[int] = set()
    for round in range(3):
        worker = subprocess.Popen(
            [sys.executable, HERE / "store_worker.py", "stream", str(path)], stdout=subprocess.PIPE, text=True
        )
        assert worker.stdout is not None
        for _ in range(40 + 30 * round):
            shown.add(int(worker.stdout.readline()))
        worker.kill()
        shown |= {int(line) for line in worker.stdout if line.endswith("\n")}
        worker.wait()
    stored = {int(line.split()[0]) for line in read(path)}
    assert shown <= stored
    writer = Writer(path)  # no damage, nothing left over
    assert writer.told == []
    assert writer.store.next_alert > max(shown)
    writer.store.close()


class TestBounds:
    def test_size(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("kernscope.detector.store.writer.LEAST_BYTES", 1)
        writer = Writer(path, max_bytes=400_000)
        for begin in range(0, 3000, 500):
            writer.write(*distinct(500, begin, "some text of the output "))
            writer.store.tick()
        writer.store.close()
        found = [int(line.split()[0]) for line in read(path)]
        assert found == list(range(found[0], 3001)) and found[0] > 1
        assert path.stat().st_size < 450_000
        store = StoredAlerts(str(path))
        assert store.trimmed() == writer.store.trimmed == 3000 - len(found)
        assert len(list(store.incidents(AlertQuery()))) == len(found)

    def test_age(self, path: Path) -> None:
        writer = Writer(path, max_age_s=3600.0)
        now_ns = time.time_ns()
        for rule, hours in (("old", 5), ("new", 0)):
            one = alert(rule, [process(7 + hours, "x"), INIT])
            one.time_ns = now_ns - hours * 3600 * 10**9
            writer.write(one)
        writer.store.tick()
        writer.store.close()
        assert read(path) == ["2 new ×1"]

    def test_numbers_are_not_given_twice(self, path: Path) -> None:
        writer = Writer(path, max_age_s=60.0)
        writer.write(alert("old"))
        writer.store.tick()
        writer.store.close()
        assert read(path) == []
        again = Writer(path)
        assert again.write(alert("new"))
        again.store.close()
        assert read(path) == ["2 new ×1"]
