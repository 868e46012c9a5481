"""Programs and libraries by name, in a root folder made for it: the linker's cache and its usual folders."""

import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kernscope.kernel import user_files
from kernscope.kernel.user_files import find_user_files


def made_cache(libraries: dict[str, tuple[int, str]]) -> bytes:
    """`/etc/ld.so.cache` with (flags, path) by name, behind the older format, as glibc writes it."""
    entries, texts = b"", b""
    start = 48 + 24 * len(libraries)
    for name, (flags, path) in libraries.items():
        entries += struct.pack("<iIIIQ", flags, start + len(texts), start + len(texts) + len(name) + 1, 0, 0)
        texts += name.encode() + b"\0" + path.encode() + b"\0"
    new = struct.pack("<20sII20x", b"glibc-ld.so.cache1.1", len(libraries), len(texts)) + entries + texts
    return b"ld.so-1.7.0\0" + bytes(4) + new


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path in (
        "lib/libone.so.1",
        "opt/libtwo.so.2",
        "opt/libtwo.so.3",
        "usr/lib/libthree.so",
        "lib/lib32.so.1",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/ld.so.cache").write_bytes(
        made_cache(
            {
                "libtwo.so.3": (0x0303, "/opt/libtwo.so.3"),
                "libtwo.so.2": (0x0303, "/opt/libtwo.so.2"),
                "lib32.so.1": (0x0003, "/lib/lib32.so.1"),
                "libgone.so.1": (0x0303, "/lib/libgone.so.1"),
            }
        )
    )
    return tmp_path


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("libtwo", "/opt/libtwo.so.3"),
        ("libtwo.so", "/opt/libtwo.so.3"),
        ("libtwo.so.2", "/opt/libtwo.so.2"),
        ("libone", "/lib/libone.so.1"),  # not in the cache
        ("libthree", "/usr/lib/libthree.so"),
        ("libgone", None),
        ("libtw", None),
        ("two", None),
    ],
)
def test_libraries(root: Path, name: str, path: str | None) -> None:
    found = user_files._library(name, str(root))
    assert [(f.path, f.opened) for f in found] == ([(path, f"{root}{path}")] if path else [])


@pytest.mark.parametrize(
    "content", [b"", b"text", made_cache({"a": (0x0303, "b")})[:-10], b"glibc-ld.so.cache1.1\xff"]
)
def test_a_broken_cache_is_none(root: Path, content: bytes) -> None:
    (root / "etc/ld.so.cache").write_bytes(content)
    assert user_files._library("libone", str(root))[0].path == "/lib/libone.so.1"


def test_what_a_process_has_mapped() -> None:
    mapped = {file.path: file.opened for file in find_user_files("*", os.getpid())}
    assert os.path.realpath(sys.executable) in mapped
    assert all(path == opened for path, opened in mapped.items())


def test_a_program_that_was_deleted_is_the_one_that_runs(tmp_path: Path) -> None:
    copy = tmp_path / "sleeps"
    copy.write_bytes(Path("/bin/sleep").resolve().read_bytes())
    copy.chmod(0o755)
    (tmp_path / "link").symlink_to(tmp_path)
    with subprocess.Popen([str(copy), "60"], stdout=subprocess.PIPE, cwd=tmp_path) as running:
        try:
            while str(copy) not in {file.path for file in find_user_files("*", running.pid)}:
                time.sleep(0.01)  # until it has been loaded
            copy.unlink()
            copy.write_text("another file")
            for path in (str(copy), "./sleeps", f"../{tmp_path.name}/sleeps", f"{tmp_path}/link/sleeps"):
                found = find_user_files(path, running.pid)
                assert [file.path for file in found] == [path]
                assert found[0].opened.startswith(f"/proc/{running.pid}/map_files/")
            assert find_user_files(str(copy))[0].opened == str(copy)
        finally:
            running.kill()


def test_files_in_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "program").touch()
    for text, path in (
        ("./program", "./program"),
        ("./pro*", "./program"),
        (f"{tmp_path}/pro*", f"{tmp_path}/program"),
    ):
        assert [(f.path, f.opened) for f in find_user_files(text)] == [(path, f"{tmp_path}/program")]


def test_a_process_that_is_gone() -> None:
    with pytest.raises(OSError, match="No such file"):
        find_user_files("libc", (1 << 22) + 1)
