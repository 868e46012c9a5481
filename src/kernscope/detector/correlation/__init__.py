"""Rules that count: `count`, `distinct`, `sequence`, each `within` a time and `by` a key.

read.py      YAML → form, with complaints
form.py      what the keys say
by.py        whose matches belong together: process, process tree, executable, user, address, any field
table.py     what is known of each key, in bounded memory
adopt.py     counts go on when rules are read again
count.py, distinct.py, sequence.py   one kind each

Time is that of the events, so a recording gives the same alerts whenever it is judged. Events count in the order in
which they come; a time before that of an earlier event of the same key is taken as that one's.
"""

from __future__ import annotations

from kernscope.detector.correlation.adopt import adopt_counts
from kernscope.detector.correlation.base import EVIDENCE_FIELDS, Correlation, Evidence
from kernscope.detector.correlation.count import CountCorrelation
from kernscope.detector.correlation.distinct import DistinctCorrelation
from kernscope.detector.correlation.form import CorrelationForm, StepForm
from kernscope.detector.correlation.read import read_correlation
from kernscope.detector.correlation.sequence import SequenceCorrelation
from kernscope.detector.correlation.table import Memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "EVIDENCE_FIELDS",
    "Correlation",
    "CorrelationForm",
    "Evidence",
    "Memory",
    "StepForm",
    "adopt_counts",
    "make_correlation",
    "read_correlation",
]

_KINDS: dict[str, Callable[[CorrelationForm, Memory], Correlation]] = {
    "count": CountCorrelation,
    "distinct": DistinctCorrelation,
    "sequence": SequenceCorrelation,
}


def make_correlation(form: CorrelationForm, memory: Memory) -> Correlation:
    """The empty state of a form that has been read and, where it has steps, checked."""
    return _KINDS[form.kind](form, memory)
