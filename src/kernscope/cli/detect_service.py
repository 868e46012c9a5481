"""`kernscope detect run --config FILE`: until it is stopped; SIGHUP reads the file again."""

import kernscope
from kernscope.cli.detect_rules import show_problems, tell
from kernscope.cli.options import Arguments, UsageError
from kernscope.cli.terminal import StopOnSignals

__all__ = ["run_service"]


def run_service(arguments: Arguments) -> int:
    import signal

    service = kernscope.detector.Service(
        arguments.text("config"),
        kernscope,
        tell=tell,
        show=show_problems,
        enforce=arguments.flag("enforce"),
        dry_run=arguments.flag("dry_run"),
    )
    before = signal.signal(signal.SIGHUP, lambda number, frame: service.reload())
    try:
        with StopOnSignals(service.stop):
            service.run()
    except kernscope.detector.ServiceError as problem:
        raise UsageError(str(problem)) from None
    except kernscope.detector.YamlMissing as missing:
        raise UsageError(str(missing)) from None
    finally:
        signal.signal(signal.SIGHUP, before)
    return 1 if service.has_errors else 0
