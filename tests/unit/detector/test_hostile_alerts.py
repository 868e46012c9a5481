"""Whatever an alert's texts hold: everywhere it is one alert, and nobody else's."""

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from kernscope.detector.alert import Alert
from kernscope.detector.incidents import Incidents
from kernscope.detector.rules import PRIORITIES
from kernscope.detector.sinks.journald import JournalSink
from kernscope.detector.sinks.jsonl import JsonLinesSink
from kernscope.detector.sinks.stdout import alert_line
from kernscope.detector.sinks.syslog import SyslogSink
from kernscope.detector.store import AlertQuery, Store, StoredAlerts
from kernscope.detector.store.text import alert_csv, alert_json, alert_lines, alert_page, incident_lines
from kernscope.detector.tuning import propose

ODD = [
    "\n",
    "\r",
    "\x1b[2J",
    "\x00",
    "\udcff",
    "\ud800",
    "\u2028",
    "\u202e",
    '"',
    "'",
    "]",
    "\\",
    "=",
    "<0>",
    "\x85",
    "…",
    "語",
]
TEXTS = st.lists(st.one_of(st.sampled_from(ODD), st.text(max_size=8)), max_size=6).map("".join)
VALUES = st.one_of(TEXTS, st.integers(), st.floats(), st.booleans(), st.none(), st.lists(TEXTS, max_size=3))
PROCESSES = st.fixed_dictionaries(
    {
        "pid": st.one_of(st.none(), st.integers(0, 1 << 70)),
        "start_ns": st.one_of(st.none(), st.integers(0, 1 << 70)),
        "name": st.one_of(st.none(), TEXTS),
        "exe": st.one_of(st.none(), TEXTS),
        "cmdline": st.one_of(st.none(), TEXTS),
        "uid": st.one_of(st.none(), st.integers(0, 1 << 32)),
        "user": st.one_of(st.none(), TEXTS),
    }
)
ALERTS = st.builds(
    Alert,
    TEXTS,
    st.sampled_from(PRIORITIES),
    st.lists(TEXTS, max_size=3),
    TEXTS,
    time_ns=st.integers(0, 1 << 62),
    time=st.one_of(st.none(), TEXTS),
    fields=st.dictionaries(st.one_of(TEXTS, st.sampled_from(["fd.name", "proc.name"])), VALUES, max_size=4),
    process=st.lists(PROCESSES, max_size=4),
    event=st.integers(0, 1 << 70),
)


def is_of_bytes(value: object) -> bool:
    """Whether texts could come from the kernel: surrogates stand for bytes."""
    if isinstance(value, list):
        return all(map(is_of_bytes, value))
    try:
        str(value).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


@settings(max_examples=60)
@given(ALERTS)
def test_one_line_everywhere(alert: Alert) -> None:
    assert alert_line(alert, 1, 2, 3).isprintable()
    for format in ("rfc3164", "rfc5424"):
        message = SyslogSink("/none", format=format).message(alert, 1)
        assert message.decode().replace("\ufeff", "", 1).isprintable()
    entry = JournalSink("/none").message(alert, 1).decode()
    lines = entry.removesuffix("\n").split("\n")
    assert all(line.isprintable() and line.partition("=")[0].isupper() for line in lines)
    assert len({line.partition("=")[0] for line in lines}) == len(lines)


def test_whatever_comes_is_stored_and_shown(tmp_path_factory: object) -> None:
    folder = Path(tmp_path_factory.mktemp("hostile"))  # type: ignore[attr-defined]
    folder.chmod(0o700)
    incidents = Incidents()
    told: list[str] = []
    store = Store(str(folder / "alerts.db"), tell=told.append)
    lines = JsonLinesSink(str(folder / "alerts.jsonl"))
    taken: list[Alert] = []

    @settings(max_examples=100)
    @given(ALERTS)
    def take(alert: Alert) -> None:
        placed = incidents.add(alert)
        store.add(alert, placed)
        lines.take(alert, placed.incident)
        assert store.commit()
        if not placed.repeated:
            taken.append(alert)

    take()
    assert told == [] and store.lost == 0
    reader = StoredAlerts(str(folder / "alerts.db"))
    found = list(reader.alerts(AlertQuery()))
    assert len(found) == len(taken)
    for stored, alert in zip(found, taken):
        for name, value in alert.fields.items():
            if not isinstance(value, float) and is_of_bytes(name) and is_of_bytes(value):
                assert stored.fields[name] == value
        assert alert_json(stored).isascii() and "\n" not in alert_json(stored)
        assert alert_page(reader, stored, width=80).replace("\n", "").isprintable()
    for text in (
        *alert_lines(found, width=80),
        *incident_lines(list(reader.incidents(AlertQuery())), width=80),
    ):
        assert text.isprintable()
    assert alert_csv(found).replace("\n", "").isprintable()
    assert propose(found, least=1).yaml().replace("\n", "").isprintable()
    lines.close()
    assert lines.failed == 0
    for line in (folder / "alerts.jsonl").read_bytes().splitlines():
        json.loads(line, parse_constant=lambda name: 1 / 0)
    reader.close()
    store.close()
