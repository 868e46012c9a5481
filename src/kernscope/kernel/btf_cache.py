"""The BTF of the kernel and of its modules, memory-mapped, with its index out of the user's cache folder."""

import mmap
import os
from binascii import crc32

from kernscope.btf import Btf
from kernscope.btf.index import TypeIndex, build_index, fingerprint
from kernscope.kernel.cache import drop_others, open_cached, write_cached
from kernscope.kernel.errors import NotSupportedError
from kernscope.kernel.facts import kernel_build_id

__all__ = ["VMLINUX_BTF", "load_module_btf", "load_vmlinux_btf", "modules_with_btf"]

_FOLDER = "/sys/kernel/btf"
_VMLINUX = "vmlinux"
VMLINUX_BTF = f"{_FOLDER}/{_VMLINUX}"
_PREFIX = "btf-index-"
_MODULE_PREFIX = "btf-module-"


def load_vmlinux_btf() -> Btf:
    """Types of the running kernel. The first call on a new kernel scans them (some 100 ms).

    Raises:
        NotSupportedError: the kernel has no BTF.
    """
    try:
        data = _map_or_read(VMLINUX_BTF)
    except OSError as error:
        raise NotSupportedError(
            "reading the kernel's types (BTF)",
            f"a kernel with CONFIG_DEBUG_INFO_BTF ({VMLINUX_BTF}: {error.strerror})",
        ) from None
    name = f"{_PREFIX}{kernel_build_id() or f'{fingerprint(data):08x}'}"
    index = _cached_index(name, data)
    if index is None:
        built = build_index(data)
        if write_cached(name, built):
            drop_others(_PREFIX, name)
            drop_others(_MODULE_PREFIX, "")  # those of the kernel before
        index = TypeIndex(built, fingerprint(data))
    return Btf(data, index)


def modules_with_btf() -> list[str]:
    """Names of the loaded modules that describe their types, sorted."""
    try:
        return sorted(name for name in os.listdir(_FOLDER) if name != _VMLINUX)
    except OSError:
        return []


def load_module_btf(module: str, base: Btf) -> Btf | None:
    """Types of a loaded module, on top of those of vmlinux (split BTF); None if there is no such module, or it has
    no BTF. Its index is cached too: by the module's content, which another build of it does not share.
    """
    name = module.replace("-", "_")
    if "/" in name or name in ("", ".", "..", _VMLINUX):
        return None
    try:
        data = _map_or_read(f"{_FOLDER}/{name}")
    except OSError:
        return None
    prefix = f"{_MODULE_PREFIX}{name}-"
    cached = f"{prefix}{kernel_build_id()[:16]}-{crc32(data):08x}"
    index = _cached_index(cached, data)
    if index is not None:
        return Btf(data, index, base)
    made = Btf(data, base=base)
    if write_cached(cached, bytes(made.index.buffer)):
        drop_others(prefix, cached)
    return made


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
