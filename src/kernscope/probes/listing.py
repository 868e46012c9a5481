"""The probes of a kernel by pattern, as `bpftrace -l` lists them."""

from fnmatch import fnmatchcase

from kernscope.diagnostics import CompileError, Diagnostic
from kernscope.probes import KINDS, expand, kind_named
from kernscope.syntax.ast import AttachPoint
from kernscope.syntax.targets import split_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kernscope.kernel.interface import KernelFacts
    from kernscope.syntax.ast import Program

__all__ = ["fields", "matching", "program_targets"]


def matching(pattern: str, kernel: "KernelFacts", process: int = 0) -> list[str]:
    """The probes whose names match, sorted; `process`: whose programs and libraries are meant in user space, if not 0.

    Several patterns are separated by commas. `*`, `?` and `[…]` stand for any characters; the first part may
    be a short name (`t:sched:*`). A pattern without a colon is matched against what follows the kind, or, if
    it has no wildcard either, against any part of the name.
    """
    found: set[str] = set()
    for one in [pattern] if '"' in pattern else pattern.split(","):
        found.update(_matching(one.strip(), kernel, process))
    return sorted(found)


def _matching(pattern: str, kernel: "KernelFacts", process: int) -> list[str]:
    provider, colon, rest = pattern.partition(":")
    if not colon:
        wild = any(c in pattern for c in "*?[")
        wanted = pattern if wild else f"*{pattern}*"
        return _filter(kernel, lambda n: fnmatchcase(n, wanted) or fnmatchcase(n, f"*:{wanted}"))
    kind = kind_named(provider)
    if kind is not None:
        point = AttachPoint(provider, split_target(rest), pattern)
        point.files_of = process
        found = kind.list_matching(point, kernel)
        if found is not None:
            return found
        names = kind.list_names(kernel)
        wanted = f"{kind.providers[0]}:{rest}"
        short = f"{kind.providers[0]}:*:{rest}"  # `tracepoint:sched_switch`, without the category
        return [n for n in names if fnmatchcase(n, wanted) or fnmatchcase(n, short)]
    return _filter(kernel, lambda n: fnmatchcase(n, pattern))


def _filter(kernel: "KernelFacts", accept: "Callable[[str], bool]") -> list[str]:
    return [name for kind in KINDS for name in kind.list_names(kernel) if accept(name)]


def program_targets(program: "Program", kernel: "KernelFacts") -> list[str]:
    """The probes that a program's targets match, in its order, each once. Raises CompileError."""
    problems: list[Diagnostic] = []
    names: dict[str, None] = {}
    for probe in program.probes:
        for point in probe.attach_points:
            names.update((target.name, None) for target in expand(point, kernel, problems.append))
    if any(problem.severity == "error" for problem in problems):
        raise CompileError(problems)
    return list(names)


def fields(name: str, kernel: "KernelFacts") -> list[tuple[str, str]]:
    """`(C type, name)` of each member of `args` in the probe `name`; empty where it has none."""
    kind = kind_named(name.partition(":")[0])
    return kind.describe(kernel, name) if kind is not None else []
