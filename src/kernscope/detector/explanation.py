"""What becomes of one rule: its condition written out, what the kernel decides of it, and the program that does."""

from __future__ import annotations

from textwrap import wrap

from kernscope.detector.check import CheckedRule
from kernscope.detector.conditions import And, Condition, Or, print_condition
from kernscope.detector.watch.behaviour import EXACT, wanted_behaviour
from kernscope.detector.watch.behaviour_program import behaviour_text
from kernscope.detector.watch.gate import ALWAYS, NEVER, decided, remainder
from kernscope.detector.watch.program import gate_names, needed, plan_of, program_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from kernscope.detector.watch.program import Watched

__all__ = ["Explanation", "explain", "find_rule"]

_WIDTH = 110
_RECORDED = {
    "execve": "rawtracepoint:sched_process_exec",
    "execveat": "rawtracepoint:sched_process_exec",
    "procexit": "rawtracepoint:sched_process_exit",
}
"""Events that are recorded whatever the rules, as they make the tree of processes."""
_MADE = {
    "window": "made in user space at the end of each five seconds, of calls that the kernel has counted",
    "lost": "made in user space where records were lost",
}
"""Events that no record stands for."""


class Explanation:
    """A rule explained: `text`, and the `program` that would watch for it alone ("" where nothing would)."""

    __slots__ = ("program", "text")

    def __init__(self, text: str, program: str) -> None:
        self.text, self.program = text, program


def find_rule(rules: Iterable[CheckedRule], name: str) -> CheckedRule | list[str]:
    """The rule of this name, or the only one whose name contains it; else the names of those that do."""
    rules = list(rules)
    for rule in rules:
        if rule.rule.name == name:
            return rule
    found = [rule for rule in rules if name.lower() in rule.rule.name.lower()]
    return found[0] if len(found) == 1 else [rule.rule.name for rule in found]


def explain(rule: CheckedRule, *, uring: bool = False, hooks: Iterable[str] = ()) -> Explanation:
    """What becomes of a rule. `uring`: this kernel tells what io_uring does; `hooks`: those that may note paths."""
    lines = [
        f"Rule      {rule.rule.name}",
        f"State     {rule.state}{f': {rule.reason}' if rule.reason else ''}",
    ]
    if rule.correlation is not None:
        first, *others = wrap(
            rule.correlation.form.text(), _WIDTH, break_long_words=False, break_on_hyphens=False
        )
        lines += [f"Alerts    at {first}", *(f"{'':10}{line}" for line in others)]
    if rule.condition is None:
        return Explanation("\n".join(lines) + "\n", "")
    lines += ["", "Condition, macros and lists written out:", *_condition(rule.condition)]
    if rule.state == "cannot-fire":
        return Explanation("\n".join(lines) + "\n", "")
    plan = plan_of([rule], hooks=hooks)
    way = wanted_behaviour([rule])
    if way:
        plan.fragments.append(behaviour_text(exact=way == EXACT))
    conditions = [condition for condition, _ in needed(rule)]
    lines += ["", "Events"]
    groups: dict[tuple[str, str], list[str]] = {}
    for watched in plan.calls.values():
        groups.setdefault(_decided(watched, conditions), []).append(watched.call.name)
    shown = ""
    for (asked, left), names in groups.items():
        lines += [f"  {', '.join(sorted(names))}", *_labelled("in the kernel", asked)]
        lines += _labelled("in user space", left if left != shown else "the same")
        shown = left
    seen = {watched.call.name for watched in plan.calls.values()}
    for name in sorted(set(plan.types) & set(_RECORDED)):
        lines += [f"  {name}", f"    recorded always, by {_RECORDED[name]}; decided in user space"]
    for name in sorted(set(plan.types) & set(_MADE)):
        lines += [f"  {name}", f"    {_MADE[name]}"]
    never = sorted(set(plan.types) - seen - set(_RECORDED) - set(_MADE))
    if never:
        lines += [f"  {', '.join(never)}", "    never: not on this machine, or the condition is never true"]
    if rule.event_types is None:
        lines += ["  all that other rules are about, as the condition does not say which `evt.type`"]
    program = program_text(plan, uring=uring)
    lines += ["", "Attached to", *(f"  {place}{_why(place)}" for place in _places(program))]
    return Explanation("\n".join(lines) + "\n", program)


def _decided(watched: Watched, conditions: list[Condition]) -> tuple[str, str]:
    """What the kernel asks, and what is left to ask."""
    name, names = watched.call.name, gate_names(watched.call)
    left: dict[str, None] = {}
    for condition in conditions:
        if decided([condition], name, names).text != NEVER:
            parts = remainder(condition, name, names)
            left[" and ".join(map(print_condition, parts)) or "nothing is left to decide"] = None
    asked = decided(conditions, name, names).text
    return "everything passes" if asked == ALWAYS else asked, "; ".join(left)


def _labelled(label: str, text: str) -> list[str]:
    first, *others = wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False) or [""]
    return [f"    {label + ':':<15}{first}", *(f"{'':19}{line}" for line in others)]


def _condition(condition: Condition) -> list[str]:
    parts = condition.parts if isinstance(condition, And) else [condition]
    lines = []
    for number, part in enumerate(parts):
        text = print_condition(part)
        if isinstance(part, Or) and len(parts) > 1:
            text = f"({text})"
        rows = wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
        lines += [f"  {'and ' if number else '':<4}{rows[0]}", *(f"        {row}" for row in rows[1:])]
    return lines


def _places(program: str) -> list[str]:
    return [
        line.partition(" {")[0]
        for line in program.splitlines()
        if line.startswith(("rawtracepoint:", "lsm:"))
    ]


def _why(place: str) -> str:
    """What a place is for that is no matter of course."""
    if place.startswith("lsm:"):
        return "  (notes what the kernel has found, for the call's path)"
    return "  (what io_uring does; decided in user space)" if "io_uring" in place else ""
