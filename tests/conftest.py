"""Options of the whole test suite."""

import signal

import pytest
from hypothesis import settings

# A loaded machine is slow now and then; that is no failure of what is tested.
settings.register_profile("kernscope", deadline=None)
settings.load_profile("kernscope")

# Started by nohup or in the background of a script, the tests would hand on that these are ignored, and what they start
# would not end by them.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what the stages give now into the Markdown files of tests/spec, for review with git diff",
    )
    parser.addoption(
        "--fresh",
        action="store_true",
        help="ask bpftrace again, instead of comparing with what it printed when last asked",
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was left out and why: one line per reason, however many tests it concerns."""
    reasons: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        where = report.longrepr
        reason = where[2] if isinstance(where, tuple) else str(where)
        reason = reason.removeprefix("Skipped: ")
        reasons[reason] = reasons.get(reason, 0) + 1
    if reasons:
        terminalreporter.section("left out")
    for reason, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0])):
        terminalreporter.line(f"{count:>4} test{'s' if count > 1 else ' '} {reason}")
