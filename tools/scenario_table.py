"""Run all scenarios and write which rules caught what: `python tools/scenario_table.py`. Needs root."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "scenarios"))

from scenarios import Outcome, run_all, scenarios, table  # noqa: E402 - lies beside the tests

__all__ = ["page"]

PAGE = ROOT / "docs" / "scenarios.md"
_HEAD = """\
# Scenarios

What the [default rules](detection-default-rules.md) catch, and what they leave alone: small programs in
`tests/scenarios`, each run in namespaces of its own, all below one detector. Written by `make scenarios`.

"""


def page(outcomes: list[Outcome]) -> str:
    attacks = [outcome for outcome in outcomes if outcome.scenario.kind == "attacks"]
    harmless = [outcome for outcome in outcomes if outcome.scenario.kind == "benign"]
    found = sum(bool(outcome.fired) for outcome in attacks)
    quiet = sum(not outcome.unexpected for outcome in harmless)
    return (
        f"{_HEAD}**{found} of {len(attacks)}** attacks are found; **{quiet} of {len(harmless)}** harmless programs "
        f"give no alert.\n\n## Attacks\n\n{table(attacks)}\n## Harmless work\n\n{table(harmless)}"
    )


def main() -> int:
    chosen = [s for kind in ("attacks", "benign") for s in scenarios(kind) if not s.missing]
    outcomes, words = run_all(chosen)
    if "no event lost" not in words:
        print(f"events were lost, nothing was written: {words}", file=sys.stderr)
        return 1
    PAGE.write_text(page(outcomes), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
