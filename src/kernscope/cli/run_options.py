"""The options of `kernscope run`: those of bpftrace, and what they mean here."""

from kernscope.cli.command import HELP
from kernscope.cli.options import Option, positive, seconds

__all__ = ["DEBUG_STAGES", "SECTIONS"]

_BUFFERING = ("full", "line", "none")
_FEATURES = ("kprobe_multi", "kprobe_session", "uprobe_multi", "steady_syscalls")

DEBUG_STAGES: dict[str, tuple[str, ...]] = {
    "ast": ("ast",),
    "parse": ("ast",),
    "types": ("types",),
    "codegen": ("ir",),
    "codegen-opt": ("registers",),
    "ir": ("ir",),
    "registers": ("registers",),
    "dis": ("asm",),
    "asm": ("asm",),
    "libbpf": ("bundle",),
    "bundle": ("bundle",),
    "verifier": ("verifier",),
    "all": ("ast", "types", "ir", "registers", "asm", "bundle", "verifier"),
}
"""What `-d` takes, and the stages of ours that it shows: bpftrace's names stand for the nearest thing here."""


def _stages(text: str) -> str:
    for name in text.split(","):
        if name not in DEBUG_STAGES:
            raise ValueError(f"the stages are {', '.join(DEBUG_STAGES)}")
    return text


def _features(text: str) -> str:
    for name in text.split(","):
        if name not in _FEATURES:
            raise ValueError(f"the features are {', '.join(_FEATURES)}")
    return text


SECTIONS: dict[str, list[Option]] = {
    "what runs": [
        Option("-e", "PROGRAM", "the program's text"),
        Option("-c --cmd", "COMMAND", "start this command, trace it, and end with it", name="c"),
        Option("-p --pid", "PID", "only events of this process; end when it ends", convert=positive),
        Option("-I", "DIR", "look for headers there too", many=True),
        Option("--include", "FILE", "include this header before the program", many=True),
        Option("--unsafe", "", "allow functions that change the system, such as system()"),
        Option("--enforce", "", "allow verdicts about events: deny(), drop()"),
        Option("--ttl", "DURATION", "follow verdicts for so long, then end: 30s, 5m", convert=seconds),
    ],
    "output": [
        Option("-o --output", "FILE", "write the program's output to a file", name="o"),
        Option("-f --format", "FORMAT", "how to print events and maps", choices=("text", "json")),
        Option("-B", "MODE", "when output is written", choices=_BUFFERING),
        Option("-q --quiet", "", "no messages"),
        Option("-v --verbose", "", "say what is loaded; with -l, show the arguments of probes"),
        Option("-k --warnings", "", "report reads and map look-ups that fail", name="warn_reads"),
        Option("--no-warnings", "", "no warnings"),
    ],
    "instead of running": [
        Option("-l --list", "", "list the probes that match a pattern, or those of the program"),
        Option("--info", "", "what this kernel supports"),
        Option("--fmt", "", "print the program, formatted"),
        Option("--dry-run", "", "load and attach, then end; with verdicts: run, but only count them"),
        Option("--test", "", "run the `test:` probes; exit code 1 if one returns another number than 0"),
        Option("--bench", "", "run the `bench:` probes and say how long each takes"),
        Option("--probe-filter", "REGEX", "only tests and benchmarks whose name matches"),
        Option(
            "--mode",
            "MODE",
            "only compile; time that; as --bench, --test, --fmt",
            choices=("codegen", "compiler-bench", "bench", "test", "format"),
        ),
        HELP,
        Option("-V --version", "", "print the version"),
    ],
    "finding errors": [
        Option("-d --debug", "STAGE", "show what the program becomes", convert=_stages, many=True),
        Option("--no-feature", "NAME", "do without these kernel features", convert=_features, many=True),
    ],
    "of bpftrace, without effect here": [
        Option("--usdt-file-activation", "", "accepted: USDT probes are found by file anyway"),
        Option("--dwarf-pid", "PID", "accepted: user stacks need no preparation", many=True),
        Option("--debuginfo", "DIR", "accepted: types come from the kernel itself", many=True),
        Option("--traceable-functions", "FILE", "accepted: attaching finds out what can be traced"),
        Option("--verify-llvm-ir", "", "accepted: there is no LLVM; every form is checked in tests"),
        Option("--emit-elf", "FILE", "not here: `kernscope compile -o FILE` writes a compiled program"),
        Option("--emit-llvm", "FILE", "not here: there is no LLVM; -d codegen shows the intermediate form"),
    ],
}
"""The options by what they are for."""
