"""What `run --info` prints: bpftrace's sections and keys, so that scripts that read them still can.

Of the libraries that bpftrace may be built with there are none here, so those keys say `no`.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.kernel import Kernel

__all__ = ["summary"]

_NOT_USED = (
    "bfd",
    "libdw (DWARF support)",
    "libsystemd (systemd notify support)",
    "blazesym (advanced symbolization)",
    "dwunwind (DWARF stack unwinding)",
)
_INSTRUCTION_LIMIT = 1_000_000
"""BPF_COMPLEXITY_LIMIT_INSNS of every kernel since 5.2 (include/linux/bpf_verifier.h)."""

_HELPERS = (
    # bpf_d_path() can be called where functions are entered and left.
    ("dpath", "fentry"),
    ("get_tai_ns", "ktime_get_tai_ns"),
    ("get_func_ip", "get_func_ip"),
    ("lookup_percpu_elem", "lookup_percpu_elem"),
    ("loop", "bpf_loop"),
)
_PROBES = (
    ("kprobe_multi", "kprobe_multi"),
    ("uprobe_multi", "uprobe_multi"),
    ("kprobe_session", "kprobe_session"),
    ("iter", "iter"),
)


def summary(kernel: "Kernel", version: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Sections of keys and values; `version` is our own."""
    machine = os.uname()

    def features(table: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
        return [(key, "yes" if kernel.has_feature(name) else "no") for key, name in table]

    build = [("version", f"v{version} (kernscope)"), ("LLVM", "none")]
    build += [(key, "no") for key in _NOT_USED]
    return [
        (
            "System",
            [("OS", f"{machine.sysname} {machine.release} {machine.version}"), ("Arch", machine.machine)],
        ),
        ("Build", build),
        ("Kernel helpers", features(_HELPERS)),
        (
            "Kernel features",
            [
                ("Instruction limit", str(_INSTRUCTION_LIMIT)),
                *features((("btf", "btf"), ("module btf", "module_btf"))),
            ],
        ),
        ("Probe types", features(_PROBES)),
    ]
