"""Targets of `usdt`: probes by file, provider and name, each part perhaps a pattern."""

from kernscope.diagnostics import Diagnostic, error, suggest
from kernscope.elf import ElfError
from kernscope.elf.usdt import UsdtNote, read_usdt_notes
from kernscope.kernel.user_files import UserPath
from kernscope.syntax.ast import AttachPoint

from .base import ProbeKind, Report, Target, has_wildcard, match_names
from .missing import not_supported_here
from .usdt import USDT, server
from .usdt_arguments import place_arguments
from .user_target import UserFile, open_user_file, user_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelFacts

__all__ = ["describe", "expand", "list_matching", "symbol_in_file"]

_ANY = "*"


def _parts(point: AttachPoint) -> tuple[str, str, str] | None:
    """File, provider and name of an attach point; None where it names no probe."""
    args = point.args
    if len(args) == 2 and all(args):
        return args[0], _ANY, args[1]
    if len(args) == 3 and args[0] and args[2]:
        return args[0], args[1] or _ANY, args[2]
    return None


def expand(point: AttachPoint, kernel: "KernelFacts", report: Report) -> list[Target]:
    """The targets of an attach point. Problems go to `report`."""
    parts = _parts(point)
    if parts is None:
        report(
            error(
                "bad-target",
                f"`{point.text}` does not name a static probe of a program",
                point.span,
                help="write `usdt:/usr/sbin/server:NAME`, `usdt:libc:setjmp` or `usdt:FILE:PROVIDER:NAME`",
            )
        )
        return []
    kind = server(kernel)
    if kind is None:
        report(not_supported_here(point, "usdt"))
        return []
    text, provider, name = parts
    files = user_files(point, text, kernel, report)
    several = has_wildcard(text) and len(files) != 1
    targets: dict[str, Target] = {}
    for file in files:
        try:
            notes = read_usdt_notes(file.elf)
            for target in _in_file(point, kind, file, notes, provider, name):
                targets.setdefault(target.name, target)
        except ElfError as problem:
            if not several:
                report(_unreadable(point, file, problem))
                return []
            continue
        if not targets and not several:
            report(_no_probe(point, file, notes, provider, name))
            return []
    if files and not targets:
        report(
            error(
                "unknown-probe",
                f"none of the {len(files)} files that `{text}` matches has a static probe `{name}`",
                point.span,
            )
        )
    return list(targets.values())


def _in_file(
    point: AttachPoint, kind: ProbeKind, file: UserFile, notes: list[UsdtNote], provider: str, name: str
) -> list[Target]:
    """The file's probes that match, by provider and name; those that are nowhere in the file's code are left out."""
    targets = []
    for (its_provider, its_name), here in _matching(notes, provider, name).items():
        places = []
        for note in here:
            offset = file.offset_of(note.address)
            semaphore = file.elf.offset_of(note.semaphore) if note.semaphore else 0
            if offset is not None:
                places.append((offset, semaphore or 0, note.address, note.arguments))
        if places:
            exact = int(not has_wildcard(point.args[0]))
            key = (file.opened, file.elf.build_id(), point.process, tuple(dict.fromkeys(places)), exact)
            targets.append(Target(kind, f"usdt:{file.path}:{its_provider}:{its_name}", key))
    return targets


def _matching(notes: list[UsdtNote], provider: str, name: str) -> dict[tuple[str, str], list[UsdtNote]]:
    providers = set(match_names(provider, sorted({note.provider for note in notes})))
    names = set(match_names(name, sorted({note.name for note in notes})))
    found: dict[tuple[str, str], list[UsdtNote]] = {}
    for note in notes:
        if note.provider in providers and note.name in names:
            found.setdefault((note.provider, note.name), []).append(note)
    return dict(sorted(found.items()))


def list_matching(point: AttachPoint, kernel: "KernelFacts") -> list[str] | None:
    """Names of the probes that a pattern of `kernscope list` means; None where it names no file."""
    args = point.args
    if not args or not args[0]:
        return None
    text, provider, name = _parts(point) or (args[0], args[1] if len(args) > 2 else _ANY, _ANY)
    names = []
    for file in user_files(point, text, kernel, lambda _: None):
        try:
            notes = read_usdt_notes(file.elf)
        except ElfError:
            continue
        names += [f"usdt:{file.path}:{p}:{n}" for p, n in _matching(notes, provider, name)]
    return names


def describe(kernel: "KernelFacts", name: str) -> list[tuple[str, str]]:
    """`(C type, argN)` of each argument of the probe with this full name."""
    from kernscope.kernel.errors import KernelError

    kind = server(kernel)
    path, provider, probe = name.partition(":")[2].rsplit(":", 2)
    try:
        where = kernel.user_files(path)[0]
        file = open_user_file(kernel, where)
        notes = read_usdt_notes(file.elf)
    except (OSError, ElfError, KernelError, IndexError):
        return []
    point = AttachPoint("usdt", [path, provider, probe], name)
    targets = _in_file(point, kind or USDT, file, notes, provider, probe)
    texts: dict[int, str] = {}
    for target in targets:
        for _, arguments in place_arguments(kernel, target):
            for i, argument in enumerate(arguments):
                size, _, _ = argument.text.partition("@")
                integer = f"{'' if argument.signed else 'u'}int{8 * argument.size}"
                texts.setdefault(i, {"4f": "float", "8f": "double"}.get(size.lstrip("-")) or integer)
    return [(text, f"arg{i}") for i, text in sorted(texts.items())]


def symbol_in_file(kernel: "KernelFacts", target: Target, name: str) -> tuple[int, int] | None:
    """How far behind the target's place a variable of its file lies, and its size; None if there is none."""
    opened, _, _, places, _ = target.key
    assert isinstance(places, tuple)
    file = open_user_file(kernel, UserPath(str(opened), str(opened)))
    found = file.functions().variables(name)
    return (found[0].address - places[0][2], found[0].size) if found else None


def _no_probe(
    point: AttachPoint, file: UserFile, notes: list[UsdtNote], provider: str, name: str
) -> Diagnostic:
    wanted = name if provider == _ANY else f"{provider}:{name}"
    if not notes:
        return error("unknown-probe", f"`{file.path}` has no static probes", point.span)
    names = sorted({note.name for note in notes})
    full = [f"{note.provider}:{note.name}" for note in notes]
    elsewhere = [text for text in full if provider != _ANY and text.endswith(f":{name}")]
    near = elsewhere[0] if elsewhere else suggest(wanted, full if ":" in wanted else names)
    return error(
        "unknown-probe",
        f"`{file.path}` has no static probe `{wanted}`",
        point.span,
        help=f"did you mean `{near}`?"
        if near
        else f"`kernscope list 'usdt:{file.path}:*'` shows what there is",
    )


def _unreadable(point: AttachPoint, file: UserFile, problem: ElfError) -> Diagnostic:
    return error("unreadable-program", f"`{file.path}` cannot be probed", point.span, notes=str(problem))
