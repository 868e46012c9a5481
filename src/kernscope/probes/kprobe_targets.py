"""Targets of `kprobe` and `kretprobe`: functions by name, pattern, module or address, and places inside them."""

from collections.abc import Sequence

from kernscope.diagnostics import Diagnostic, error, suggest
from kernscope.kernel.errors import NotSupportedError
from kernscope.kernel.functions import KERNEL_ITSELF

from .base import ProbeKind, Report, Target, has_wildcard, match_names
from .kprobe import ways
from .missing import names_no_function, not_supported_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelFacts
    from kernscope.syntax.ast import AttachPoint

    from .kprobe import FunctionKind

__all__ = ["expand", "unknown_function"]

_VARIANTS = (".isra", ".constprop", ".part", ".cold")
"""Behind the names of what the compiler made of a function (gcc)."""


def expand(
    point: "AttachPoint", kernel: "KernelFacts", report: Report, named: "FunctionKind"
) -> list[Target]:
    """The targets of an attach point of the kind `named`; problems go to `report`, and then the list is empty."""
    provider = named.providers[0]
    if len(point.args) not in (1, 2) or not all(point.args):
        report(names_no_function(point, provider))
        return []
    whole, inside = ways(kernel, named.at_return)
    if whole is None and not kernel.has_feature("fentry"):
        report(_no_probes(point, kernel))
        return []
    module = point.args[0] if len(point.args) == 2 else ""
    text = point.args[-1]
    if _number(text) is not None:
        return _address(point, kernel, report, provider, inside)
    name, plus, offset_text = text.partition("+")
    offset = _number(offset_text) if plus else 0
    if offset is None or not name or (plus and has_wildcard(name)):
        report(
            error(
                "bad-target",
                f"`{point.text}` does not say how many bytes into which function",
                point.span,
                help=f"write `{provider}:vfs_read+4`, for instance",
            )
        )
        return []
    if offset:
        return _inside(point, kernel, report, (provider, module, name, offset), inside)
    if whole is None:
        from . import kprobe_by_fentry

        return kprobe_by_fentry.expand(point, kernel, report, named)
    if has_wildcard(name) or has_wildcard(module):
        return _matching(point, kernel, report, (provider, module, name), whole)
    problem = _existing(point, kernel, module, name)
    if problem is not None:
        report(problem)
        return []
    return [_target(kernel, whole, provider, module, name, named=True)]


def _number(text: str) -> int | None:
    """A decimal or hexadecimal number, or None."""
    if text.isdecimal():
        return int(text)
    digits = text.removeprefix("0x").removeprefix("0X")
    if digits == text or not digits or not all(c in "0123456789abcdefABCDEF" for c in digits):
        return None
    return int(digits, 16)


def _target(
    kernel: "KernelFacts", kind: ProbeKind, provider: str, module: str, name: str, *, named: bool
) -> Target:
    full = f"{provider}:{module}:{name}" if module else f"{provider}:{name}"
    return Target(kind, full, (name, 0, "" if module == KERNEL_ITSELF else module, named))


def _matching(
    point: "AttachPoint", kernel: "KernelFacts", report: Report, wanted: tuple[str, str, str], kind: ProbeKind
) -> list[Target]:
    provider, module, pattern = wanted
    functions = kernel.functions()
    if not module:
        return _some(
            point,
            report,
            [
                _target(kernel, kind, provider, "", name, named=False)
                for name in match_names(pattern, functions.names())
            ],
        )
    found = [
        _target(kernel, kind, provider, of, name, named=not has_wildcard(pattern))
        for of in match_names(module, functions.modules())
        for name in match_names(pattern, functions.names(of))
    ]
    if not found and not has_wildcard(module) and module not in functions.modules():
        report(module_not_loaded(point, kernel, module))
        return []
    return _some(point, report, found)


def _some(point: "AttachPoint", report: Report, found: list[Target]) -> list[Target]:
    if not found:
        report(
            error(
                "unknown-probe",
                f"no function of this kernel that can be traced matches `{':'.join(point.args)}`",
                point.span,
                help="`kernscope list 'kprobe:*'` shows what there is",
            )
        )
    return found


def _existing(point: "AttachPoint", kernel: "KernelFacts", module: str, name: str) -> Diagnostic | None:
    """What is wrong with a function that the program names, if anything is."""
    functions = kernel.functions()
    if module:
        if functions.addresses(name, module):
            return None
        if module != KERNEL_ITSELF and module not in functions.modules():
            return module_not_loaded(point, kernel, module)
        return unknown_function(point, kernel, name, functions.names(module), f" in `{module}`")
    return None if functions.exists(name) else unknown_function(point, kernel, name, functions.names())


def unknown_function(
    point: "AttachPoint", kernel: "KernelFacts", name: str, names: Sequence[str], where: str = ""
) -> Diagnostic:
    """The error about a function that is not there, with the names that are near."""
    notes, help = [], []
    made = [n for n in names if n.startswith(name) and n[len(name) :].startswith(_VARIANTS)]
    if made:
        notes.append(
            f"the compiler made other functions of it: {', '.join(f'`{n}`' for n in made[:3])}; "
            "their arguments may not be those of the source"
        )
        help.append(f"trace one of them: `{point.provider}:{made[0]}`")
    else:
        notes.append("functions that the compiler inlined cannot be traced, and modules must be loaded")
        # Of tens of thousands of names only those that begin or end alike are compared letter by letter.
        near = suggest(name, [n for n in names if n[:2] == name[:2] or n[-3:] == name[-3:]])
        parts = [n for n in names if name in n][:3] if len(name) > 3 else []
        if near:
            help.append(f"did you mean `{point.provider}:{near}`?")
        elif parts:
            help.append(f"there are {', '.join(f'`{n}`' for n in parts)}")
    return error(
        "unknown-probe", f"this kernel has no function `{name}`{where}", point.span, notes=notes, help=help
    )


def module_not_loaded(point: "AttachPoint", kernel: "KernelFacts", module: str) -> Diagnostic:
    near = suggest(module, kernel.functions().modules())
    return error(
        "unknown-probe",
        f"the module `{module}` is not loaded",
        point.span,
        notes=f"what is part of the kernel itself has the module `{KERNEL_ITSELF}`",
        help=f"did you mean `{near}`?" if near else f"load it: `modprobe {module}`",
    )


def _inside(
    point: "AttachPoint",
    kernel: "KernelFacts",
    report: Report,
    wanted: tuple[str, str, str, int],
    kind: ProbeKind | None,
) -> list[Target]:
    """A place inside a function."""
    provider, module, name, offset = wanted
    if kind is None:
        report(_no_places(point, kernel, provider))
        return []
    functions = kernel.functions()
    places = functions.addresses(name, module)
    if not places:
        report(
            _existing(point, kernel, module, name) or unknown_function(point, kernel, name, functions.names())
        )
        return []
    try:
        found = functions.at(places[0])
    except NotSupportedError:
        found = None  # addresses are hidden from us: the kernel will say
    if found is not None and offset >= found[2]:
        report(
            error(
                "bad-target",
                f"`{name}` has {found[2]} bytes: there is nothing of it at offset {offset}",
                point.span,
            )
        )
        return []
    symbol = f"{module}:{name}" if module and module != KERNEL_ITSELF else name
    prefix = f"{provider}:{module}:" if module else f"{provider}:"
    return [Target(kind, f"{prefix}{name}+{offset}", (symbol, offset, "", True))]


def _address(
    point: "AttachPoint", kernel: "KernelFacts", report: Report, provider: str, kind: ProbeKind | None
) -> list[Target]:
    if kind is None:
        report(_no_places(point, kernel, provider))
        return []
    address = _number(point.args[-1])
    assert address is not None
    found = kernel.functions().at(address) if len(point.args) == 1 and address < 1 << 64 else None
    if found is None:
        report(
            error(
                "unknown-probe",
                f"no function of this kernel is at the address `{point.args[-1]}`",
                point.span,
                help="addresses of functions are in /proc/kallsyms; they change with every boot",
            )
        )
        return []
    return [Target(kind, f"{provider}:{point.args[-1]}", ("", address, "", True))]


def _no_places(point: "AttachPoint", kernel: "KernelFacts", provider: str) -> Diagnostic:
    if not kernel.has_feature("kprobe"):
        return not_supported_here(point, "kprobe", help="whole functions can be traced here")
    return error(
        "bad-target",
        f"`{provider}` probes are on the return of whole functions, not on a place inside them",
        point.span,
        help=f"leave out the offset, or use `kprobe:{':'.join(point.args)}`",
    )


def _no_probes(point: "AttachPoint", kernel: "KernelFacts") -> Diagnostic:
    """Neither kprobes nor what can stand in for them: the tracepoints that are about the same."""
    near = _tracepoints_like(point.args[-1], kernel)
    help = [f"these tracepoints are near: {', '.join(f'`{name}`' for name in near)}"] if near else []
    return not_supported_here(
        point, "kprobe", "fentry", help=help or "`kernscope list '*WORD*'` shows tracepoints about something"
    )


def _tracepoints_like(function: str, kernel: "KernelFacts") -> list[str]:
    """Tracepoints whose names share words with a function's: `sys_enter_read` for `vfs_read`."""
    call = function.removeprefix(kernel.arch.syscall_prefix).removeprefix("ksys_").removeprefix("do_sys_")
    calls = set(kernel.tracepoints("syscalls"))
    words = [w for w in function.lower().split("+")[0].split("_") if len(w) > 2 and w.isalpha()]
    for candidate in (call, *reversed(words)):
        if f"sys_enter_{candidate}" in calls:
            return [f"tracepoint:syscalls:sys_{way}_{candidate}" for way in ("enter", "exit")]
    scored = [
        (sum(word in name.split("_") for word in words), f"tracepoint:{category}:{name}")
        for category in kernel.tracepoint_categories()
        if category != "syscalls"
        for name in kernel.tracepoints(category)
    ]
    best = max((score for score, _ in scored), default=0)
    return [name for score, name in scored if score == best][:3] if best else []
