"""Which files a list of files and folders means."""

from __future__ import annotations

import os

__all__ = ["MOST_FILES", "default_rule_files", "is_default", "rule_files"]

_DEFAULT = "default"
"""Names those that come with Kernscope; a file of that name is `./default`."""

MOST_FILES = 20_000
_SUFFIXES = (".yaml", ".yml")
_DEFAULT_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "default_rules")


def rule_files(names: list[str]) -> list[str]:
    """Files as they are; for a folder those within it, however deep, that end in `.yaml` or `.yml`, by name; for the
    word `default` those that come with Kernscope.

    Raises OSError where a folder cannot be read, ValueError where there are too many.
    """
    found: list[str] = []
    for name in names:
        if name == _DEFAULT:
            found += default_rule_files()
            continue
        if name == "-" or not os.path.isdir(name):
            found.append(name)
            continue
        within: list[str] = []
        for folder, folders, files in os.walk(name, onerror=_fail):
            folders.sort()
            within += [os.path.join(folder, file) for file in sorted(files) if file.endswith(_SUFFIXES)]
            if len(within) > MOST_FILES:
                raise ValueError(f"`{name}` has more than {MOST_FILES} rule files")
        if not within:
            raise ValueError(f"there is no rule file (`*.yaml`, `*.yml`) in `{name}`")
        found += within
    return found


def _fail(problem: OSError) -> None:
    raise problem


def default_rule_files() -> list[str]:
    """Those that come with Kernscope."""
    return rule_files([_DEFAULT_FOLDER])


def is_default(name: str) -> bool:
    """Whether a file is one of those, by where it lies."""
    return os.path.abspath(name).startswith(_DEFAULT_FOLDER + os.sep)
