"""Targets of `uprobe` and `uretprobe`: functions by name, pattern, C++ or Rust name, places inside them, addresses."""

from collections.abc import Sequence

from kernscope.diagnostics import Diagnostic, error, suggest, warning
from kernscope.elf import ElfError, Function
from kernscope.kernel.user_files import UserPath
from kernscope.syntax.ast import AttachPoint

from .base import ProbeKind, Report, Target, has_wildcard, match_names
from .missing import not_supported_here
from .uprobe import server
from .user_target import UserFile, open_user_file, user_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelFacts

__all__ = ["expand", "list_matching"]

_LANGUAGES = ("cpp", "rust")
"""Whose names are read in targets, `uprobe:FILE:cpp:FUNCTION`."""

_NOT_TELLING = frozenset(
    "std operator allocator string basic_string istream ostream anonymous namespace".split()
)
"""Words of a C++ name that its symbol may not hold as they are."""


class _Wanted:
    """The parts of an attach point. `address` is set where it names no function."""

    __slots__ = ("address", "file", "function", "language", "offset")

    def __init__(self, file: str, language: str, function: str, offset: int, address: int | None) -> None:
        self.file, self.language, self.function = file, language, function
        self.offset, self.address = offset, address


class _Expansion:
    """One attach point while it is expanded."""

    def __init__(
        self, point: AttachPoint, kernel: "KernelFacts", report: Report, provider: str, kind: ProbeKind
    ) -> None:
        self.point, self.kernel, self.report = point, kernel, report
        self.provider, self.kind = provider, kind

    def target(self, file: UserFile, name: str, offsets: Sequence[int], exact: bool) -> Target:
        key = (file.opened, file.elf.build_id(), self.point.process, tuple(offsets), int(exact))
        return Target(self.kind, f"{self.provider}:{file.path}:{name}", key)

    def in_file(self, file: UserFile, wanted: _Wanted, several: bool) -> list[Target]:
        """The targets in one file; that there are none is reported unless there are several files."""
        if wanted.address is not None:
            return self._address(file, wanted.address)
        found = matching_functions(file, wanted.language, wanted.function)
        if not found:
            if not several:
                self.report(_no_function(self.point, file, wanted))
            return []
        exact = not has_wildcard(wanted.function)
        prefix = f"{wanted.language}:" if wanted.language else ""
        targets = []
        for name, functions in found.items():
            if wanted.offset:
                offsets, name = self._inside(file, functions[0], wanted.offset), f"{name}+{wanted.offset}"
            else:
                offsets = self._steppable(file, name, functions, exact)
            if offsets:
                targets.append(self.target(file, prefix + name, offsets, exact))
        if not targets and exact and not wanted.offset:
            self.report(
                error("unknown-probe", f"`{wanted.function}` is no code of `{file.path}`", self.point.span)
            )
        return targets

    def _steppable(self, file: UserFile, name: str, functions: Sequence[Function], exact: bool) -> list[int]:
        """Where functions begin in the file. A pattern leaves out those that a probe would break."""
        from kernscope.elf.instructions import steps_badly

        offsets = [o for f in functions if (o := file.offset_of(f.address)) is not None]
        content = self.kernel.map_file(file.opened)
        risky = [o for o in offsets if steps_badly(content[o : o + 1], file.elf.machine)]
        if not risky or not exact:
            return [offset for offset in offsets if offset not in risky]
        self.report(
            warning(
                "bad-target",
                f"`{name}` begins with an AVX-512 instruction: a probe may break the programs that run it",
                self.point.span,
                notes="on some virtual machines the kernel loses what such an instruction does; patterns leave it out",
                help=f"`{name}+6`, or where its second instruction begins, is safe",
            )
        )
        return offsets

    def _inside(self, file: UserFile, function: Function, offset: int) -> list[int]:
        if function.size and offset >= function.size:
            self.report(
                error(
                    "bad-target",
                    f"`{function.name}` has {function.size} bytes: {offset} is outside",
                    self.point.span,
                )
            )
            return []
        return self._at_instruction(file, function, function.address + offset)

    def _address(self, file: UserFile, address: int) -> list[Target]:
        if file.offset_of(address) is None:
            self.report(
                error(
                    "bad-target",
                    f"`{file.path}` has no code at {address:#x}",
                    self.point.span,
                    notes=f"its code lies at {_code_ranges(file)}",
                )
            )
            return []
        around = [
            f
            for functions in file.functions().all().values()
            for f in functions
            if f.address <= address < f.address + f.size
        ]
        if around:
            offsets = self._at_instruction(file, around[0], address)
        else:
            self.report(
                error(
                    "inside-instruction",
                    f"nobody knows whether an instruction begins at {address:#x} of `{file.path}`",
                    self.point.span,
                    notes="the file has no symbol for a function there; a probe elsewhere would break the program",
                    help="`--unsafe` puts the probe there all the same",
                )
            )
            offsets = [file.offset_of(address) or 0]
        return [self.target(file, str(address), offsets, True)]

    def _at_instruction(self, file: UserFile, function: Function, address: int) -> list[int]:
        """The place of an address in the file. A probe in the middle of an instruction would break the program."""
        from kernscope.elf.instructions import begins_instruction

        start = file.offset_of(function.address)
        offset = file.offset_of(address)
        if start is None or offset is None:
            return []
        code = self.kernel.map_file(file.opened)[start : offset + 1]
        if not begins_instruction(code, offset - start, file.elf.machine):
            self.report(
                error(
                    "inside-instruction",
                    f"no instruction begins at `{function.name}+{address - function.address}`",
                    self.point.span,
                    notes="a probe in the middle of an instruction breaks the program that runs into it",
                    help=f"`objdump -d --disassemble={function.name} {file.path}` shows where they begin",
                )
            )
        return [offset]


def expand(
    point: AttachPoint, kernel: "KernelFacts", report: Report, provider: str, *, at_return: bool
) -> list[Target]:
    """The targets of an attach point. Problems go to `report`."""
    wanted = _parse(point, report, provider, at_return=at_return)
    if wanted is None:
        return []
    kind = server(kernel, at_return)
    if kind is None:
        report(not_supported_here(point, "uprobe"))
        return []
    expansion = _Expansion(point, kernel, report, provider, kind)
    files = user_files(point, wanted.file, kernel, report)
    several = has_wildcard(wanted.file) and len(files) != 1
    targets: dict[str, Target] = {}
    for file in files:
        try:
            for target in expansion.in_file(file, wanted, several):
                targets.setdefault(target.name, target)
        except ElfError as problem:
            if not several:
                report(
                    error(
                        "unreadable-program",
                        f"`{file.path}` cannot be probed",
                        point.span,
                        notes=str(problem),
                    )
                )
    if several and files and not targets and wanted.address is None:
        report(
            error(
                "unknown-probe",
                f"none of the {len(files)} files that `{wanted.file}` matches has a function `{wanted.function}`",
                point.span,
            )
        )
    return list(targets.values())


def list_matching(point: AttachPoint, kernel: "KernelFacts", provider: str) -> list[str] | None:
    """Names of the functions that a pattern of `kernscope list` means; None where it names no file."""
    if not point.args or not point.args[0]:
        return None
    if len(point.args) == 1:
        point = AttachPoint(point.provider, [*point.args, "*"], f"{point.text}:*", None, point.span)
    wanted = _parse(point, lambda _: None, provider, at_return=False)
    if wanted is None:
        return None
    names = []
    prefix = f"{wanted.language}:" if wanted.language else ""
    for file in user_files(point, wanted.file, kernel, lambda _: None):
        try:
            found = matching_functions(file, wanted.language, wanted.function)
        except ElfError:
            continue
        names += [f"{provider}:{file.path}:{prefix}{name}" for name in found]
    return names


def symbol_in_file(kernel: "KernelFacts", target: Target, name: str) -> tuple[int, int] | None:
    """How far behind the target's place a symbol of its file lies, and its size; None if there is none."""
    opened, _, _, offsets, _ = target.key
    assert isinstance(offsets, tuple)
    file = open_user_file(kernel, UserPath(str(opened), str(opened)))
    found = file.functions().variables(name)
    place = file.elf.address_of(offsets[0])
    return (found[0].address - place, found[0].size) if found and place is not None else None


def _parse(point: AttachPoint, report: Report, provider: str, *, at_return: bool) -> _Wanted | None:
    args = point.args
    problem, help = "", f"write `{provider}:/usr/bin/bash:readline`, or `{provider}:libc:malloc`"
    language = ""
    if len(args) > 2 and args[0]:
        language, function = args[1], ":".join(args[2:])
        if language not in _LANGUAGES:
            near = suggest(language, _LANGUAGES)
            problem = f"`{language}` is no language whose names are read here"
            help = f"did you mean `{near}`?" if near else "it is `cpp` or `rust`"
    elif len(args) == 2 and all(args):
        function = args[1]
    else:
        function, problem = "", f"`{point.text}` does not name a function of a program"
    address = _number(function) if not language else None
    offset: int | None = 0
    name, plus, rest = function.rpartition("+")
    if not problem and plus and name and "operator" not in function:
        function, offset = name, _number(rest)
        if offset is None or has_wildcard(name):
            problem, help = (
                f"`{point.text}` does not say how many bytes into which function",
                "write `main+4`",
            )
    if not problem and at_return and (offset or address is not None):
        problem = f"`{point.text}`: only whole functions return"
        help = "name the function alone, or use `uprobe`"
    if not problem and not function:
        problem = f"`{point.text}` does not name a function of a program"
    if problem:
        report(error("bad-target", problem, point.span, help=help))
        return None
    return _Wanted(args[0], language, function, offset or 0, address)


def _number(text: str) -> int | None:
    try:
        return int(text, 0) if text[:1].isdecimal() else None
    except ValueError:
        return int(text) if text.isdecimal() else None


def matching_functions(file: UserFile, language: str, wanted: str) -> dict[str, list[Function]]:
    """The functions of a file, by their symbol, that a target's name or pattern means.

    `language` says that it is a name of C++ or Rust, as their authors wrote it; so does `::` in it.
    """
    table = file.functions()
    if not language:
        if has_wildcard(wanted):
            functions = table.all()
            return {name: functions[name] for name in match_names(wanted, list(functions))}
        exact = table.named(wanted)
        if exact or "::" not in wanted:
            return {wanted: exact} if exact else {}
    return _demangled(table.all(), wanted)


def _demangled(functions: dict[str, list[Function]], wanted: str) -> dict[str, list[Function]]:
    from kernscope.symbols.demangle import demangle, plain_forms

    word = _telling_word(wanted)
    found = {}
    for name in functions:
        if word not in name:
            continue
        forms = plain_forms(demangle(name)) if name.startswith(("_Z", "_R")) else [name]
        if any(match_names(wanted, [form]) for form in forms):
            found[name] = functions[name]
    return found


def _telling_word(wanted: str) -> str:
    """A word that the symbol of a C++ or Rust name holds, too, so that few symbols need to be read."""
    from re import findall

    head = wanted.partition("(")[0].partition("<")[0]
    words = [w for w in findall(r"[A-Za-z_][A-Za-z0-9_]*", head) if w not in _NOT_TELLING]
    return "" if "operator" in head or "[" in head else max(words, key=len, default="")


def _no_function(point: AttachPoint, file: UserFile, wanted: _Wanted) -> Diagnostic:
    names = list(file.functions().all())
    notes: list[str] = []
    if not names:
        notes.append("the file is stripped: it has no names of functions")
    elif not file.elf.has_symbols:
        notes.append("the file is stripped: only the functions that it offers to others have names")
    if has_wildcard(wanted.function):
        message = f"no function of `{file.path}` matches `{wanted.function}`"
        help = f"`kernscope list 'uprobe:{file.path}:*'` shows what there is" if names else None
    else:
        message = f"`{file.path}` has no function `{wanted.function}`"
        near = suggest(wanted.function, names)
        help = f"did you mean `{near}`?" if near else None
        if near is None and names:
            help = f"`kernscope list 'uprobe:{file.path}:*'` shows what there is"
    if wanted.language == _LANGUAGES[0]:
        from kernscope.symbols.demangle import can_demangle_cpp

        if not can_demangle_cpp():
            notes.append("C++ names cannot be read here: that needs the library libstdc++")
    return error("unknown-probe", message, point.span, notes=notes, help=help)


def _code_ranges(file: UserFile) -> str:
    parts = [f"{s.address:#x} to {s.address + s.size:#x}" for s in file.elf.segments if s.executable]
    return " and ".join(parts) or "no address"
