"""Names, types and rules of a parsed program. The result stands in tables beside the tree."""

from collections.abc import Mapping, Sequence

from kernscope.diagnostics import CompileError, Diagnostic, error
from kernscope.syntax.ast import Program

from .checker import Checker
from .config import check_unstable, read_config
from .expand import expand
from .model import Checked, Clause, MapInfo, Variable
from .options import read_arguments, unknown_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelFacts

__all__ = ["Checked", "Clause", "MapInfo", "Variable", "check"]


def check(
    program: Program,
    kernel: "KernelFacts",
    *,
    parameters: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    cpid: int = 0,
    settings: Mapping[str, int | str | bool] | None = None,
) -> Checked:
    """Check a program against a kernel.

    `parameters` are the values of `$1`, `$2`, …; `environment` may preset settings (`BPFTRACE_MAX_STRLEN` …);
    `cpid` is the process id of the command that is traced. `settings` are what the command line decides, added
    to the configuration: `unsafe` (functions that change the system are allowed), `enforce` (verdicts are allowed),
    `dry_run` (they are only counted), `tell_verdicts` (a line of output for each), `named:NAME` (the text of the
    program's own option `--NAME=TEXT`, True without a text), `include_dirs` and `includes` (headers before the
    program's own; one per line), `warn_reads` (-k), `off_features` (kernel features not to be used, by commas).

    Raises CompileError with all findings.
    """
    found: list[Diagnostic] = []
    config = read_config(program.config, environment or {}, found)
    config["cpid"] = cpid
    config |= settings or {}
    parameters = read_arguments(parameters, config)
    if not program.probes:
        found.append(
            error(
                "no-probes",
                "the program has no probe",
                program.span,
                help='write one, for instance `begin { printf("hello\\n"); }`',
            )
        )
    expansion: list[Diagnostic] = []
    program = expand(program, expansion)
    found += expansion
    if any(d.severity == "error" for d in expansion):
        raise CompileError(found)  # what was not expanded would be reported again, as an unknown name
    check_unstable(program, config, found)
    checker = Checker(program, kernel, parameters, config)
    checker.check()
    diagnostics = found + checker.diagnostics
    if not any(d.severity == "error" for d in diagnostics):
        diagnostics += unknown_options(config)
    if any(d.severity == "error" for d in diagnostics):
        raise CompileError(diagnostics)
    return Checked(
        program,
        checker.clauses,
        checker.maps,
        config,
        parameters,
        diagnostics,
        checker.target_count,
        checker.space,
    )
