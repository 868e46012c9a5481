"""Maps of generated code: what others may put into /tmp, and files without an end or sense."""

import ctypes
import mmap
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernscope.kernel.mappings import open_regular
from kernscope.symbols import UserSymbols, perf_map
from kernscope.symbols.perf_map import PerfMap


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The map of this process. On a busy machine reading may take long: here it is read again all the same."""
    monkeypatch.setattr(perf_map, "LONG_S", 1e9)
    path = Path(f"/tmp/perf-{os.getpid()}.map")
    path.unlink(missing_ok=True)
    yield path
    path.unlink(missing_ok=True)


def newest(lines: list[tuple[int, int, str]], address: int) -> tuple[str, int] | None:
    """The last line that covers an address, by looking at all."""
    found = [(name, address - start) for start, size, name in lines if start <= address < start + size]
    return found[-1] if found else None


@pytest.mark.parametrize("seed", range(20))
def test_as_looking_at_every_line(path: Path, seed: int) -> None:
    """Written in pieces of any size, as a process does; what lies between is not there or makes no sense."""
    chance = random.Random(seed)
    names, lines, text = PerfMap(os.getpid()), [], b""
    for number in range(chance.randrange(1, 300)):
        start, size = chance.randrange(0, 4000, 8), chance.randrange(1, 64)
        name = f"f{number} ünd\x1b[1m"
        lines.append((start, size, name))
        text += f"{start:x} {size:x} {name}\n".encode()
        if chance.random() < 0.3:
            text += chance.choice(
                (b"\n", b"zz 1 x\n", b"10\n", b"\x00\xff\n", b"10 0 none\n", b"-8 8 n\n", b"8 8 \n")
            )
    at = 0
    while at < len(text):
        piece = chance.randrange(1, 2000)
        with path.open("ab") as file:
            file.write(text[at : at + piece])
        at += piece
        names.lookup(chance.randrange(4096))
    for address in range(0, 4100, 7):
        assert names.lookup(address) == newest(lines, address)


@pytest.mark.parametrize("seed", range(20))
def test_nonsense(path: Path, seed: int) -> None:
    chance = random.Random(seed)
    names = PerfMap(os.getpid())
    for _ in range(30):
        action = chance.randrange(4)
        if action == 0:
            path.write_bytes(chance.randbytes(chance.randrange(5000)))
        elif action == 1:
            with path.open("ab") as file:
                file.write(
                    b"".join(
                        chance.choices(
                            (b"1", b"f" * 40, b" ", b"\n", b"\t", b"\r", b"\0", b"x", b"_", b"+"), k=400
                        )
                    )
                )
        elif action == 2:
            path.unlink(missing_ok=True)
        elif path.exists():
            os.truncate(path, chance.randrange(10_000))
        for address in (0, 1, 0x11, 0xFFFF, 1 << 47, (1 << 63) - 1, (1 << 64) - 1):
            found = names.lookup(address)
            assert found is None or (0 < len(found[0]) <= 1024 and found[1] >= 0)


def test_a_line_without_an_end(path: Path) -> None:
    """Neither its beginning nor its end is an entry, and it is not kept."""
    names = PerfMap(os.getpid())
    with path.open("wb") as file:
        file.write(b"1000 10 one\n")
        for _ in range(40):
            file.write(b"2000 10 " + b"x" * 100_000)
        file.write(b" 3000 10 end\n4000 10 other\n")
    assert names.lookup(0x1000) == ("one", 0) and names.lookup(0x4001) == ("other", 1)
    found = names.lookup(0x2000)
    assert found is None or found[0] == "x" * 1024
    assert names.lookup(0x3000) is None
    assert names._held() < 10_000


def test_a_large_file_is_bounded(path: Path) -> None:
    line = b"%x 10 " + b"n" * 30 + b"\n"
    with path.open("wb") as file:
        for part in range(64):
            file.write(b"".join(line % (0x10000 + 16 * n) for n in range(part << 14, part + 1 << 14)))
        file.truncate(1 << 40)  # the rest is a hole
    names, before = PerfMap(os.getpid()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    assert names.lookup(0x10000) == ("n" * 30, 0)
    for _ in range(100):
        assert names.lookup(0x10005) == ("n" * 30, 5)
    assert time.process_time() - began < 20
    assert len(names._names) == perf_map.MOST_ENTRIES
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10  # KiB
    many = [PerfMap(os.getpid()) for _ in range(3)]
    for other in many:
        other.lookup(0)
    assert PerfMap._bytes_in_all < perf_map.MOST_BYTES_IN_ALL + (8 << 20)
    del other, many, names
    assert PerfMap._bytes_in_all == 0


def test_what_is_no_file(path: Path, tmp_path: Path) -> None:
    names = PerfMap(os.getpid())
    os.mkfifo(path)
    assert names.lookup(1) is None
    path.unlink()
    target = tmp_path / "target"
    target.write_text("1000 10 linked\n")
    path.symlink_to(target)
    assert names.lookup(0x1000) is None
    path.unlink()
    path.symlink_to("/dev/zero")
    assert names.lookup(0) is None
    path.unlink()
    path.mkdir()
    assert names.lookup(0) is None
    path.rmdir()
    path.write_text("1000 10 found\n")
    assert names.lookup(0x1000) == ("found", 0)


def test_devices_are_not_even_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """To open a watchdog starts it: only a place is taken before it is known what is there."""
    opened: list[int] = []
    real = os.open

    def watched(path: str, flags: int) -> int:
        opened.append(flags)
        return real(path, flags)

    monkeypatch.setattr(os, "open", watched)
    with pytest.raises(OSError, match="not a file"):
        open_regular("/dev/null")
    assert all(flags & os.O_PATH for flags in opened)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_file_of_another_user_does_not_count(path: Path) -> None:
    path.write_text("1000 10 forged\n")
    os.chown(path, 65534, 65534)
    names = PerfMap(os.getpid())
    assert names.lookup(0x1000) is None
    os.chown(path, 0, 0)
    assert names.lookup(0x1000) == ("forged", 0)


GENERATING = """
import ctypes, mmap, os, sys
memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
with open("/tmp/perf-1.map", "w") as file:
    file.write(f"{address:x} 10 inside\\n")
print(address, flush=True)
sys.stdin.read(1)
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare")
def test_a_map_that_goes_with_its_process() -> None:
    """What is in a container's /tmp is gone with the container."""
    within = ["sh", "-c", 'mount -t tmpfs none /tmp && exec "$@"', "sh", sys.executable, "-c", GENERATING]
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount", *within]
    symbols = UserSymbols()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        address = child.stdout.readline()
        if not address:
            pytest.skip("namespaces cannot be made here")
        inner = int(Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text())
        symbols.remember(inner)
        symbols.remember(inner)  # it was met again
        child.communicate("x")
    symbol = symbols.lookup(inner, int(address) + 4)
    assert symbol is not None and (symbol.name, symbol.offset) == ("inside", 4)


def test_generated_code_in_shared_memory(path: Path) -> None:
    """Its mapping has a path, but there is no file with symbols: it is named by the map, or told as generated."""
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    content = ctypes.c_char.from_buffer(memory)
    address = ctypes.addressof(content)
    symbol = UserSymbols().lookup(os.getpid(), address)
    assert symbol is not None and (symbol.path, symbol.name) == ("", "")
    path.write_text(f"{address:x} 10 made\n")
    symbol = UserSymbols().lookup(os.getpid(), address + 3)
    assert symbol is not None and (symbol.path, symbol.name, symbol.offset) == (str(path), "made", 3)
    del content
