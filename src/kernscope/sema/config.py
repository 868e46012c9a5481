"""The config block and the environment variables that preset it. One row per setting.

The names, defaults and values are those of the language reference. The environment wins over the program's block.
"""

from collections.abc import Callable, Mapping

from kernscope.diagnostics import Diagnostic, error, suggest, warning
from kernscope.syntax.ast import (
    BoolLiteral,
    Call,
    ConfigEntry,
    Identifier,
    IntLiteral,
    Node,
    Program,
    StringLiteral,
    TypeInfo,
    walk,
)

__all__ = ["SETTINGS", "Setting", "check_unstable", "read_config"]

Value = int | str | bool


class Setting:
    """A setting: its default, and for numbers the range; `choices` for words.

    `effect` says what it does here where that is not what its documentation says; `deprecated` marks those that
    have none any more, and say so.
    """

    __slots__ = ("choices", "default", "deprecated", "doc", "effect", "largest", "smallest")

    def __init__(
        self,
        default: Value,
        doc: str,
        *,
        smallest: int = 0,
        largest: int = (1 << 31) - 1,
        choices: tuple[str, ...] = (),
        effect: str = "",
        deprecated: bool = False,
    ) -> None:
        self.default, self.doc, self.smallest, self.largest = default, doc, smallest, largest
        self.choices, self.effect, self.deprecated = choices, effect, deprecated


_LICENSES = (
    "GPL",
    "GPL v2",
    "GPL and additional rights",
    "Dual BSD/GPL",
    "Dual MIT/GPL",
    "Dual MPL/GPL",
)
"""Those of license_is_gpl_compatible() in the kernel's include/linux/license.h."""

_STABILITY = ("error", "warn", "enable")

SETTINGS: dict[str, Setting] = {
    "cache_user_symbols": Setting(
        "PER_PID",
        "how long symbols of processes are kept",
        choices=("PER_PID", "PER_PROGRAM", "NONE"),
        effect="symbols are always kept per file, which is right for every process",
    ),
    "cpp_demangle": Setting(True, "demangle C++ names"),
    "lazy_symbolication": Setting(False, "read symbols late", effect="symbols are always read when needed"),
    "license": Setting("GPL", "license that programs are loaded under", choices=_LICENSES),
    "log_size": Setting(
        1_000_000, "size of the verifier's log, in bytes", effect="the log grows as far as needed"
    ),
    "max_bpf_progs": Setting(
        1024,
        "most programs that the probes may need",
        smallest=1,
        effect="probes share programs, so that there are few",
    ),
    "max_cat_bytes": Setting(10240, "most bytes that `cat()` shows"),
    "max_map_keys": Setting(4096, "most entries of a map", smallest=1),
    "max_probes": Setting(1024, "most probes that a program may have", smallest=1),
    "max_strlen": Setting(
        1024, "size of the strings that `str()` reads, in bytes", smallest=1, largest=1 << 20
    ),
    "missing_probes": Setting(
        "error", "what to do when a target cannot be attached", choices=("error", "warn", "ignore")
    ),
    "on_stack_limit": Setting(
        32, "largest value kept on the stack, in bytes", effect="the compiler decides by the stack's use"
    ),
    "perf_rb_pages": Setting(0, "size of the event buffer in pages; 0 chooses"),
    "print_maps_on_exit": Setting(True, "print all maps at the end"),
    "python_frames": Setting(
        False, 'show functions of CPython (3.11 and newer) in `ustack`; needs `unwind = "tables"`'
    ),
    "show_debug_info": Setting(True, "files and lines in stacks"),
    "stack_mode": Setting(
        "bpftrace", "form of stack traces", choices=("bpftrace", "perf", "raw", "build_id")
    ),
    "str_trunc_trailer": Setting("..", "what marks a string that was cut"),
    "unwind": Setting(
        "frame_pointers",
        "how `ustack` goes from frame to frame: by frame pointers, or by the unwind tables of programs and libraries",
        choices=("frame_pointers", "tables"),
    ),
    "use_blazesym": Setting(True, "symboliser", effect="there is one symboliser"),
    "unstable_tseries": Setting("warn", "accept `tseries()`", choices=_STABILITY),
    "unstable_typeinfo": Setting("warn", "accept `typeinfo()`", choices=_STABILITY),
    "unstable_import_statement": Setting("warn", "accept imports in blocks", choices=_STABILITY),
    "max_type_res_iterations": Setting(0, "rounds of type inference", deprecated=True),
    "symbol_source": Setting("", "where symbols come from", deprecated=True),
    "unstable_addr": Setting("", "accept address-of", deprecated=True),
    "unstable_import": Setting("", "accept imports", deprecated=True),
    "unstable_macro": Setting("", "accept macros", deprecated=True),
    "unstable_map_decl": Setting("", "accept map declarations", deprecated=True),
}

_RENAMED = {"strlen": "max_strlen", "no_cpp_demangle": "cpp_demangle"}
"""Old names; the second has the opposite meaning."""

_ENVIRONMENT_ONLY = frozenset(["btf", "kernel_build", "kernel_source", "vmlinux"])
"""Where kernel types and headers are found: of the machine, not of the program."""

_TRUE_OR_FALSE = {"true": True, "false": False, "1": True, "0": False}


def read_config(
    entries: list[ConfigEntry], environment: Mapping[str, str], found: list[Diagnostic]
) -> dict[str, Value]:
    """All settings: defaults, then the program's config block, then `BPFTRACE_NAME` of the environment."""
    values: dict[str, Value] = {name: setting.default for name, setting in SETTINGS.items()}
    for entry in entries:
        _read_entry(entry, values, found)
    for variable, text in environment.items():
        if variable.startswith("BPFTRACE_"):
            _read_variable(variable, text, values, found)
    return values


def _read_variable(variable: str, text: str, values: dict[str, Value], found: list[Diagnostic]) -> None:
    written = variable.removeprefix("BPFTRACE_").lower()
    name = _RENAMED.get(written, written)
    known = SETTINGS.get(name)
    if known is None or known.deprecated:
        return  # other tools have variables of this name too
    value = _from_text(known, text)
    if value is None:
        found.append(error("bad-config", f"`{variable}={text}`: {_wanted(known)}", None))
    else:
        values[name] = not value if written.startswith("no_") else value


def _read_entry(entry: ConfigEntry, values: dict[str, Value], found: list[Diagnostic]) -> None:
    written = entry.name.lower().removeprefix("bpftrace_")
    name = _RENAMED.get(written, written)
    known = SETTINGS.get(name)
    if known is None:
        found.append(_unknown(entry, name))
        return
    if known.deprecated:
        message = f"the setting `{name}` has no effect any more"
        found.append(warning("deprecated-config", message, entry.span, help="remove it"))
        return
    if name != written:
        found.append(
            warning(
                "deprecated-config",
                f"the setting `{written}` is called `{name}` now",
                entry.span,
                help=f"write `{name}`" + (", with the opposite value" if written.startswith("no_") else ""),
            )
        )
    value = _from_node(known, entry.value)
    if value is None:
        found.append(error("bad-config", f"`{name}`: {_wanted(known)}", entry.value.span))
    else:
        values[name] = not value if written.startswith("no_") else value


def _unknown(entry: ConfigEntry, name: str) -> Diagnostic:
    if name in _ENVIRONMENT_ONLY:
        return error(
            "bad-config",
            f"`{entry.name}` belongs to the machine and cannot be set in a program",
            entry.span,
            help=f"set it in the environment: `BPFTRACE_{name.upper()}=…`",
        )
    near = suggest(name, SETTINGS)
    return error(
        "bad-config",
        f"there is no setting `{entry.name}`",
        entry.span,
        notes=f"the settings are: {', '.join(f'`{s}`' for s in SETTINGS if not SETTINGS[s].deprecated)}",
        help=f"did you mean `{near}`?" if near else None,
    )


def _from_node(setting: Setting, node: Node) -> Value | None:
    if isinstance(setting.default, bool):
        if isinstance(node, IntLiteral):
            return node.value != 0
        if isinstance(node, BoolLiteral):
            return node.value
    elif isinstance(setting.default, int):
        return _in_range(setting, node.value) if isinstance(node, IntLiteral) else None
    text = (
        node.value
        if isinstance(node, StringLiteral)
        else node.name
        if isinstance(node, Identifier)
        else str(node.value)
        if isinstance(node, IntLiteral | BoolLiteral)
        else ""
    )
    return _from_text(setting, text)


def _from_text(setting: Setting, text: str) -> Value | None:
    if isinstance(setting.default, bool):
        return _TRUE_OR_FALSE.get(text.lower())
    if isinstance(setting.default, int):
        try:
            return _in_range(setting, int(text, 0))
        except ValueError:
            return None
    return text if not setting.choices or text in setting.choices else None


def _in_range(setting: Setting, number: int) -> int | None:
    return number if setting.smallest <= number <= setting.largest else None


def _wanted(setting: Setting) -> str:
    if isinstance(setting.default, bool):
        return "wants `true` or `false`"
    if isinstance(setting.default, int):
        return f"wants a number from {setting.smallest} to {setting.largest}"
    return (
        f"wants one of {', '.join(f'`{c}`' for c in setting.choices)}" if setting.choices else "wants a text"
    )


_UNSTABLE: "dict[str, tuple[str, Callable[[Node], bool]]]" = {
    "unstable_tseries": ("`tseries()`", lambda node: isinstance(node, Call) and node.name == "tseries"),
    "unstable_typeinfo": ("`typeinfo()`", lambda node: isinstance(node, TypeInfo)),
}
"""The parts of the language that a setting can forbid: their name, and the nodes that are them."""


def check_unstable(program: Program, config: Mapping[str, Value], found: list[Diagnostic]) -> None:
    """Refuse, or warn of, the use of parts of the language that the reference calls unstable."""
    for setting, (what, is_use) in _UNSTABLE.items():
        choice = config[setting]
        use = None if choice == "enable" else next((n for n in walk(program) if is_use(n)), None)
        if use is not None:
            report, verb = (
                (error, "is forbidden by") if choice == "error" else (warning, "may change; it has")
            )
            found.append(
                report(
                    "unstable-feature",
                    f"{what} {verb} the setting `{setting}`",
                    use.span,
                    help=f"accept it: `config = {{ {setting} = enable; }}`",
                )
            )
