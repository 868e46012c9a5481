"""Write the system-call number tables in src/kernscope/tables/syscalls/ from the installed UAPI headers.

Usage: python3 tools/generate_syscalls.py [x86_64|i386|aarch64]
With a machine it prints that table's text, without one it writes all files.

The numbers come from <asm/unistd_64.h> (x86_64), <asm/unistd_32.h> (i386) and <asm-generic/unistd.h> (aarch64), package
linux-libc-dev on Debian. Headers are often older than the running kernel, so `NEWER` holds what later kernels have
added; numbers are never reused, so the two cannot disagree.
"""

import re
import sys
from pathlib import Path

TABLES = Path(__file__).resolve().parent.parent / "src" / "kernscope" / "tables" / "syscalls"

# arch/x86/entry/syscalls/syscall_64.tbl and scripts/syscall.tbl, up to Linux 6.19.
_NEWER_NAMES = (
    "cachestat fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue statmount listmount "
    "lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal setxattrat getxattrat listxattrat "
    "removexattrat open_tree_attr file_getattr file_setattr listns"
)
NEWER = dict(enumerate(_NEWER_NAMES.split(), start=451))
LAST_NUMBER = max(NEWER)
NEWER_X86_64 = {335: "uretprobe", 336: "uprobe"}

# What arch/arm64/include/uapi/asm/unistd.h defines before it includes the generic header.
_ARM64_DEFINES = {
    "__ARCH_WANT_RENAMEAT",
    "__ARCH_WANT_NEW_STAT",
    "__ARCH_WANT_SET_GET_RLIMIT",
    "__ARCH_WANT_TIME32_SYSCALLS",
    "__ARCH_WANT_SYS_CLONE3",
    "__ARCH_WANT_MEMFD_SECRET",
}


def _active_lines(text: str, defined: set[str]) -> list[str]:
    """Lines of `text` that a C preprocessor for a 64-bit machine would keep."""
    kept = []
    conditions: list[bool] = []
    for line in re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).splitlines():
        directive = re.match(r"#\s*(ifdef|ifndef|if|else|endif|elif)\b(.*)", line)
        if directive is None:
            if all(conditions):
                kept.append(line)
                if name := re.match(r"#\s*define\s+(\w+)", line):
                    defined.add(name[1])
            continue
        word, rest = directive[1], directive[2].strip()
        if word == "endif":
            conditions.pop()
        elif word == "else":
            conditions[-1] = not conditions[-1]
        elif word == "ifdef":
            conditions.append(rest in defined)
        elif word == "ifndef":
            conditions.append(rest not in defined)
        elif word == "if":
            conditions.append(_evaluate(rest, defined))
        else:
            raise ValueError(f"unexpected directive: {line}")
    return kept


def _evaluate(expression: str, defined: set[str]) -> bool:
    result = True
    for conjunct in expression.split("&&"):
        alternatives = []
        for term in conjunct.split("||"):
            term = term.strip()
            if match := re.fullmatch(r"(!?)\s*defined\s*\(?\s*(\w+)\s*\)?", term):
                alternatives.append((match[2] in defined) != bool(match[1]))
            elif match := re.fullmatch(r"__BITS_PER_LONG\s*(==|!=)\s*(\d+)", term):
                alternatives.append((int(match[2]) == 64) == (match[1] == "=="))
            else:
                raise ValueError(f"cannot evaluate `{term}`")
        result = result and any(alternatives)
    return result


def numbers_of(header: str, defined: set[str]) -> dict[int, str]:
    """Number → name from a header's `#define __NR_name number` lines, following one level of renaming."""
    symbols: dict[str, int | str] = {}
    for line in _active_lines(header, set(defined)):
        if match := re.match(r"#\s*define\s+(__NR\w+)\s+(\w+)\s*$", line):
            symbols[match[1]] = int(match[2]) if match[2].isdigit() else match[2]
    found = {}
    for symbol, value in symbols.items():
        name = symbol.removeprefix("__NR_")
        if not symbol.startswith("__NR_") or name in ("syscalls", "arch_specific_syscall"):
            continue
        number = symbols.get(value) if isinstance(value, str) else value
        if isinstance(number, int):
            found[number] = name
    return found


def x86_64(include: Path = Path("/usr/include")) -> dict[int, str]:
    """The table of x86_64, or OSError where its header is not installed."""
    return numbers_of(_x86_header("unistd_64.h", include), set()) | NEWER | NEWER_X86_64


def i386(include: Path = Path("/usr/include")) -> dict[int, str]:
    """The table of 32-bit programs on x86_64, or OSError where its header is not installed."""
    return numbers_of(_x86_header("unistd_32.h", include), set()) | NEWER


def _x86_header(name: str, include: Path) -> str:
    candidates = [include / "x86_64-linux-gnu/asm" / name, include / "asm" / name]
    return next((path for path in candidates if path.exists()), candidates[-1]).read_text()


def aarch64(include: Path = Path("/usr/include")) -> dict[int, str]:
    """The table of aarch64, or OSError where the generic header is not installed."""
    header = (include / "asm-generic/unistd.h").read_text()
    return numbers_of(header, _ARM64_DEFINES) | NEWER


SOURCES = {
    "x86_64": ("asm/unistd_64.h", x86_64),
    "i386": ("asm/unistd_32.h", i386),
    "aarch64": ("asm-generic/unistd.h", aarch64),
}


def render(machine: str, table: dict[int, str]) -> str:
    """The text of a table module.

    Numbers above `LAST_NUMBER` are left out, so that headers newer than this tool give the same file.
    """
    header = SOURCES[machine][0]
    lines = [
        f"# Generated by tools/generate_syscalls.py from <{header}> and kernels up to 6.19; do not edit.",
        f'"""System calls of {machine}: runs of consecutive numbers, as the first number and the names."""',
        "",
        '__all__ = ["RUNS"]',
        "",
        "RUNS: tuple[tuple[int, str], ...] = (",
    ]
    numbers = sorted(number for number in table if number <= LAST_NUMBER)
    starts = [number for number in numbers if number - 1 not in table]
    for start in starts:
        names = []
        while start + len(names) in table and start + len(names) <= LAST_NUMBER:
            names.append(table[start + len(names)])
        lines += _run_lines(start, names)
    return "\n".join([*lines, ")"]) + "\n"


def _run_lines(start: int, names: list[str]) -> list[str]:
    rows, row = [], ""
    for name in names:
        if row and len(row) + len(name) > 90:
            rows.append(row)
            row = ""
        row += name + " "
    rows.append(row.rstrip())
    if len(rows) == 1:
        return [f'    ({start}, "{rows[0]}"),']
    return [
        "    (",
        f"        {start},",
        *(f'        "{row}"' for row in rows[:-1]),
        f'        "{rows[-1]}",',
        "    ),",
    ]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.write(render(sys.argv[1], SOURCES[sys.argv[1]][1]()))
    else:
        for machine, (_, read) in SOURCES.items():
            (TABLES / f"{machine}.py").write_text(render(machine, read()))
