"""The kernel's own BTF objects by descriptor: programs for a module's functions are loaded with that of the module.

Layouts: ``struct bpf_btf_info`` and the attributes of BPF_BTF_GET_NEXT_ID and _GET_FD_BY_ID in
include/uapi/linux/bpf.h.
"""

import errno
from struct import pack, unpack_from

from kernscope.kernel.errors import KernelError
from kernscope.kernel.object import KernelObject
from kernscope.kernel.syscall import Buffer, bpf, bpf_result
from kernscope.tables.bpf import Command

__all__ = ["open_module_btf"]

_NAME_BYTES = 64
"""MODULE_NAME_LEN of include/linux/module.h, rounded up."""


def open_module_btf(module: str) -> KernelObject:
    """The BTF object of a loaded module.

    Raises:
        KernelError: ENOENT if no loaded module of this name has BTF.
    """
    id = 0
    while True:
        following = Buffer(pack("=III", id, 0, 0))
        result = bpf_result(Command.BTF_GET_NEXT_ID, following)
        if result < 0:
            raise KernelError(-result, "BPF_BTF_GET_NEXT_ID", module)
        id = unpack_from("=I", following.view, 4)[0]
        fd = bpf_result(Command.BTF_GET_FD_BY_ID, Buffer(pack("=III", id, 0, 0)))
        if fd == -errno.ENOENT:
            continue  # it was unloaded in between
        if fd < 0:
            raise KernelError(-fd, "BPF_BTF_GET_FD_BY_ID", module)
        found = KernelObject(fd, module)
        if _kernel_name(found) == module:
            return found
        found.close()


def _kernel_name(object: KernelObject) -> str:
    """Its module's name; empty for the BTF of a program."""
    name = Buffer(_NAME_BYTES)
    information = Buffer(pack("=QIIQII", 0, 0, 0, name.address, _NAME_BYTES, 0))
    attribute = Buffer(pack("=IIQ", object.fd, len(information), information.address))
    bpf(Command.OBJ_GET_INFO_BY_FD, attribute, "BPF_OBJ_GET_INFO_BY_FD", object.name)
    is_kernel = unpack_from("=I", information.view, 28)[0]
    return name.text() if is_kernel else ""
