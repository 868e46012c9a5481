"""What a configuration names: its rules, the baseline."""

from __future__ import annotations

import os

from kernscope.detector.check import CheckedRules, check_rules
from kernscope.detector.rule_files import rule_files
from kernscope.detector.service.configuration import Configuration, read_configuration
from kernscope.detector.yaml_source import decode
from kernscope.diagnostics import Diagnostic, Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.detector.anomaly import Baseline

__all__ = ["Loaded", "ServiceError", "load_baseline", "load_configuration"]


class ServiceError(Exception):
    """The service cannot start; `problems` are what is wrong with the files."""

    def __init__(self, message: str, problems: list[Diagnostic] | None = None) -> None:
        super().__init__(message)
        self.problems = problems or []


class Loaded:
    """A configuration, its rules, and all that was found."""

    def __init__(
        self, configuration: Configuration, rules: CheckedRules | None, problems: list[Diagnostic]
    ) -> None:
        self.configuration, self.rules, self.problems = configuration, rules, problems

    @property
    def errors(self) -> list[Diagnostic]:
        return [problem for problem in self.problems if problem.severity == "error"]


def load_configuration(path: str) -> Loaded:
    """Read a configuration and its rules. Raises ServiceError where a file cannot be read, YamlMissing."""
    _need_own(path)
    configuration, problems = read_configuration(_source(path))
    if any(problem.severity == "error" for problem in problems):
        return Loaded(configuration, None, problems)
    try:
        names = rule_files(configuration.texts("rules"))
    except OSError as problem:
        raise ServiceError(f"cannot read `{problem.filename}`: {problem.strerror}") from None
    except ValueError as problem:
        raise ServiceError(str(problem)) from None
    rules = check_rules([_source(name) for name in names])
    return Loaded(configuration, rules, problems + rules.diagnostics)


def _need_own(path: str) -> None:
    """A configuration names commands to run: who can write it has our rights. Raises ServiceError."""
    try:
        found = os.stat(path)
    except OSError as problem:
        raise ServiceError(f"cannot read `{path}`: {problem.strerror}") from None
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
        raise ServiceError(f"others may write to `{path}`: `chown root` it, and `chmod go-w`")


def _source(path: str) -> Source:
    try:
        with open(path, "rb") as file:
            return decode(path, file.read(16 << 20))
    except OSError as problem:
        raise ServiceError(f"cannot read `{path}`: {problem.strerror}") from None


def load_baseline(configuration: Configuration) -> Baseline | None:
    """The one that is configured; None for the usual one. Raises ServiceError."""
    from kernscope.detector.anomaly import Baseline, BaselineError
    from kernscope.detector.private_files import UnsafePath

    path = configuration.text("baseline")
    if not path:
        return None
    try:
        return Baseline.load(path)
    except (BaselineError, UnsafePath) as problem:
        raise ServiceError(f"the baseline `{path}` cannot be used: {problem}") from None
    except OSError as problem:
        raise ServiceError(f"cannot read the baseline `{path}`: {problem.strerror}") from None
