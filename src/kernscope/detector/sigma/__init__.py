"""Sigma rules, through pySigma (the extra `sigma`), as rules of our language.

mapping.py    what Sigma's log sources, fields and values are here: one table
pipeline.py   pySigma's pipeline: a rule's fields and values become ours
backend.py    pySigma's backend: Sigma's condition as text of our language
reading.py    a file → rules, with places

So a Sigma rule has a state, can be switched off or changed by name, and is compiled like any other.
"""

from __future__ import annotations

import re

from kernscope.diagnostics import Source, Span, error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.detector.rules import RuleSet

__all__ = ["is_sigma", "read_sigma"]

_KEYS = re.compile(r"^(?:logsource|detection|correlation)\s*:", re.MULTILINE)
_ITEM = re.compile(r"^\s*-\s", re.MULTILINE)


def is_sigma(source: Source) -> bool:
    """Whether a file holds Sigma rules: a mapping, not a list, with their keys."""
    found = _KEYS.search(source.text)
    if found is None:
        return False
    for line in source.text[: found.start()].splitlines():
        if line.strip() and not line.startswith(("#", "---", "%")):
            return not line.startswith("- ")
    return True


def read_sigma(source: Source, rules: RuleSet) -> None:
    """Add the file's rules. What is wrong, also that pySigma is missing, is in the rules' diagnostics."""
    try:
        from kernscope.detector.sigma.reading import read_rules
    except ImportError as missing:
        if (missing.name or "").partition(".")[0] == "kernscope":
            raise
        message = f"`{source.name}` holds Sigma rules, and pySigma is not installed"
        place = Span(source, 0, max(source.text.find("\n"), 1))
        help = "pip install 'kernscope[sigma]'"
        rules.diagnostics.append(error("sigma-missing", message, place, help=help))
        return
    read_rules(source, rules)
