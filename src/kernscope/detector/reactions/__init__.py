"""Reactions: what is done about an alert, as a ladder of steps.

base.py            what steps share
ladders.py         which alerts a ladder is about; doing its steps
commands.py        `run`
webhooks.py        `webhook`
signals.py         `kill`, `stop`
process_trees.py   a process and its descendants, held so that no other is hit
watchdog.py        continues stopped processes when the detector is gone
kernel_blocks.py   `deny`, `block`
protection.py      what is never touched
limits.py          how often

By default there are none: an alert is shown and kept, and that is all. Steps that change what the machine does need
`enforce`, spare what is protected, are limited in number and in time, and end with the detector.
"""

from __future__ import annotations

from kernscope.detector.reactions.base import Context, Refused, Step, StepKind
from kernscope.detector.reactions.ladders import Done, Ladder, Match, Reactions, kinds, make_ladder
from kernscope.detector.reactions.limits import RateCap
from kernscope.detector.reactions.protection import Protection

__all__ = [
    "Context",
    "Done",
    "Ladder",
    "Match",
    "Protection",
    "RateCap",
    "Reactions",
    "Refused",
    "Step",
    "StepKind",
    "kinds",
    "make_ladder",
]
