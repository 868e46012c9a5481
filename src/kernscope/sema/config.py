"""The config block and the environment variables that preset it. One row per setting."""

from collections.abc import Mapping

from kernscope.diagnostics import Diagnostic, error, suggest
from kernscope.syntax.ast import BoolLiteral, ConfigEntry, Identifier, IntLiteral, StringLiteral

__all__ = ["SETTINGS", "Setting", "read_config"]

Value = int | str | bool


class Setting:
    """A setting: its default, and for numbers the range; `choices` for words. `ignored` says why it has no effect."""

    __slots__ = ("choices", "default", "doc", "ignored", "largest", "smallest")

    def __init__(
        self,
        default: Value,
        doc: str,
        *,
        smallest: int = 0,
        largest: int = (1 << 31) - 1,
        choices: tuple[str, ...] = (),
        ignored: bool = False,
    ) -> None:
        self.default, self.doc, self.smallest, self.largest = default, doc, smallest, largest
        self.choices, self.ignored = choices, ignored


SETTINGS: dict[str, Setting] = {
    "max_map_keys": Setting(4096, "most entries of a map", smallest=1),
    "max_strlen": Setting(
        1024, "size of the strings that `str()` reads, in bytes", smallest=8, largest=65536
    ),
    "max_probes": Setting(1024, "most probes that a program may have", smallest=1),
    "print_maps_on_exit": Setting(True, "print all maps at the end"),
    "perf_rb_pages": Setting(0, "size of the event buffer in pages; 0 chooses", smallest=0),
    "str_trunc_trailer": Setting("..", "what marks a string that was cut"),
    "missing_probes": Setting(
        "error", "what to do when a target cannot be attached", choices=("error", "warn", "ignore")
    ),
    "stack_mode": Setting(
        "bpftrace", "form of stack traces", choices=("bpftrace", "perf", "raw"), ignored=True
    ),
    "on_stack_limit": Setting(32, "largest value kept on the stack, in bytes", ignored=True),
    "log_size": Setting(1_000_000, "size of the verifier's log, in bytes", ignored=True),
    "max_bpf_progs": Setting(1024, "most programs", ignored=True),
    "max_cat_bytes": Setting(10240, "most bytes that `cat()` shows", ignored=True),
    "max_ast_nodes": Setting(0, "most nodes of the syntax tree; 0: no limit", ignored=True),
    "max_type_res_iterations": Setting(0, "rounds of type inference", ignored=True),
    "cache_user_symbols": Setting("PER_PID", "symbol cache", ignored=True),
    "cpp_demangle": Setting(True, "demangle C++ names", ignored=True),
    "lazy_symbolication": Setting(False, "read symbols late", ignored=True),
    "use_blazesym": Setting(True, "symboliser", ignored=True),
    "show_debug_info": Setting(False, "lines in stacks", ignored=True),
    "license": Setting("GPL", "license that programs are loaded under"),
    "unstable_map_decl": Setting("warn", "accept map declarations", ignored=True),
    "unstable_import": Setting("error", "accept imports", ignored=True),
    "unstable_macro": Setting("warn", "accept macros", ignored=True),
    "unstable_tseries": Setting("warn", "accept tseries()", ignored=True),
    "unstable_addr": Setting("warn", "accept address-of", ignored=True),
    "unstable_typeinfo": Setting("warn", "accept typeinfo()", ignored=True),
}


def read_config(
    entries: list[ConfigEntry], environment: Mapping[str, str], found: list[Diagnostic]
) -> dict[str, Value]:
    """All settings: defaults, then `BPFTRACE_NAME` of the environment, then the program's config block."""
    values: dict[str, Value] = {name: setting.default for name, setting in SETTINGS.items()}
    for name, setting in SETTINGS.items():
        text = environment.get(f"BPFTRACE_{name.upper()}")
        if text is not None:
            value = _from_text(setting, text)
            if value is None:
                found.append(
                    error("bad-config", f"`BPFTRACE_{name.upper()}={text}`: {_wanted(setting)}", None)
                )
            else:
                values[name] = value
    for entry in entries:
        _read_entry(entry, values, found)
    return values


def _read_entry(entry: ConfigEntry, values: dict[str, Value], found: list[Diagnostic]) -> None:
    name = entry.name.lower().removeprefix("bpftrace_")
    known = SETTINGS.get(name)
    if known is None:
        near = suggest(name, SETTINGS)
        found.append(
            error(
                "bad-config",
                f"there is no setting `{entry.name}`",
                entry.span,
                notes=f"the settings are: {', '.join(f'`{s}`' for s in SETTINGS)}",
                help=f"did you mean `{near}`?" if near else None,
            )
        )
        return
    node = entry.value
    text = (
        str(node.value)
        if isinstance(node, IntLiteral | StringLiteral | BoolLiteral)
        else node.name
        if isinstance(node, Identifier)
        else ""
    )
    value = _from_text(known, text)
    if value is None:
        found.append(error("bad-config", f"`{name}`: {_wanted(known)}", node.span))
    else:
        values[name] = value


def _from_text(setting: Setting, text: str) -> Value | None:
    if isinstance(setting.default, bool):
        return {"true": True, "false": False, "1": True, "0": False}.get(text.lower())
    if isinstance(setting.default, int):
        try:
            number = int(text, 0)
        except ValueError:
            return None
        return number if setting.smallest <= number <= setting.largest else None
    return text if not setting.choices or text in setting.choices else None


def _wanted(setting: Setting) -> str:
    if isinstance(setting.default, bool):
        return "wants `true` or `false`"
    if isinstance(setting.default, int):
        return f"wants a number from {setting.smallest} to {setting.largest}"
    return (
        f"wants one of {', '.join(f'`{c}`' for c in setting.choices)}" if setting.choices else "wants a text"
    )
