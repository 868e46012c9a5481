"""`kernscope detect tune`: exceptions proposed from stored alerts."""

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.detect_alerts import FILTERS, STORE, open_store, query_of
from kernscope.cli.options import Arguments, Option, UsageError, positive
from kernscope.cli.terminal import complain, write_result

__all__ = ["COMMAND"]

_MOST_ALERTS = 200_000


def _run(arguments: Arguments) -> int:
    words = arguments.words + (arguments.rest or [])
    if words:
        raise UsageError(f"`{words[0]}` is one word too many; `--rule NAME` chooses rules")
    store = open_store(arguments)
    try:
        found = kernscope.detector.propose(
            store.alerts(query_of(arguments, last=_MOST_ALERTS)), least=arguments.integer("least") or 10
        )
    except kernscope.detector.StoreError as problem:
        complain(f"error: {problem}")
        return 3
    finally:
        store.close()
    if not found.groups:
        complain(f"nothing to propose: {found.alerts:,} alerts, and no cause came often enough")
        return 0
    code = write_result(found.yaml())
    left = sum(map(len, found.groups.values())) - found.proposed
    complain(f"note: {found.proposed} proposed, {left} left out with the reason; nothing was changed")
    return code


COMMAND = Command(
    "detect tune",
    ["[OPTIONS]"],
    "Propose exceptions for rules that fire often for the same harmless-looking cause, from the alerts that were\n"
    "stored, as a rule file on standard output. Nothing is changed: read it, and name it behind the rules.",
    {
        "which alerts": FILTERS,
        "": [
            Option("--least", "COUNT", "how often a cause must have come (10)", convert=positive),
            STORE,
        ],
    },
    _run,
    examples=[
        ("> tuned.yaml", "proposals from all stored alerts"),
        ("--rule 'Read sensitive*' --from 24h", "for some rules, from the last day"),
    ],
)
