"""`kernscope detect run`: watch this host by rules."""

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.detect_rules import FORMAT, read_baseline, rules_to_watch, session_of, tell
from kernscope.cli.options import Arguments, Option, UsageError, seconds
from kernscope.cli.terminal import StopOnSignals, is_terminal, use_color

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["COMMAND"]


def _delivery(arguments: Arguments, stop: "Callable[[], None]") -> "kernscope.detector.Delivery":
    """`stop` is called when whoever reads the alerts goes away."""
    sink = kernscope.detector.StdoutSink(
        1, json=arguments.text("format") == "json", color=is_terminal() and use_color(1), on_gone=stop
    )
    if arguments.flag("no_store"):
        return kernscope.detector.Delivery(None, [sink], tell=tell)
    try:
        store = kernscope.detector.Store(arguments.text("store"), tell=tell)
    except kernscope.detector.StoreError as problem:
        if arguments.given("store"):
            raise UsageError(f"{problem}" + (f"; {problem.help}" if problem.help else "")) from None
        tell(f"alerts are shown, and not stored: {problem}")
        return kernscope.detector.Delivery(None, [sink], tell=tell, unstored=str(problem))
    return kernscope.detector.Delivery(store, [sink], tell=tell)


def _baseline(path: str) -> "kernscope.detector.Baseline | None":
    """The one that was asked for; None for this host's own."""
    try:
        return read_baseline(path) if path else None
    except FileNotFoundError:
        raise UsageError(
            f"there is no `{path}`: `kernscope detect learn --baseline {path}` makes it"
        ) from None


def _begin(watcher: "kernscope.detector.Watcher") -> None:
    for note in watcher.notes:
        tell(note)
    tell(f"watching by {watcher.what}; Ctrl-C ends")


def _end(watcher: "kernscope.detector.Watcher") -> None:
    lost = f"{watcher.lost:,} events lost" if watcher.lost else "no event lost"
    tell(f"{watcher.events:,} events reached the rules, {watcher.alerts:,} matches, {lost}")


def _run(arguments: Arguments) -> int:
    files = arguments.words + (arguments.rest or [])
    if arguments.given("config"):
        from kernscope.cli.detect_service import run_service

        if files:
            raise UsageError("rules are named in the file that `--config` names")
        kernscope.require_privileges()
        return run_service(arguments)
    for name in ("enforce", "dry_run"):
        if arguments.flag(name):
            raise UsageError("reactions are in a configuration: `--config FILE`")
    rules = rules_to_watch(files)
    waiting: list[kernscope.detector.Delivery] = []
    watcher = kernscope.detector.Watcher(
        rules,
        lambda alert: waiting[0].take(alert),
        uring=bool(kernscope.type_text("struct io_open")),
        hooks=kernscope.detector.hooks_here(kernscope),
        baseline=_baseline(arguments.text("baseline")),
    )
    if not watcher.engine.rules:
        raise UsageError("none of the rules can fire on this host: `kernscope detect check` says why")
    session = session_of(watcher, arguments)
    delivery = _delivery(arguments, session.stop)
    waiting.append(delivery)
    try:
        with session, StopOnSignals(session.stop):
            watcher.run(session, started=lambda: _begin(watcher))
    finally:
        delivery.close()
    for warning in watcher.warnings:
        tell(warning)
    _end(watcher)
    return 1 if rules.has_errors else 0


COMMAND = Command(
    "detect run",
    ["[FILE ...] [OPTIONS]"],
    "Watch this host by rules, until Ctrl-C: those of the files, or the default ones. Alerts are stored, and shown\n"
    "once; what repeats is counted. Needs root. Exit code 1 where a rule is wrong; the other rules are watched.",
    [
        Option("-d --duration", "TIME", "end after this time", convert=seconds),
        FORMAT,
        Option("--store", "FILE", "where alerts are stored; /var/lib/kernscope/alerts.db for root"),
        Option("--no-store", "", "show alerts only"),
        Option("--baseline", "FILE", "what is usual, for `anomaly.score`, as `detect learn` has kept it"),
        Option("--config", "FILE", "run as a service by this configuration; SIGHUP reads it again"),
        Option("--enforce", "", "with `--config`: let reactions stop, kill, deny and block"),
        Option("--dry-run", "", "with `--config`: reactions only say what they would do"),
    ],
    _run,
    examples=[
        ("", "by the default rules"),
        ("default local.yaml", "by the default rules, and those of a file, which may change them"),
        ("rules.yaml local.yaml", "by these rules"),
        ("--config /etc/kernscope/detect.yaml", "as a service"),
    ],
)
