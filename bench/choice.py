"""Which parts of a benchmark are asked for, and whether it can run here."""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Collection

__all__ = ["may_run"]


def may_run(
    parser: ArgumentParser, names: Collection[str], known: Collection[str], *, what: str, work: str
) -> bool:
    """End with a usage error at a name that is not known; False, and why is said, where the work needs root."""
    for name in names:
        if name not in known:
            parser.error(f"no {what} {name!r}; there are {', '.join(known)}")
    if os.geteuid() != 0:
        print(f"bench: left out, {work} needs root", file=sys.stderr)
        return False
    return True
