"""Files that commands write."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kernscope.cli.files import write_file


def test_what_was_there_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("before")
    file.chmod(0o600)
    link.symlink_to(file)
    write_file(str(link), b"after")
    assert file.read_text() == "after" and file.stat().st_mode & 0o777 == 0o600 and link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


def test_what_cannot_be_written() -> None:
    with pytest.raises(OSError, match="No space left"):
        write_file("/dev/full", b"x")
    with pytest.raises(OSError, match="No such file"):
        write_file("/nowhere/x", b"x")


SCRIPT = """
import os, sys
from kernscope.cli.files import write_file
path = sys.argv[1] + "/file"
write_file(path, b"before")
try:
    write_file(path, bytes(1 << 20))
except OSError as error:
    print(error.strerror)
print(open(path).read(), os.listdir(sys.argv[1]))
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare")
def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    within = 'mount -t tmpfs -o size=64k none "$1" || exit 99; exec "$2" -c "$3" "$1"'
    command = ["unshare", "--mount", "sh", "-c", within, "sh", str(tmp_path), sys.executable, SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode and not done.stdout:
        pytest.skip("no file system can be mounted here")
    assert done.stdout == "No space left on device\nbefore ['file']\n", done.stderr
