"""The kernel's BTF, memory-mapped, with its index out of the user's cache folder."""

import mmap
import os

from kernscope.btf import Btf
from kernscope.btf.index import TypeIndex, build_index, fingerprint
from kernscope.kernel.cache import drop_others, open_cached, write_cached
from kernscope.kernel.errors import KernelError, NotSupportedError
from kernscope.kernel.facts import kernel_build_id

__all__ = ["VMLINUX_BTF", "load_module_btf", "load_vmlinux_btf"]

VMLINUX_BTF = "/sys/kernel/btf/vmlinux"
_PREFIX = "btf-index-"


def load_vmlinux_btf() -> Btf:
    """Types of the running kernel. The first call on a new kernel scans them (some 100 ms).

    Raises:
        NotSupportedError: the kernel has no BTF.
    """
    try:
        data = _map_or_read(VMLINUX_BTF)
    except OSError as error:
        raise NotSupportedError(
            "btf", f"a kernel with CONFIG_DEBUG_INFO_BTF ({VMLINUX_BTF}: {error.strerror})"
        ) from None
    name = f"{_PREFIX}{kernel_build_id() or f'{fingerprint(data):08x}'}"
    index = _cached_index(name, data)
    if index is None:
        built = build_index(data)
        if write_cached(name, built):
            drop_others(_PREFIX, name)
        index = TypeIndex(built, fingerprint(data))
    return Btf(data, index)


def load_module_btf(module: str, base: Btf) -> Btf:
    """Types of a loaded module, on top of vmlinux's; its index is built each time.

    Raises:
        KernelError: ENOENT if there is no such module, or it has no BTF.
    """
    try:
        with open(f"/sys/kernel/btf/{module.replace('-', '_')}", "rb", buffering=0) as file:
            return Btf(file.read(), base=base)
    except OSError as error:
        raise KernelError(error.errno or 0, "open BTF", module) from None


def _map_or_read(path: str) -> memoryview:
    """The file mapped where the kernel allows that for BTF (6.16 and newer), else a copy."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            return memoryview(mmap.mmap(fd, os.fstat(fd).st_size, mmap.MAP_PRIVATE, mmap.PROT_READ))
        except (OSError, ValueError):
            with open(fd, "rb", buffering=0, closefd=False) as file:
                return memoryview(file.read())
    finally:
        os.close(fd)


def _cached_index(name: str, data: memoryview) -> TypeIndex | None:
    fd = open_cached(name)
    if fd < 0:
        return None
    try:
        mapped = memoryview(mmap.mmap(fd, os.fstat(fd).st_size, mmap.MAP_PRIVATE, mmap.PROT_READ))
        return TypeIndex(mapped, fingerprint(data))
    except (OSError, ValueError):
        return None
    finally:
        os.close(fd)
