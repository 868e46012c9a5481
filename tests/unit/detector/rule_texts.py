"""Short rule files for tests."""

from kernscope.detector.check import CheckedRules, check_rules
from kernscope.diagnostics import Source

__all__ = ["check", "found", "rule"]


def rule(condition: str = "evt.type = execve", name: str = "r", more: str = "") -> str:
    """A rule with everything it needs; `more` are further lines of its mapping."""
    lines = [f"- rule: {name}", "  desc: d", "  output: '%proc.name'", "  priority: notice"]
    lines += ["  condition: >", f"    {condition}", *(f"  {line}" for line in more.splitlines())]
    return "\n".join(lines) + "\n"


def check(*texts: str) -> CheckedRules:
    """The texts as files `1.yaml`, `2.yaml`, …"""
    return check_rules([Source(f"{number}.yaml", text) for number, text in enumerate(texts, 1)])


def found(checked: CheckedRules) -> list[tuple[str, str]]:
    """`file:line:column` and code of everything that was found."""
    places = []
    for problem in checked.diagnostics:
        assert problem.span is not None
        line, column = problem.span.source.position(problem.span.start)
        places.append((f"{problem.span.source.name[0]}:{line}:{column}", problem.code))
    return places
