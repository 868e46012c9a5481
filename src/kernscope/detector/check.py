"""What becomes of each rule on a plain host: active, active with missing fields, or unable to fire, and why."""

from __future__ import annotations

from collections.abc import Iterable

from kernscope.detector.alone import MODEST_PRIORITIES, by_score_alone
from kernscope.detector.condition_tree import comparisons
from kernscope.detector.conditions import (
    Check,
    Condition,
    ConditionError,
    Field,
    Operand,
    Or,
    Reference,
    Word,
    parse_condition,
)
from kernscope.detector.correlation import (
    EVIDENCE_FIELDS,
    Correlation,
    CorrelationForm,
    Memory,
    StepForm,
    make_correlation,
    read_correlation,
)
from kernscope.detector.definitions import Definition, ListDefinition
from kernscope.detector.evaluate import Predicate, compile_condition
from kernscope.detector.event_types import (
    UNAVAILABLE,
    known_event_types,
    named_event_types,
    possible_event_types,
)
from kernscope.detector.exclusions import with_exclusions
from kernscope.detector.expansion import Expander
from kernscope.detector.fields import FIELDS, find_field
from kernscope.detector.folding import field_of, fold
from kernscope.detector.output_format import OutputFormat, parse_output
from kernscope.detector.rules import Rule, RuleSet, load_rules
from kernscope.diagnostics import Diagnostic, Source, error, suggest, warning

__all__ = ["STATES", "CheckedRule", "CheckedRules", "check_rules"]

STATES = {
    "active": "all its fields are known on a plain host",
    "missing-fields": "active, but some of its fields are missing on a plain host",
    "cannot-fire": "its condition is never true on a plain host",
    "disabled": "`enabled: false`",
    "refused": "it has errors",
}
_SOURCES = ("syscall",)


class CheckedRule:
    """A rule, its state and the reason; for rules without errors also the expanded condition and what runs it.

    `event_types` are those that the rule can be about, None for all. The condition of a sequence is that one of its
    steps matches; whether an event that matches gives an alert is then up to `correlation`, which has a state.
    `fields`: names of all fields that condition and output ask for, without what is in brackets.
    """

    __slots__ = (
        *(
            "condition",
            "correlation",
            "event_types",
            "fields",
            "missing",
            "output",
            "predicate",
            "reason",
            "rule",
            "state",
        ),
    )

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.state, self.reason = "active", ""
        self.missing: list[str] = []
        self.fields: frozenset[str] = frozenset()
        self.condition: Condition | None = None
        self.event_types: frozenset[str] | None = None
        self.predicate: Predicate | None = None
        self.correlation: Correlation | None = None
        self.output = OutputFormat([])


class CheckedRules:
    """All rules in order, and everything that was found, in the order of the files.

    `memory` is what rules that count share.
    """

    def __init__(self, definitions: RuleSet) -> None:
        self.definitions = definitions
        self.memory = Memory()
        self.rules: list[CheckedRule] = []
        self.diagnostics: list[Diagnostic] = list(definitions.diagnostics)

    @property
    def has_errors(self) -> bool:
        return any(problem.severity == "error" for problem in self.diagnostics)


def check_rules(sources: Iterable[Source]) -> CheckedRules:
    """Load files, expand and check every rule. Raises YamlMissing; what is wrong is in `diagnostics`."""
    sources = list(sources)
    definitions = load_rules(sources)
    checked = CheckedRules(definitions)
    checker = _Checker(checked)
    for definition in definitions.names.definitions():
        checker.try_definition(definition)
    checked.rules = [checker.rule(rule) for rule in definitions.rules.values()]
    checker.tell_hidden()
    order = {id(source): number for number, source in enumerate(sources)}
    checked.diagnostics.sort(key=lambda p: (order[id(p.span.source)], p.span.start) if p.span else (-1, 0))
    return checked


class _Checker:
    def __init__(self, checked: CheckedRules) -> None:
        self.expander = Expander(checked.definitions)
        self.rules = checked.definitions.rules
        self.problems = checked.diagnostics
        self.memory = checked.memory
        self._told: set[tuple[int, int, int, str]] = set()

    def tell(self, problem: Diagnostic) -> None:
        """Once for each place: what is wrong with a macro is wrong with every rule that uses it."""
        span = problem.span
        assert span is not None
        key = (id(span.source), span.start, span.end, problem.message)
        if key not in self._told:
            self._told.add(key)
            self.problems.append(problem)

    def try_definition(self, definition: Definition) -> None:
        try:
            if isinstance(definition, ListDefinition):
                self.expander.items(definition)
            else:
                self.check_values(self.expander.macro(definition), False)
        except ConditionError as problem:
            self.tell(problem.diagnostic)

    def tell_hidden(self) -> None:
        """What has a default one's name and no rule uses was perhaps meant to change that one."""
        used = self.expander.used()
        for mine, default in self.expander.names.hidden():
            if mine not in used:
                kind, key = ("list", "items") if isinstance(mine, ListDefinition) else ("macro", "condition")
                message = f"no rule uses this {kind}; the default rules keep their own `{mine.name}`"
                help = f"to change theirs, add `override: {{{key}: replace}}`, or `append`"
                labels = [(default.span, "theirs")]
                self.tell(warning("default-not-changed", message, mine.span, labels=labels, help=help))

    def check_values(self, condition: Condition, quiet: bool) -> tuple[Predicate, list[Diagnostic]]:
        """Compile; report fields that are unknown, values that do not fit, events that do not exist."""
        problems: list[Diagnostic] = []
        for check in comparisons(condition):
            problems += _field_problems(check, quiet)
        predicate = compile_condition(condition, problems)
        for problem in problems:
            self.tell(problem)
        return predicate, problems

    def rule(self, rule: Rule) -> CheckedRule:
        checked = CheckedRule(rule)
        form, refused = self.correlation_form(rule)
        refused = rule.wrong or refused
        if refused:
            checked.state, checked.reason = "refused", refused
            if not rule.condition.text:
                return checked
        try:
            condition = self.condition(rule, form)
        except ConditionError as problem:
            self.tell(problem.diagnostic)
            checked.state, checked.reason = "refused", refused or problem.diagnostic.message
            return checked
        predicate, problems = self.check_values(condition, rule.skip_if_unknown)
        checked.output, wrong = parse_output(rule.output)
        for operand in checked.output.operands:
            wrong += _operand_problems(operand, "bad-output", rule.skip_if_unknown)
        wrong += _evidence_problems(condition)
        if rule.priority not in MODEST_PRIORITIES and by_score_alone(condition):
            wrong.append(_score_alone(rule))
        for found in wrong:
            self.tell(found)
        wrong = [found for found in problems + wrong if found.severity == "error"]
        if wrong or refused:
            checked.state, checked.reason = "refused", refused or wrong[0].message
            return checked
        checked.condition, checked.predicate = condition, predicate
        if form is not None:
            for step in form.steps:
                assert step.condition is not None
                step.predicate = compile_condition(step.condition, [])
            checked.correlation = make_correlation(form, self.memory)
        checked.event_types = possible_event_types(condition)
        self.set_state(checked, condition)
        if (
            checked.event_types is None
            and rule.warn_event_types
            and checked.state in ("active", "missing-fields")
        ):
            self.tell(
                warning(
                    "no-event-type",
                    f"the rule `{rule.name}` is about every event, as it does not say which `evt.type`",
                    rule.span,
                    help="add `evt.type in (…)`, or `warn_evttypes: false` if that is meant",
                )
            )
        return checked

    def correlation_form(self, rule: Rule) -> tuple[CorrelationForm | None, str]:
        """What the keys of a rule that counts say, and why they are refused."""
        problems: list[Diagnostic] = []
        form = read_correlation(rule.own, problems) if rule.own else None
        for problem in problems:
            self.tell(problem)
        return form, problems[0].message if problems else ""

    def condition(self, rule: Rule, form: CorrelationForm | None) -> Condition:
        """Which events a rule is about: for a sequence, those of any step."""
        if form is None or not form.steps:
            return self.expander.rule(rule)
        for step in form.steps:
            step.condition = self.expander.step(rule, self.step_tree(step))
        parts = [step.condition for step in form.steps if step.condition is not None]
        return Or(parts[0].text, parts[0].start, parts[0].end, parts)

    def step_tree(self, step: StepForm) -> Condition:
        if step.text is not None:
            return parse_condition(step.text)
        other = self.rules.get(step.rule)
        message = ""
        if other is None:
            near = suggest(step.rule, self.rules)
            message, help = f"there is no rule `{step.rule}`", f"did you mean `{near}`?" if near else None
        elif other.wrong or not other.condition.text:
            message, help = f"the rule `{step.rule}` is refused itself", None
        elif other.own:
            message, help = f"the rule `{step.rule}` counts itself, so it cannot be a step", None
        if other is None or message:
            raise ConditionError(error("bad-correlation", message, step.span, help=help))
        return with_exclusions(other, parse_condition(other.condition))

    def fold(self, checked: CheckedRule, condition: Condition) -> tuple[bool | None, str]:
        """What the condition is before any event; a sequence needs every step."""
        steps = checked.correlation.form.steps if checked.correlation is not None else []
        for step in steps:
            assert step.condition is not None
            truth, reason = fold(step.condition)
            if truth is False:
                return truth, reason
        return fold(condition)

    def set_state(self, checked: CheckedRule, condition: Condition) -> None:
        rule = checked.rule
        in_condition = [key for check in comparisons(condition) for key in _fields(check)]
        in_output = [field_of(operand) for operand in checked.output.operands]
        fields = {field.key: find_field(field.name) for field in [*in_condition, *in_output]}
        checked.fields = frozenset(field.name for field in [*in_condition, *in_output])
        checked.missing = sorted(key for key, entry in fields.items() if entry is None or entry.missing)
        truth, reason = self.fold(checked, condition)
        if not rule.enabled:
            checked.state, checked.reason = "disabled", "`enabled: false`"
        elif rule.source not in _SOURCES:
            checked.state, checked.reason = (
                "cannot-fire",
                f"there are no events of the source `{rule.source}` here",
            )
        elif truth is False:
            checked.state, checked.reason = "cannot-fire", reason
        elif rule.skip_if_unknown and any(find_field(field.name) is None for field in in_condition):
            checked.state, checked.reason = "cannot-fire", "it has fields that are not known here"
        elif checked.missing:
            checked.state = "missing-fields"
            checked.reason = f"missing on a plain host: {', '.join(checked.missing)}"


def _evidence_problems(condition: Condition) -> list[Diagnostic]:
    """Fields that are known only when a rule alerts."""
    return [
        error("bad-correlation", f"`{field.key}` is known only when the rule alerts", field.span)
        for check in comparisons(condition)
        for field in _fields(check)
        if field.name in EVIDENCE_FIELDS
    ]


def _score_alone(rule: Rule) -> Diagnostic:
    message = f"the rule `{rule.name}` alerts at the priority `{rule.priority}` by a score alone"
    help = f"give it one of {', '.join(MODEST_PRIORITIES)}, or ask for something else that happened too"
    return error("score-alone", message, rule.span, help=help)


def _fields(check: Check) -> list[Field]:
    fields = [field_of(check.operand)]
    if isinstance(check.value, Reference):
        fields.append(field_of(check.value.operand))
    return fields


def _field_problems(check: Check, quiet: bool) -> list[Diagnostic]:
    problems = _operand_problems(check.operand, "unknown-rule-field", quiet)
    if isinstance(check.value, Reference):
        problems += _operand_problems(check.value.operand, "unknown-rule-field", quiet)
    for word in named_event_types(check) or ():
        problems += _event_problems(word)
    return problems


def _event_problems(word: Word) -> list[Diagnostic]:
    if word.value in known_event_types() or word.value in UNAVAILABLE:
        return []
    near = suggest(word.value, known_event_types())
    help = f"did you mean `{near}`?" if near else None
    return [
        warning("unknown-event", f"there is no system call or event `{word.value}`", word.span, help=help)
    ]


def _operand_problems(operand: Operand, code: str, quiet: bool) -> list[Diagnostic]:
    field = field_of(operand)
    entry = find_field(field.name)
    if entry is None:
        if quiet:
            return []
        near = suggest(field.name, FIELDS)
        help = f"did you mean `{near}`?" if near else None
        return [error(code, f"there is no field `{field.name}`", field.span, help=help)]
    message = ""
    if field.argument is not None and not entry.argument:
        message = f"`{field.name}` takes nothing in brackets"
    elif field.argument is None and entry.argument == "required":
        message = f"`{field.name}` needs brackets that say which one"
    elif (
        field.argument is not None
        and (entry.several or entry.name == "proc.argv")
        and entry.type != "words"
        and not field.argument.isdigit()
    ):
        message = f"`{field.key}`: the number of the ancestor is missing"
    return [error(code, message, field.span)] if message else []
