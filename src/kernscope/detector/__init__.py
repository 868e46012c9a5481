"""The detector: rules that watch a host. So far the rule language, without any contact to the kernel.

yaml_source.py      YAML as a tree with places
rules.py            rules, macros, lists, exceptions; several files, append and override
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
sigma/              Sigma rules as rules of ours
"""

from __future__ import annotations

from kernscope.detector.alert import Alert
from kernscope.detector.check import STATES, CheckedRule, CheckedRules, check_rules
from kernscope.detector.listing import states_json, states_text
from kernscope.detector.recorded import alerts, read_events
from kernscope.detector.rule_files import rule_files
from kernscope.detector.watch.watcher import Watcher
from kernscope.detector.yaml_source import YamlMissing, decode
from kernscope.diagnostics import Source

__all__ = [
    "STATES",
    "Alert",
    "CheckedRule",
    "CheckedRules",
    "Source",
    "Watcher",
    "YamlMissing",
    "alerts",
    "check_rules",
    "decode",
    "read_events",
    "rule_files",
    "states_json",
    "states_text",
]
