"""The detector: rules that watch a host.

yaml_source.py      YAML as a tree with places
rules.py            rules, macros, lists, exceptions; several files, append and override
definitions.py      macros and lists by name; the default rules have names of their own
conditions.py       a condition's text → tree → text
condition_tree.py   its classes, and printing
expansion.py        macros and lists written out
fields.py           the table of fields, and what a plain host knows
evaluate.py         a condition on an event: the reference for what rules mean
check.py            the state of every rule, and every error with its place
listing.py          the states as a table and as JSON
alert.py            an alert
engine.py           rules on a stream of events
recorded.py         alerts on recorded events
rule_files.py       folders as the files within them
incidents.py        alerts of one process tree belong together, repetitions are counted
delivery.py         the thread that stores alerts and hands them to sinks
store/              alerts on disk
sinks/              where else they go
metrics.py          counters, for Prometheus
explanation.py      what the kernel decides of a rule, and what is left
tuning.py           exceptions proposed from stored alerts
correlation/        rules that count
anomaly/            what executables usually do, and what is not usual
sigma/              Sigma rules as rules of ours
reactions/          what is done about alerts
service/            configuration, reload, privileges, systemd
"""

from __future__ import annotations

from kernscope.detector.alert import Alert
from kernscope.detector.check import STATES, CheckedRule, CheckedRules, check_rules
from kernscope.detector.listing import states_json, states_text
from kernscope.detector.recorded import alerts, read_events
from kernscope.detector.rule_files import default_rule_files, rule_files
from kernscope.detector.watch.watcher import Watcher
from kernscope.detector.yaml_source import YamlMissing, decode
from kernscope.diagnostics import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.detector.anomaly import (
        Baseline,
        BaselineError,
        baseline_path,
        baseline_summary,
        baseline_text,
    )
    from kernscope.detector.delivery import Delivery
    from kernscope.detector.explanation import explain, find_rule
    from kernscope.detector.private_files import UnsafePath, open_private
    from kernscope.detector.rules import PRIORITIES
    from kernscope.detector.service import (
        Service,
        ServiceError,
        default_text,
        load_configuration,
        unit_text,
    )
    from kernscope.detector.sinks import SinkError
    from kernscope.detector.sinks import make as make_sink
    from kernscope.detector.sinks.stdout import StdoutSink
    from kernscope.detector.store import (
        AlertQuery,
        Store,
        StoredAlert,
        StoredAlerts,
        StoredIncident,
        StoreError,
    )
    from kernscope.detector.store.text import (
        alert_csv,
        alert_json,
        alert_lines,
        alert_page,
        alert_page_json,
        incident_csv,
        incident_json,
        incident_lines,
        is_news,
    )
    from kernscope.detector.tuning import Proposals, propose
    from kernscope.detector.watch.noted import hooks_here
    from kernscope.detector.watch.recorder import asked_keys, event_line

__all__ = [
    "PRIORITIES",
    "STATES",
    "Alert",
    "AlertQuery",
    "Baseline",
    "BaselineError",
    "CheckedRule",
    "CheckedRules",
    "Delivery",
    "Proposals",
    "Service",
    "ServiceError",
    "SinkError",
    "Source",
    "StdoutSink",
    "Store",
    "StoreError",
    "StoredAlert",
    "StoredAlerts",
    "StoredIncident",
    "UnsafePath",
    "Watcher",
    "YamlMissing",
    "alert_csv",
    "alert_json",
    "alert_lines",
    "alert_page",
    "alert_page_json",
    "alerts",
    "asked_keys",
    "baseline_path",
    "baseline_summary",
    "baseline_text",
    "check_rules",
    "decode",
    "default_rule_files",
    "default_text",
    "event_line",
    "explain",
    "find_rule",
    "hooks_here",
    "incident_csv",
    "incident_json",
    "incident_lines",
    "is_news",
    "load_configuration",
    "make_sink",
    "open_private",
    "propose",
    "read_events",
    "rule_files",
    "states_json",
    "states_text",
    "unit_text",
]

_LATER = {
    "anomaly": "Baseline BaselineError baseline_path baseline_summary baseline_text",
    "delivery": "Delivery",
    "explanation": "explain find_rule",
    "private_files": "UnsafePath open_private",
    "rules": "PRIORITIES",
    "service": "Service ServiceError default_text load_configuration unit_text",
    "sinks": "SinkError make_sink",
    "sinks.stdout": "StdoutSink",
    "store": "AlertQuery Store StoreError StoredAlert StoredAlerts StoredIncident",
    "store.text": "alert_csv alert_json alert_lines alert_page alert_page_json incident_csv incident_json "
    "incident_lines is_news",
    "tuning": "Proposals propose",
    "watch.noted": "hooks_here",
    "watch.recorder": "asked_keys event_line",
}
"""Modules → names that are imported when they are first used: rules alone need no database."""
_NAMES_THERE = {"make_sink": "make"}


def __getattr__(name: str) -> object:
    from importlib import import_module

    for module, names in _LATER.items():
        if name in names.split():
            value = getattr(import_module(f"kernscope.detector.{module}"), _NAMES_THERE.get(name, name))
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
