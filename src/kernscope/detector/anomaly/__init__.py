"""Behaviour that no signature names: what a process does, beside what its executable usually does.

window.py     what each process did in five seconds: calls by number, failures, files, ports, new processes
model.py      what one executable usually does, and how far a window is from it
baseline.py   the models of all executables, in bounded memory and in a file
scorer.py     windows → scores; learning
listing.py    what a baseline knows, as text

Nothing here knows the kernel: `watch.behaviour` feeds it.
"""

from __future__ import annotations

from kernscope.detector.anomaly.baseline import Baseline, BaselineError, baseline_path
from kernscope.detector.anomaly.listing import baseline_summary, baseline_text
from kernscope.detector.anomaly.model import WARM_UP, Model
from kernscope.detector.anomaly.scorer import Judged, Scorer
from kernscope.detector.anomaly.window import WINDOW_NS, Window, Windows

__all__ = [
    "WARM_UP",
    "WINDOW_NS",
    "Baseline",
    "BaselineError",
    "Judged",
    "Model",
    "Scorer",
    "Window",
    "Windows",
    "baseline_path",
    "baseline_summary",
    "baseline_text",
]
