"""How long the symbols of large files take: opened, read, and a thousand addresses named, each time in a new process;
and how long their lines and inlined functions take.

In processor time, so that a busy machine does not count.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from glob import glob
from pathlib import Path
from statistics import median

from large_program import large_program
from result import Budget, Row
from rows import Setup

__all__ = ["source_lines", "symbols"]

ADDRESSES = 1000
WARM_MS = 50.0

_START = """
import json, sys, time
from kernscope.kernel.mappings import FileContent
from kernscope.symbols.files import MappedFile
start = time.process_time()
for path, addresses in json.load(sys.stdin):
    file = MappedFile(FileContent(path), path)
    file.elf
    for address in addresses:
        file.NAME(address)
print((time.process_time() - start) * 1e3)
"""


def symbols(setup: Setup) -> list[Row]:
    """Two rows: with nothing kept from before, and with what an earlier run has kept."""
    files = _files()
    wanted = [(path, _addresses(path)) for path in files]
    names = ", ".join(Path(path).name for path in files)
    cold = Row("symbols-cold", f"Symbols of {names}: {ADDRESSES} addresses each, nothing cached", "ms")
    warm = Row(
        "symbols-warm",
        "The same, cached",
        "ms",
        Budget("", 0, WARM_MS, text=f"at most {WARM_MS:.0f} ms"),
    )
    rounds = setup.rounds(5, 2)
    times: dict[str, list[float]] = {"cold": [], "warm": [], "other": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            times["cold"].append(_once(wanted, folder, "lookup"))
            times["warm"].append(_once(wanted, folder, "lookup"))
        if shutil.which("llvm-symbolizer"):
            times["other"].append(_other(wanted, "--no-inlines", "--functions=linkage"))
    cold.add("kernscope", times["cold"])
    if times["other"]:
        cold.notes.append(f"llvm-symbolizer: {median(times['other']):.0f} ms")
    warm.add("kernscope", times["warm"])
    return [cold, warm]


def source_lines(setup: Setup) -> list[Row]:
    """The same for files and lines, and what was inlined at the addresses: of the C library, if its debug information
    is here, of Python, and of a C++ program of 100 MB that is made for it.
    """
    with tempfile.TemporaryDirectory() as folder:
        large = large_program(Path(folder))
        files = [*_libraries(), *([str(large)] if large is not None else [])]
        wanted = [(path, _addresses(path)) for path in files]
        names = ", ".join(f"{Path(path).name} ({os.path.getsize(path) / 1e6:.0f} MB)" for path in files)
        title = f"Lines and inlined functions of {names}: {ADDRESSES} addresses each"
        cold = Row("lines-cold", f"{title}, nothing cached", "ms")
        warm = Row("lines-warm", "The same, cached", "ms")
        times: dict[str, list[float]] = {"cold": [], "warm": [], "other": []}
        for _ in range(setup.rounds(3, 1)):
            with tempfile.TemporaryDirectory() as cache:
                times["cold"].append(_once(wanted, cache, "source"))
                times["warm"].append(_once(wanted, cache, "source"))
            if shutil.which("llvm-symbolizer"):
                times["other"].append(_other(wanted, "--inlines", "--functions=linkage"))
    for row in (cold, warm):
        row.add("kernscope", times[row.name.removeprefix("lines-")])
        row.notes += [f"llvm-symbolizer: {median(times['other']):.0f} ms"] if times["other"] else []
    return [cold, warm]


def _libraries() -> list[str]:
    """The C library, and the file that has this Python's code."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        mapped = {line.split()[-1] for line in maps if "libpython" in line}
    return [*glob("/lib/*-linux-gnu/libc.so.6"), *(sorted(mapped)[:1] or [os.path.realpath(sys.executable)])]


def _files() -> list[str]:
    """The C library, Python, and the largest C++ program or library of about 100 MB that is installed."""
    large = [path for pattern in ("/usr/bin/node", "/usr/lib/*/libLLVM*.so*") for path in glob(pattern)]
    by_size = sorted({os.path.realpath(path) for path in large}, key=os.path.getsize)
    found = [*glob("/lib/*-linux-gnu/libc.so.6"), os.path.realpath(sys.executable)]
    return found + [path for path in by_size if os.path.getsize(path) > 50_000_000][:1]


def _addresses(path: str) -> list[int]:
    """Spread over the code."""
    from kernscope.elf import ElfFile
    from kernscope.kernel.mappings import FileContent

    segment = next(s for s in ElfFile(FileContent(path)).segments if s.executable)
    return [segment.address + i * (segment.size // ADDRESSES) for i in range(ADDRESSES)]


def _once(wanted: list[tuple[str, list[int]]], cache: str, method: str) -> float:
    """Milliseconds of processor time in which a new process asks a method of `MappedFile` for all addresses."""
    import json

    environment = {**os.environ, "XDG_CACHE_HOME": cache}
    done = subprocess.run(
        [sys.executable, "-c", _START.replace("NAME", method)],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    return float(done.stdout)


def _other(wanted: list[tuple[str, list[int]]], *options: str) -> float:
    """The same by llvm-symbolizer."""
    before = os.times()
    for path, addresses in wanted:
        text = "".join(f"{address:#x}\n" for address in addresses)
        command = ["llvm-symbolizer", f"--obj={path}", *options]
        subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=120)
    after = os.times()
    return (after.children_user + after.children_system - before.children_user - before.children_system) * 1e3
