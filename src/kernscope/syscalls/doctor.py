"""What works on this machine, for people and as JSON."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FeatureState", "Report", "doctor_json", "doctor_text"]


class FeatureState:
    """One feature: whether it works; if not, why not, what it needs, and what can be used instead."""

    __slots__ = ("instead", "main", "name", "needs", "title", "why", "works")

    def __init__(
        self, name: str, title: str, why: str, *, needs: str = "", instead: str = "", main: bool = False
    ) -> None:
        self.name, self.title, self.why, self.works = name, title, why, not why
        self.needs, self.instead, self.main = needs, instead, main


class Report:
    """What was found out.

    `facts` are (name, value) lines about kernel and privileges; `features` are in the order to show them.
    """

    def __init__(self, facts: Sequence[tuple[str, str]], features: Sequence[FeatureState]) -> None:
        self.facts, self.features = tuple(facts), tuple(features)

    @property
    def main_job_works(self) -> bool:
        """Whether system calls can be counted and traced."""
        return all(feature.works for feature in self.features if feature.main)


def doctor_text(report: Report, *, color: bool = False, width: int = 100) -> str:
    """The report as text: facts, what works in short, then each thing that does not, with its reason and
    cure."""
    mark = {True: "yes", False: "no "}
    if color:
        mark = {True: "\x1b[32myes\x1b[0m", False: "\x1b[33mno \x1b[0m"}
    names = max(len(name) for name, _ in report.facts) if report.facts else 0
    lines = [f"{name:<{names}}  {value}" for name, value in report.facts]
    lines.append("")
    titles = max((len(feature.title) for feature in report.features), default=0)
    for feature in report.features:
        lines.append(f"{mark[feature.works]}  {feature.title:<{titles}}".rstrip())
        if not feature.works:
            lines += _wrapped("why: ", feature.why, width)
            lines += _wrapped("needs: ", feature.needs, width)
            lines += _wrapped("instead: ", feature.instead, width)
    lines += ["", _verdict(report)]
    return "\n".join(lines) + "\n"


def _verdict(report: Report) -> str:
    if report.main_job_works:
        return "Counting and tracing system calls works here: try `kernscope syscalls`."
    missing = [feature.title for feature in report.features if feature.main and not feature.works]
    return f"Counting and tracing system calls does not work here; missing: {', '.join(missing)}."


def _wrapped(label: str, text: str, width: int) -> list[str]:
    if not text:
        return []
    from textwrap import wrap

    indent = " " * 5
    return wrap(
        label + text,
        max(40, width),
        initial_indent=indent,
        subsequent_indent=indent + " " * len(label),
        break_long_words=False,
        break_on_hyphens=False,
    )


def doctor_json(report: Report) -> str:
    """The report as one JSON object."""
    import json

    features = {
        feature.name: {
            "title": feature.title,
            "works": feature.works,
            "why": feature.why or None,
            "needs": feature.needs or None,
            "instead": feature.instead or None,
            "for_main_job": feature.main,
        }
        for feature in report.features
    }
    content = {"facts": dict(report.facts), "main_job_works": report.main_job_works, "features": features}
    return json.dumps(content, indent=2) + "\n"
