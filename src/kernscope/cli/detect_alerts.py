"""`kernscope detect alerts`: what the store holds."""

import time

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.options import Arguments, Option, UsageError, positive
from kernscope.cli.terminal import complain, is_terminal, terminal_width, use_color, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMAND", "FILTERS", "STORE", "open_store", "query_of"]

_FOLLOW_S = 0.25
_DEFAULT_LAST = 100

STORE = Option("--store", "FILE", "the store; by default the one that `detect run` writes")


def _priority(text: str) -> str:
    known = kernscope.detector.PRIORITIES
    name = {"info": "informational"}.get(text.lower(), text.lower())
    if name not in known:
        near = kernscope.suggest(name, known)
        raise ValueError(f"did you mean `{near}`?" if near else f"there are {', '.join(known)}")
    return name


def _moment_ns(text: str) -> int:
    from kernscope.cli.profile_record import moment

    return int(moment(text) * 1e9)


FILTERS = [
    Option("--rule", "NAME", "a part of the rule's name, or a pattern with * and ?"),
    Option(
        "--priority", "LEVEL", "at least this severe: critical, error, warning, notice, …", convert=_priority
    ),
    Option("--tag", "TAG", "rules with this tag"),
    Option("--process", "NAME", "a part of the process's name, its pid, or a path of the executable"),
    Option("--user", "NAME", "a part of the user's name"),
    Option("--from", "TIME", "since then: 14:30, 2026-05-01T14:30, 10m (ago)", convert=_moment_ns),
    Option("--to", "TIME", "until then", convert=_moment_ns),
    Option("--incident", "NUMBER", "those of one incident", convert=positive),
    Option("--text", "TEXT", "this is part of the output, the rule's name or a field"),
]


def open_store(arguments: Arguments) -> "kernscope.detector.StoredAlerts":
    """Raises UsageError where it cannot be read."""
    try:
        return kernscope.detector.StoredAlerts(arguments.text("store"))
    except kernscope.detector.StoreError as problem:
        raise UsageError(f"{problem}" + (f"; {problem.help}" if problem.help else "")) from None


def query_of(arguments: Arguments, *, last: int | None = None) -> "kernscope.detector.AlertQuery":
    """What `FILTERS` say."""
    return kernscope.detector.AlertQuery(
        rule=arguments.text("rule"),
        priority=arguments.text("priority"),
        tag=arguments.text("tag"),
        process=arguments.text("process"),
        user=arguments.text("user"),
        since_ns=arguments.integer("from"),
        until_ns=arguments.integer("to"),
        incident=arguments.integer("incident"),
        text=arguments.text("text"),
        last=last,
    )


def _run(arguments: Arguments) -> int:
    words = arguments.words + (arguments.rest or [])
    name = words[0] if words else ""
    actions = {"": _list, "show": _show, "incidents": _incidents}
    if name not in actions:
        near = kernscope.suggest(name, actions)
        hint = f"did you mean `{near}`?" if near else "there are `show ID` and `incidents`"
        raise UsageError(f"there is no `detect alerts {name}`; {hint}")
    if arguments.flag("follow") and name:
        raise UsageError(f"`--follow` is for the list of alerts, not for `{name}`")
    if name != "show" and len(words) > 1:
        raise UsageError(f"`{words[1]}` is one word too many")
    store = open_store(arguments)
    try:
        return actions[name](store, arguments, words[1:])
    except kernscope.detector.StoreError as problem:
        complain(f"error: {problem}")
        return 3
    finally:
        store.close()


def _list(store: "kernscope.detector.StoredAlerts", arguments: Arguments, words: list[str]) -> int:
    last = arguments.integer("last") or _DEFAULT_LAST
    query = query_of(arguments, last=last)
    change = store.last_change()
    alerts = list(store.alerts(query))
    if alerts or not arguments.flag("follow"):
        _write_alerts(alerts, arguments, header=True)
    if arguments.text("format") == "text":
        whole = store.count(query)
        if whole > len(alerts):
            complain(f"note: {whole - len(alerts):,} older ones are not shown; `--last {whole}` shows all")
        if not alerts and not arguments.flag("follow"):
            complain("no alerts" + (" fit" if query.where()[1] else " are stored"))
        _say_losses(store)
    return _follow(arguments, change, bool(alerts)) if arguments.flag("follow") else 0


def _write_alerts(
    alerts: "Sequence[kernscope.detector.StoredAlert]", arguments: Arguments, *, header: bool
) -> None:
    detector = kernscope.detector
    format = arguments.text("format")
    if format == "json":
        write("".join(detector.alert_json(alert) + "\n" for alert in alerts))
    elif format == "csv":
        write(detector.alert_csv(alerts, header=header))
    elif alerts:
        width = terminal_width(1) if is_terminal() else 0
        lines = detector.alert_lines(alerts, header=header, width=width, color=use_color())
        write("".join(f"{line}\n" for line in lines))


def _say_losses(store: "kernscope.detector.StoredAlerts") -> None:
    for _, count, reason in store.losses()[-5:]:
        complain(f"note: {count:,} alerts are not in the store: {reason}")
    trimmed = store.trimmed()
    if trimmed:
        complain(f"note: {trimmed:,} alerts left because of the store's size and age")


def _follow(arguments: Arguments, change: int, header_shown: bool) -> int:
    """New alerts, and counts that passed 10, 100, …, until Ctrl-C."""
    query = query_of(arguments)
    store = open_store(arguments)
    counts: dict[int, int] = {}
    header = not header_shown
    try:
        while True:
            query.changed_after = change
            found = list(store.alerts(query))
            news = [
                alert for alert in found if kernscope.detector.is_news(alert, counts.get(alert.number, 0))
            ]
            for alert in found:
                counts[alert.number] = alert.count
            if len(counts) > 100_000:
                counts.clear()
            if news:
                _write_alerts(news, arguments, header=header)
                header = False
            # What other filters leave out need not be looked at again.
            change = max([change, *(alert.change for alert in found)])
            time.sleep(_FOLLOW_S)
            if store.replaced() and (new := _reopened(arguments)) is not None:
                store.close()
                store, change = new, 0
                counts.clear()
    except KeyboardInterrupt:
        return 0
    finally:
        store.close()


def _reopened(arguments: Arguments) -> "kernscope.detector.StoredAlerts | None":
    """The store that the detector began anew; None while it is not there yet."""
    try:
        return kernscope.detector.StoredAlerts(arguments.text("store"))
    except kernscope.detector.StoreError:
        return None


def _show(store: "kernscope.detector.StoredAlerts", arguments: Arguments, words: list[str]) -> int:
    if len(words) != 1:
        raise UsageError("say which alert: `kernscope detect alerts show ID`")
    try:
        number = positive(words[0].removeprefix("#"))
    except ValueError as problem:
        raise UsageError(f"`{words[0]}`: {problem}") from None
    alert = store.alert(number)
    if alert is None:
        raise UsageError(f"the store has no alert {number}")
    if arguments.text("format") == "json":
        write(kernscope.detector.alert_page_json(store, alert) + "\n")
    elif arguments.text("format") == "csv":
        write(kernscope.detector.alert_csv([alert]))
    else:
        width = terminal_width(1) if is_terminal() else 0
        write(kernscope.detector.alert_page(store, alert, width=width, color=use_color()))
    return 0


def _incidents(store: "kernscope.detector.StoredAlerts", arguments: Arguments, words: list[str]) -> int:
    detector = kernscope.detector
    query = query_of(arguments, last=arguments.integer("last") or _DEFAULT_LAST)
    found = list(store.incidents(query))
    if arguments.text("format") == "json":
        write("".join(detector.incident_json(one) + "\n" for one in found))
    elif arguments.text("format") == "csv":
        write(detector.incident_csv(found))
    elif found:
        width = terminal_width(1) if is_terminal() else 0
        write("".join(f"{line}\n" for line in detector.incident_lines(found, width=width, color=use_color())))
    else:
        complain("no incidents" + (" fit" if query.where()[1] else " are stored"))
    return 0


COMMAND = Command(
    "detect alerts",
    ["[OPTIONS]", "show ID [OPTIONS]", "incidents [OPTIONS]"],
    "The alerts that were stored: as a list, one with everything that is known of it and the timeline of its\n"
    "incident, or the incidents, which are the alerts of one process tree each.",
    {
        "which": FILTERS,
        "": [
            Option("-n --last", "COUNT", "only so many, the newest (100)", convert=positive),
            Option("--follow", "", "go on with those that come, until Ctrl-C"),
            STORE,
            Option(
                "-f --format", "FORMAT", "how to show it", choices=("text", "json", "csv"), default="text"
            ),
        ],
    },
    _run,
    examples=[
        ("--priority warning --from 24h", "what was at least a warning in the last day"),
        ("show 41", "who did it, its ancestors, all fields, and what else they did"),
        ("incidents", "one line for each process tree that raised alerts"),
        ("--follow -f json", "alerts as they come, an object each"),
    ],
)
