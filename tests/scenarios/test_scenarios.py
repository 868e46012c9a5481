"""All attacks are found, and nothing harmless is reported: one detector, all scenarios below it."""

from __future__ import annotations

import os
import subprocess
from functools import cache

import pytest

from scenarios import HERE, Outcome, Scenario, run_all, scenarios

pytest.importorskip("yaml", reason="rules are YAML")

_ATTEMPTS = 3
ATTACKS, BENIGN = scenarios("attacks"), scenarios("benign")


def _why_not() -> str:
    if os.geteuid() != 0:
        return "watching needs root"
    isolated = [str(HERE / "isolated.sh"), "/dev/null", "/bin/sh"]
    command = ["unshare", "--mount", "--net", "--ipc", "--uts", "/bin/sh", *isolated]
    try:
        made = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as problem:
        return f"no namespaces for scenarios: {problem}"
    return "" if made.returncode == 0 else f"no namespaces for scenarios: {made.stderr.strip()}"


@cache
def outcomes() -> dict[str, Outcome]:
    """By `kind/name`. What was missed on a busy machine is tried again.

    So are alerts for harmless work where events were lost: who did it was not known then.
    """
    why_not = _why_not()
    if why_not:
        pytest.skip(why_not)
    found: dict[str, Outcome] = {}
    wanted = [scenario for scenario in BENIGN + ATTACKS if not scenario.missing]
    for _ in range(_ATTEMPTS):
        try:
            ran, words = run_all(wanted)
        except RuntimeError as problem:
            pytest.skip(f"the detector does not run here: {str(problem)[:300]}")
        found |= {f"{outcome.scenario.kind}/{outcome.scenario.name}": outcome for outcome in ran}
        missed = [outcome for outcome in ran if outcome.scenario.rules - outcome.fired or outcome.code]
        if "no event lost" not in words:
            missed += [outcome for outcome in ran if outcome.scenario.kind == "benign" and outcome.unexpected]
        wanted = [outcome.scenario for outcome in missed]
        if not wanted:
            break
    return found


def _outcome(scenario: Scenario) -> Outcome:
    if scenario.missing:
        pytest.skip(f"needs {', '.join(scenario.missing)}")
    return outcomes()[f"{scenario.kind}/{scenario.name}"]


def test_there_are_enough() -> None:
    assert len(ATTACKS) >= 40
    assert len(BENIGN) >= 40


@pytest.mark.parametrize("scenario", ATTACKS, ids=lambda scenario: scenario.name)
def test_attack_is_found(scenario: Scenario) -> None:
    outcome = _outcome(scenario)
    assert outcome.code == 0, outcome.text
    assert outcome.scenario.rules <= outcome.fired, outcome.found


@pytest.mark.parametrize("scenario", BENIGN, ids=lambda scenario: scenario.name)
def test_harmless_work_is_not_reported(scenario: Scenario) -> None:
    outcome = _outcome(scenario)
    assert outcome.code == 0, outcome.text
    assert not outcome.unexpected
