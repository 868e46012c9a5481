"""Targets of `lsm`: the hooks that this kernel has, and what is said where they cannot be used."""

from kernscope.btf import Kind
from kernscope.diagnostics import Diagnostic, error, suggest
from kernscope.kernel.functions import KERNEL_ITSELF

from .base import ProbeKind, Report, Target, has_wildcard, match_names
from .function_targets import KernelFunction, find_function
from .missing import not_supported_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelFacts
    from kernscope.syntax.ast import AttachPoint

__all__ = ["describe", "expand", "hook_names"]

_PREFIX = "bpf_lsm_"
_ALL_HOOKS = "security_list_options"
"""The union of all hooks' types (include/linux/lsm_hooks.h)."""

_TRUTHS = frozenset(("audit_rule_known", "inode_xattr_skipcap"))
"""Hooks that answer yes or no instead of an error (bool_lsm_hooks of kernel/bpf/bpf_lsm.c)."""

_CLOSED = frozenset(
    """
    vm_enough_memory inode_need_killpriv inode_getsecurity inode_listsecurity inode_copy_up_xattr getselfattr
    getprocattr setprocattr key_getsecurity audit_rule_match ismaclabel
    """.split()
)
"""Hooks that newer kernels keep from programs (bpf_lsm_disabled_hooks of kernel/bpf/bpf_lsm.c)."""


def hook_names(kernel: "KernelFacts") -> list[str]:
    """The hooks that programs can be put on, sorted."""
    btf = kernel.btf()
    union = btf.find(Kind.UNION, _ALL_HOOKS)
    names = (member.name for member in btf.members(union)) if union is not None else ()
    return sorted(
        name for name in names if name not in _CLOSED and btf.find(Kind.FUNC, _PREFIX + name) is not None
    )


def _hook(kernel: "KernelFacts", name: str) -> KernelFunction | None:
    return find_function(kernel, KERNEL_ITSELF, _PREFIX + name)


def describe(kernel: "KernelFacts", name: str) -> list[tuple[str, str]]:
    """`(C type, name)` of the arguments of `lsm:HOOK`."""
    function = _hook(kernel, name.partition(":")[2])
    if function is None:
        return []
    return [(function.types.c_text(p.type_id), p.name) for p in function.parameters]


def expand(
    point: "AttachPoint", kernel: "KernelFacts", report: Report, *, decides: ProbeKind, tells: ProbeKind
) -> list[Target]:
    """The targets of an attach point: of kind `decides` where its result is an error or none, else `tells`."""
    if len(point.args) != 1 or not point.args[0]:
        report(
            error(
                "bad-target",
                f"`{point.text}` does not name a security hook",
                point.span,
                help="write `lsm:file_open`, for instance",
            )
        )
        return []
    pattern = point.args[0].removeprefix(_PREFIX)
    names = hook_names(kernel) if kernel.has_feature("btf") else []
    found = match_names(pattern, names)
    if names and not found:
        report(_unknown(point, pattern, names))
        return []
    if not kernel.has_feature("lsm"):
        report(_inactive(point))
        return []
    targets = []
    cookies = kernel.has_feature("fentry_cookie")
    for name in found:
        function = _hook(kernel, name)
        if function is None or (function.obstacle and has_wildcard(pattern)):
            continue
        kind = decides if function.returns and name not in _TRUTHS else tells
        key = (KERNEL_ITSELF, _PREFIX + name, not has_wildcard(pattern), function.slots, cookies)
        targets.append(Target(kind, f"lsm:{name}", key))
    return targets


def _unknown(point: "AttachPoint", pattern: str, names: list[str]) -> Diagnostic:
    if has_wildcard(pattern):
        return error(
            "unknown-probe",
            f"no security hook of this kernel matches `{pattern}`",
            point.span,
            help="`kernscope list 'lsm:*'` shows what there is",
        )
    near = suggest(pattern, names)
    parts = [name for name in names if pattern in name][:3]
    help = f"did you mean `lsm:{near}`?" if near else "`kernscope list 'lsm:*'` shows what there is"
    if not near and parts:
        help = f"there are {', '.join(f'`lsm:{name}`' for name in parts)}"
    note = "newer kernels keep this hook from programs" if pattern in _CLOSED else ()
    return error(
        "unknown-probe", f"this kernel has no security hook `{pattern}`", point.span, notes=note, help=help
    )


def _inactive(point: "AttachPoint") -> Diagnostic:
    """The kernel was built without it, or started without it, which can be changed."""
    from kernscope.kernel.facts import lsm_active

    active = lsm_active()
    if active is None or "bpf" in active:
        return not_supported_here(point, "lsm")
    modules = ",".join((*active, "bpf"))
    return error(
        "not-supported-here",
        f"`bpf` is not among the active security modules: `{point.text}` cannot be attached",
        point.span,
        notes=f"active are: {', '.join(f'`{name}`' for name in active)} (/sys/kernel/security/lsm)",
        help=f"start the kernel with `lsm={modules}` on its command line",
    )
