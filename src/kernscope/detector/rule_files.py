"""Which files a list of files and folders means."""

from __future__ import annotations

import os

__all__ = ["MOST_FILES", "default_rule_files", "rule_files"]

_DEFAULT = "default"
"""Names those that come with Kernscope; a file of that name is `./default`."""

MOST_FILES = 20_000
_SUFFIXES = (".yaml", ".yml")


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
    return rule_files([os.path.join(os.path.dirname(__file__), "default_rules")])
