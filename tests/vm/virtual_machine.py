"""Run the kernel tests on other kernels: ``python tests/vm/virtual_machine.py [KERNEL …] [-- PYTEST ARGUMENT …]``.

KERNEL is ``6.12`` or ``6.1`` (default: both): Debian's packages for cloud machines, downloaded by apt and
unpacked, not installed. The virtual machine's root is the machine's own, so Python, the project and its
tests are just there. Works without hardware virtualisation, some ten times slower. Needs root, qemu
(qemu-system-x86 and qemu-system-common) and apt.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

__all__ = ["main"]

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
KERNELS = {"6.12": "linux-image-6.12-cloud-amd64", "6.1": "linux-image-cloud-amd64"}
"""Version → package that depends on the newest kernel of that version (Debian 12)."""

# In the order in which they need each other; those that a kernel has built in are no files there.
MODULES = (
    "drivers/virtio/virtio_ring",
    "drivers/virtio/virtio",
    "drivers/virtio/virtio_pci_modern_dev",
    "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci",
    "fs/fuse/fuse",
    "fs/fuse/virtiofs",
)
VIRTIOFSD = ("/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd")
CHOSEN = (
    "tutorial counting kernel_attach kernel_maps kernel_facts kernel_loops runtime ssa_kernel vm_against_kernel types"
).split()
"""Of tests/kernel what depends on the kernel most: all of it takes hours on an emulated processor."""

TESTS = [f"tests/kernel/test_{name}.py" for name in CHOSEN] + ["-p", "no:cacheprovider"]
LIMIT_SECONDS = 3600


def obstacle() -> str:
    """Why no virtual machine can be run here; "" if one can."""
    if os.geteuid() != 0:
        return "needs root"
    if os.uname().machine != "x86_64":
        return "knows x86-64 only"
    if shutil.which("qemu-system-x86_64") is None:
        return "qemu is not installed: apt install qemu-system-x86 qemu-system-common"
    if not any(os.path.exists(path) for path in VIRTIOFSD):
        return f"there is no virtiofsd ({' or '.join(VIRTIOFSD)}): apt install qemu-system-common"
    if shutil.which("apt-get") is None:
        return "kernels come from Debian by apt-get, which is not here"
    return ""


def kernel_folder(version: str, cache: Path) -> Path | str:
    """The unpacked package of a kernel, downloaded where it is not there yet; or why there is none."""
    asked = subprocess.run(["apt-cache", "depends", KERNELS[version]], capture_output=True, text=True)
    names = [line.split()[-1] for line in asked.stdout.splitlines() if "Depends: linux-image-" in line]
    if not names:
        return f"apt knows no package {KERNELS[version]} (apt-get update?)"
    folder = cache / names[0]
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        got = subprocess.run(
            ["apt-get", "download", "-q", names[0]], cwd=cache, capture_output=True, text=True
        )
        packages = sorted(cache.glob(f"{names[0]}_*.deb"))
        if got.returncode or not packages:
            return f"apt-get download {names[0]}: {got.stderr.strip()[-300:]}"
        subprocess.run(["dpkg-deb", "-x", packages[-1], folder], check=True)
        packages[-1].unlink()
    return folder


def initial_ram_disk(kernel: Path, folder: Path) -> Path | None:
    """An archive with the modules that virtiofs needs, or None where they are built in."""
    found = [path for name in MODULES for path in kernel.glob(f"lib/modules/*/kernel/{name}.ko*")]
    if not found:
        return None
    tree = folder / "tree"
    (tree / "modules").mkdir(parents=True)
    (tree / "dev").mkdir()
    for number, path in enumerate(found):
        if path.suffix != ".ko":
            raise RuntimeError(f"{path} is compressed, which nothing here unpacks")
        shutil.copy(path, tree / "modules" / str(number))
    subprocess.run(["gcc", "-static", "-O1", "-Wall", "-o", tree / "init", HERE / "init.c"], check=True)
    archive = folder / "initrd"
    archive.write_bytes(new_cpio(tree))
    return archive


def new_cpio(tree: Path) -> bytes:
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


def boot(kernel: Path, command: list[str], folder: Path) -> tuple[int, str]:
    """Run a command in the virtual machine: its exit code and output."""
    socket, output, console = folder / "socket", folder / "output", folder / "console"
    output.touch()
    disk = initial_ram_disk(kernel, folder)
    arguments = [str(HERE / "inside.sh"), str(PROJECT), str(output), *command]
    line = "console=ttyS0 quiet panic=-1 lsm=lockdown,yama,bpf lockdown=none "
    if disk is None:
        # The kernel gives its first process the words after `--`.
        line += f"rootfstype=virtiofs root=root rw init={arguments[0]} -- {' '.join(arguments[1:])}"
    else:
        line += f"-- {' '.join(arguments)}"
    virtiofsd = next(path for path in VIRTIOFSD if os.path.exists(path))
    shared = [virtiofsd, "-o", "source=/", "-o", "cache=always", "-o", "sandbox=chroot"]
    image = next(kernel.glob("boot/vmlinuz-*"))
    machine = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2G"]
    machine += ["-object", "memory-backend-memfd,id=memory,size=2G,share=on", "-numa", "node,memdev=memory"]
    machine += ["-chardev", f"socket,id=root,path={socket}", "-no-reboot", "-nodefaults", "-display", "none"]
    machine += ["-device", "vhost-user-fs-pci,chardev=root,tag=root", "-serial", f"file:{console}"]
    machine += ["-kernel", str(image), "-append", line, *(["-initrd", str(disk)] if disk else [])]
    with subprocess.Popen(
        [*shared, f"--socket-path={socket}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as files:
        try:
            for _ in range(100):
                if socket.exists():
                    break
                time.sleep(0.05)
            subprocess.run(machine, timeout=LIMIT_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return 1, output.read_text() + f"\nnot ready within {LIMIT_SECONDS} s"
        finally:
            files.terminate()
    text = output.read_text(errors="replace")
    last = text.rstrip().rpartition("\n")[2]
    if not last.startswith("exit code "):
        return 1, text + console.read_text(errors="replace")[-3000:]
    return int(last.split()[-1]), text


def main(arguments: list[str]) -> int:
    """Run the tests on each kernel; 0 when none failed, also when none could be run."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    versions, tests = arguments[:at] or list(KERNELS), arguments[at + 1 :] or TESTS
    why = obstacle()
    if why:
        print(f"test-vm: left out: {why}")
        return 0
    worst = 0
    for version in versions:
        kernel = kernel_folder(version, PROJECT / "build" / "vm")
        if isinstance(kernel, str):
            print(f"test-vm: {version} left out: {kernel}")
            continue
        print(f"test-vm: {kernel.name}", flush=True)
        start = time.monotonic()
        # Not below /tmp or /run, where the virtual machine has file systems of its own.
        with tempfile.TemporaryDirectory(dir=kernel.parent) as folder:
            code, text = boot(
                kernel, [str(PROJECT / ".venv/bin/python"), "-m", "pytest", *tests], Path(folder)
            )
        print(f"{text}\ntest-vm: {kernel.name}: {time.monotonic() - start:.0f} s", flush=True)
        worst = max(worst, code)
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
