"""The initial RAM disk: `init.c` and the kernel modules that it loads before it goes to the real root."""

import lzma
import re
import shutil
import subprocess
from pathlib import Path

from kernels import module_folder

__all__ = ["initial_ram_disk"]

_INIT = Path(__file__).with_name("init.c")
_WANTED = ("virtio_pci", "virtiofs", "dummy", "veth", "sch_ingress", "cls_bpf")
"""The root file system, and devices and queues of the network that tests make use of. Those that a kernel has built in
are no files there."""


def initial_ram_disk(kernel: Path, folder: Path) -> Path:
    """Write the archive into `folder`."""
    tree = folder / "tree"
    (tree / "modules").mkdir(parents=True)
    (tree / "dev").mkdir()
    for number, content in enumerate(_modules(module_folder(kernel))):
        (tree / "modules" / str(number)).write_bytes(content)
    subprocess.run(["gcc", "-static", "-O1", "-Wall", "-o", tree / "init", _INIT], check=True)
    archive = folder / "initrd"
    archive.write_bytes(_new_cpio(tree))
    shutil.rmtree(tree)
    return archive


def _modules(folder: Path) -> list[bytes]:
    """The wanted modules, each after those that it needs (`depends=` of its section .modinfo)."""
    files = {path.name.partition(".ko")[0].replace("-", "_"): path for path in folder.rglob("*.ko*")}
    ordered: dict[str, bytes] = {}

    def add(name: str) -> None:
        if name in ordered or name not in files:
            return
        path = files[name]
        content = path.read_bytes()
        if path.suffix == ".xz":
            content = lzma.decompress(content)
        elif path.suffix != ".ko":
            raise RuntimeError(f"{path} is compressed in a way that Python's library does not read")
        needs = re.search(rb"\0depends=([^\0]*)\0", content)
        for needed in needs[1].decode().split(",") if needs else ():
            add(needed.replace("-", "_"))
        ordered[name] = content

    for name in _WANTED:
        add(name)
    return list(ordered.values())


def _new_cpio(tree: Path) -> bytes:
    """The files below `tree` as an archive of the format "newc" (Documentation/driver-api/early-userspace)."""
    out = bytearray()

    def add(name: str, mode: int, content: bytes) -> None:
        numbers = [1, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
        out.extend(b"070701" + b"".join(b"%08X" % n for n in numbers) + name.encode() + b"\0")
        out.extend(bytes(-len(out) % 4) + content)
        out.extend(bytes(-len(out) % 4))

    for path in sorted(tree.rglob("*")):
        content = b"" if path.is_dir() else path.read_bytes()
        add(str(path.relative_to(tree)), path.stat().st_mode, content)
    add("TRAILER!!!", 0, b"")
    return bytes(out)
