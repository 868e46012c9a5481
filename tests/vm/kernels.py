"""Debian's kernels for cloud machines: found and downloaded by apt, unpacked below `build/vm`, never installed.

Where the machine's own apt does not know a version, its Debian mirror is asked for another release by lists in a
folder of our own: the machine's configuration stays as it is.
"""

import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["KERNELS", "image", "kernel_folder", "module_folder"]

_META = "linux-image-cloud-amd64"
KERNELS = {
    "5.10": ("bullseye", ()),
    "6.1": ("bookworm", (_META,)),
    "6.12": ("trixie", ("linux-image-6.12-cloud-amd64", _META)),
    "newest": ("sid", ()),
}
"""Name → Debian release that has it, packages of the machine's own apt that may depend on one."""

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_PATIENCE = ("-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20")
_LISTS_FRESH_S = 86_400


def kernel_folder(name: str, cache: Path) -> Path | str:
    """The unpacked packages of the newest kernel of a version; or in words why there is none."""
    release, own = KERNELS[name]
    there = sorted(cache.glob(f"{name}-*"))  # a second run needs no mirror
    found: list[str] = []
    options: Sequence[str] = ()
    for package in own:
        found = found or _packages(name, package, ())
    if not found and not there:
        private = _private_lists(release, cache / "apt" / release)
        if isinstance(private, str):
            return private
        options = private
        found = _packages(name, _META, options)
        if not found:
            return f"{_META} of {release} is another version"
    if not found:
        return there[-1]
    folder = cache / f"{name}-{found[0].removeprefix('linux-image-')}"
    if folder.exists():
        return folder
    got = _unpacked(found, options, folder)
    return there[-1] if there and isinstance(got, str) else got


def image(kernel: Path) -> Path:
    """The kernel itself."""
    return next(
        path for where in ("boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz") for path in kernel.glob(where)
    )


def module_folder(kernel: Path) -> Path:
    """Where its modules are."""
    return next(
        path for where in ("lib/modules/*/kernel", "usr/lib/modules/*/kernel") for path in kernel.glob(where)
    )


def _packages(name: str, meta: str, options: Sequence[str]) -> list[str]:
    """What holds the kernel that `meta` depends on, the image's package first; none when it is another version."""
    wanted = re.escape(name) + r"[.+-]" if name[0].isdigit() else r"\d"
    images = [n for n in _dependencies(meta, options) if re.match(f"linux-image-{wanted}", n)]
    if not images:
        return []
    version = images[0].removeprefix("linux-image-")
    # Since Linux 6.19 an image is several packages.
    parts = [n for n in _dependencies(images[0], options) if n.startswith("linux-") and n.endswith(version)]
    return [images[0], *parts]


def _dependencies(package: str, options: Sequence[str]) -> list[str]:
    asked = subprocess.run(["apt-cache", *options, "depends", package], capture_output=True, text=True)
    return re.findall(r"^ +Depends: (\S+)$", asked.stdout, re.MULTILINE)


def _private_lists(release: str, folder: Path) -> tuple[str, ...] | str:
    """Options for apt that make it know only one Debian release; or why it cannot."""
    asked = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)"],
        capture_output=True,
        text=True,
    )
    mirror = re.search(r"^Debian Debian (\S+)$", asked.stdout, re.MULTILINE)
    if mirror is None:
        return f"apt knows no mirror of Debian that could have {release} (apt-get update?)"
    if not _KEYRING.exists():
        return f"{_KEYRING} is missing: apt install debian-archive-keyring"
    (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (folder / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    sources = folder / "sources.list"
    sources.write_text(f"deb [arch=amd64 signed-by={_KEYRING}] {mirror[1]} {release} main\n")
    options = (
        *_PATIENCE,
        *("-o", f"Dir::Etc::sourcelist={sources}", "-o", "Dir::Etc::sourceparts=/dev/null"),
        *("-o", f"Dir::State::lists={folder / 'lists'}", "-o", f"Dir::Cache={folder / 'cache'}"),
    )
    done = folder / "updated"
    if not done.exists() or time.time() - done.stat().st_mtime > _LISTS_FRESH_S:
        got = _bounded(["apt-get", *options, "-q", "--error-on=any", "update"], folder)
        if got:
            return f"apt-get update of {release}: {got}"
        done.touch()
    return options


def _unpacked(packages: Sequence[str], options: Sequence[str], folder: Path) -> Path | str:
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    got = _bounded(["apt-get", *(options or _PATIENCE), "-q", "download", *packages], partial)
    archives = sorted(partial.glob("*.deb"))
    if got or len(archives) < len(packages):
        return f"apt-get download {packages[0]}: {got or 'nothing came'}"
    for archive in archives:
        subprocess.run(["dpkg-deb", "-x", archive, partial], check=True)
        archive.unlink()
    partial.rename(folder)
    return folder


def _bounded(command: Sequence[str], folder: Path) -> str:
    """What went wrong; "" if nothing did."""
    try:
        got = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        return "not done within 5 minutes"
    return got.stderr.strip()[-300:] or f"exit code {got.returncode}" if got.returncode else ""
