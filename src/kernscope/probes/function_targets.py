"""Targets of `fentry` and `fexit`: functions by name, pattern and module, and what BTF says of their arguments."""

from kernscope.btf import Btf, BtfError, Kind
from kernscope.bundle import Attach
from kernscope.diagnostics import Diagnostic, error
from kernscope.kernel.errors import AttachError
from kernscope.kernel.functions import KERNEL_ITSELF
from kernscope.types import UINT64, Bool, Integer, Pointer, Struct, StructField, Type
from kernscope.types.from_btf import KernelTypes, kernel_types

from .base import ProbeKind, Report, Target, has_wildcard, match_names
from .missing import names_no_function, not_supported_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess, KernelFacts
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program
    from kernscope.syntax.ast import AttachPoint

__all__ = [
    "KernelFunction",
    "Parameter",
    "all_names",
    "arguments",
    "attach_function",
    "describe",
    "expand",
    "find_function",
    "function_of",
    "parameter",
    "result",
]

_MOST_SLOTS = 12
"""MAX_BPF_FUNC_ARGS of include/linux/bpf.h: words that a function's arguments may take."""
_MOST_STRUCT_BYTES = 16
"""A struct that is passed in registers."""


class Parameter:
    """One argument, or the result: its first word in the context, and what the verifier makes of reading it.

    `struct` is the id of the struct that it leads to, 0 for anything else. Not `is_plain`: a pointer to something else
    than a struct or a number, of which kernel/bpf/btf.c (btf_ctx_access) says "is not a struct".
    """

    __slots__ = ("is_plain", "name", "slot", "struct", "type_id")

    def __init__(self, btf: Btf, name: str, type_id: int, slot: int) -> None:
        self.name, self.type_id, self.slot = name, type_id, slot
        self.struct, self.is_plain = 0, True
        raw = btf.resolve(type_id)
        if raw.kind == Kind.PTR:
            target = btf.resolve(raw.type_id)
            if target.kind in (Kind.STRUCT, Kind.UNION):
                self.struct = target.id
            else:
                self.is_plain = raw.type_id == 0 or target.kind == Kind.INT


class KernelFunction:
    """A function as BTF describes it."""

    __slots__ = ("btf", "module", "name", "obstacle", "parameters", "result", "slots", "types")

    def __init__(self, types: KernelTypes, module: str, name: str, prototype_id: int) -> None:
        self.types, self.btf, self.module, self.name = types, types.btf, module, name
        btf = types.btf
        prototype = btf.type(prototype_id)
        self.parameters: list[Parameter] = []
        self.slots = 0
        self.obstacle = ""
        """Why no program can be attached to it, as far as its type tells."""
        for parameter_name, type_id in btf.parameters(prototype):
            if type_id == 0:
                self.obstacle = "it takes any number of arguments"
                break
            found = Parameter(btf, parameter_name or f"arg{len(self.parameters)}", type_id, self.slots)
            self.parameters.append(found)
            size = btf.size_of(type_id)
            if size > _MOST_STRUCT_BYTES:
                self.obstacle = f"its argument `{found.name}` has {size} bytes"
            self.slots += (size + 7) // 8
        if self.slots > _MOST_SLOTS:
            self.obstacle = f"it has more than {_MOST_SLOTS} arguments"
        self.result = Parameter(btf, "retval", prototype.type_id, self.slots)
        if btf.resolve(prototype.type_id).kind in (Kind.STRUCT, Kind.UNION):
            self.obstacle = "it returns a struct"

    @property
    def returns(self) -> bool:
        """Whether it is no `void` function."""
        return self.result.type_id != 0


def find_function(kernel: "KernelFacts", module: str, name: str) -> KernelFunction | None:
    """The function of this name in a module, or `vmlinux`; None where BTF does not describe it."""
    types: KernelTypes | None = kernel_types(kernel)
    if module != KERNEL_ITSELF and types is not None:
        types = types.module(module)
    raw = types.btf.find_own(Kind.FUNC, name) if types is not None else None
    if raw is None or types is None:
        return None
    try:
        return KernelFunction(types, module, name, raw.type_id)
    except BtfError:
        return None


def function_of(kernel: "KernelFacts", target: Target) -> KernelFunction:
    """The function of a target that `expand` found."""
    found = find_function(kernel, str(target.key[0]), str(target.key[1]))
    assert found is not None
    return found


def parameter(kernel: "KernelFacts", target: Target, name: str) -> Parameter:
    """One of its arguments."""
    return next(p for p in function_of(kernel, target).parameters if p.name == name)


def arguments(kernel: "KernelFacts", target: Target) -> Struct:
    """The members of `args`."""
    function = function_of(kernel, target)
    fields = {
        p.name: StructField(
            p.name, function.types.convert(p.type_id), 8 * p.slot, type_text=function.types.c_text(p.type_id)
        )
        for p in function.parameters
    }
    return Struct(target.name, 8 * function.slots, fields)


def result(kernel: "KernelFacts", target: Target) -> Type | None:
    """The type of what it returns; None where it returns nothing."""
    function = function_of(kernel, target)
    if not function.returns:
        return None
    t = function.types.convert(function.result.type_id)
    return t if isinstance(t, Integer | Bool | Pointer) else UINT64


def describe(kernel: "KernelFacts", name: str, *, with_result: bool) -> list[tuple[str, str]]:
    """`(C type, name)` of the arguments of `fentry:MODULE:FUNCTION`, and of its result."""
    module, _, function_name = name.partition(":")[2].partition(":")
    function = find_function(kernel, module, function_name)
    if function is None:
        return []
    found = [(function.types.c_text(p.type_id), p.name) for p in function.parameters]
    if with_result and function.returns:
        found.append((function.types.c_text(function.result.type_id), "retval"))
    return found


def all_names(kernel: "KernelFacts", provider: str) -> list[str]:
    """All functions that can be traced and that BTF describes."""
    functions = kernel.functions()
    found = []
    for module in functions.modules():
        types = kernel_types(kernel) if module == KERNEL_ITSELF else kernel_types(kernel).module(module)
        if types is not None:
            known = types.btf.function_names()
            found += [
                f"{provider}:{module}:{name}" for name in functions.names(module) if name.encode() in known
            ]
    return found


def expand(point: "AttachPoint", kernel: "KernelFacts", report: Report, kind: ProbeKind) -> list[Target]:
    """The targets of an attach point; problems go to `report`, and then the list is empty."""
    provider = kind.providers[0]
    if len(point.args) not in (1, 2) or not all(point.args):
        report(names_no_function(point, provider))
        return []
    if not kernel.has_feature("fentry"):
        report(not_supported_here(point, "fentry"))
        return []
    module, name = point.args if len(point.args) == 2 else ("", point.args[0])
    if module == "bpf":
        report(error("not-yet", "functions of BPF programs cannot be traced yet", point.span))
        return []
    if has_wildcard(name) or has_wildcard(module):
        found = _matching(kernel, module or "*", name)
        if not found:
            report(_none_matches(point, provider))
    else:
        found = _named(point, kernel, report, module, name)
    named, cookies = not has_wildcard(name), kernel.has_feature("fentry_cookie")
    return [
        Target(kind, f"{provider}:{f.module}:{f.name}", (f.module, f.name, named, f.slots, cookies))
        for f in found
    ]


def _none_matches(point: "AttachPoint", provider: str) -> Diagnostic:
    return error(
        "unknown-probe",
        f"no function of this kernel that can be traced matches `{':'.join(point.args)}`",
        point.span,
        help=f"`kernscope list '{provider}:*'` shows what there is",
    )


def _matching(kernel: "KernelFacts", module_pattern: str, pattern: str) -> list[KernelFunction]:
    """What can be traced; what BTF says cannot be attached to is left out."""
    functions = kernel.functions()
    found = []
    for module in match_names(module_pattern, functions.modules()):
        for name in match_names(pattern, functions.names(module)):
            function = find_function(kernel, module, name)
            if function is not None and not function.obstacle:
                found.append(function)
    return found


def _named(
    point: "AttachPoint", kernel: "KernelFacts", report: Report, module: str, name: str
) -> list[KernelFunction]:
    """The function of a name that the program gives."""
    function = find_function(kernel, module or KERNEL_ITSELF, name)
    if function is None and not module:
        function = _in_some_module(kernel, name)
    if function is None:
        report(_unknown(point, kernel, module, name))
        return []
    if function.obstacle:
        report(
            error(
                "bad-target",
                f"`{name}` cannot be traced with its types: {function.obstacle}",
                point.span,
                help=f"`kprobe:{name}` can be attached to it" if kernel.has_feature("kprobe") else None,
            )
        )
        return []
    return [function]


def _in_some_module(kernel: "KernelFacts", name: str) -> KernelFunction | None:
    for module in kernel.btf_modules():
        types = kernel_types(kernel).module(module)
        if types is not None and types.btf.may_have(name):
            function = find_function(kernel, module, name)
            if function is not None:
                return function
    return None


def _unknown(point: "AttachPoint", kernel: "KernelFacts", module: str, name: str) -> Diagnostic:
    """A function that is not there, or that BTF does not describe."""
    from .kprobe_targets import module_not_loaded, unknown_function

    functions = kernel.functions()
    if module and module != KERNEL_ITSELF and module not in functions.modules():
        return module_not_loaded(point, kernel, module)
    if functions.addresses(name, module):
        return error(
            "unknown-probe",
            f"this kernel does not describe the types of `{name}`",
            point.span,
            notes="functions that exist in several forms, or that are written in assembly, have no type in BTF",
            help=f"`kprobe:{name}` does without them" if kernel.has_feature("kprobe") else None,
        )
    where = f" in `{module}`" if module else ""
    return unknown_function(point, kernel, name, functions.names(module), where)


def attach_function(kernel: "KernelAccess", attach: Attach, program: "Program", attach_type: int) -> "Link":
    """Attach a program that was loaded for the function.

    Raises:
        AttachError: the function cannot be patched.
    """
    (cookie,) = attach.target
    assert isinstance(cookie, int)
    try:
        return kernel.attach_function(program, attach.probe, attach_type=attach_type, cookie=cookie)
    except AttachError as problem:
        raise AttachError(
            problem.errno or 0, problem.command, attach.probe, _hint(kernel, attach.function)
        ) from None


def _hint(kernel: "KernelAccess", function: str) -> str | None:
    """Why a function may have been refused."""
    module, _, name = function.partition(":")
    if name not in kernel.functions().names(module):
        return f"`{name}` is among the functions that must not be traced, or its beginning cannot be patched"
    return None
