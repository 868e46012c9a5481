"""Network interfaces, and links on them and on control groups: XDP, tcx, cgroup.

Sources: BPF_LINK_CREATE in include/uapi/linux/bpf.h, XDP_FLAGS_* in if_link.h; SIOCGIFFLAGS in netdevice(7).
"""

import errno
import os

from kernscope.kernel.errors import AttachError
from kernscope.kernel.link import Link, link_create
from kernscope.kernel.program import Program
from kernscope.tables.bpf import AttachType

__all__ = ["attach_cgroup", "attach_tcx", "attach_xdp", "interfaces"]

_GENERIC_MODE = 1 << 1
"""XDP_FLAGS_SKB_MODE: by the network stack, for interfaces whose driver cannot."""

_SIOCGIFFLAGS = 0x8913
_IFF_UP = 1
_NAME_BYTES = 16

_ENOTSUPP = 524


def interfaces() -> dict[str, bool]:
    """The interfaces of the tracer's network namespace, in the kernel's order; whether each is up."""
    from _socket import AF_INET, SOCK_CLOEXEC, SOCK_DGRAM, if_nameindex, socket  # `socket` takes long to load

    asking = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)
    try:
        return {name: _is_up(asking.fileno(), name) for _, name in if_nameindex()}
    finally:
        asking.close()


def _is_up(fd: int, name: str) -> bool:
    import fcntl

    request = name.encode("utf-8", "surrogateescape").ljust(_NAME_BYTES, b"\0") + bytes(24)
    try:
        answer = fcntl.ioctl(fd, _SIOCGIFFLAGS, request)
    except OSError:
        return True  # gone meanwhile: attaching tells
    return bool(int.from_bytes(answer[_NAME_BYTES : _NAME_BYTES + 2], "little") & _IFF_UP)


def _index(name: str, command: str, target: str) -> int:
    from _socket import if_nametoindex

    try:
        return if_nametoindex(name)
    except OSError:
        raise AttachError(errno.ENODEV, command, target, "the interface has gone") from None


def attach_xdp(program: Program, name: str) -> Link:
    """`program` on the packets that an interface receives: in its driver, or else in the network stack."""
    target = f"xdp:{name}"
    index = _index(name, "BPF_LINK_CREATE", target)
    try:
        return link_create(program, index, AttachType.XDP, target=target)
    except AttachError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ERANGE, _ENOTSUPP):
            raise error.explained(_HINTS) from None
    try:
        return link_create(program, index, AttachType.XDP, flags=_GENERIC_MODE, target=target)
    except AttachError as error:
        raise error.explained(_HINTS) from None


def attach_tcx(program: Program, name: str, direction: int) -> Link:
    """`program` behind those that an interface already has; `direction` is TCX_INGRESS or TCX_EGRESS."""
    way = "ingress" if direction == AttachType.TCX_INGRESS else "egress"
    target = f"tc:{name}:{way}"
    index = _index(name, "BPF_LINK_CREATE", target)
    try:
        return link_create(program, index, direction, target=target)
    except AttachError as error:
        raise error.explained(_HINTS) from None


def attach_cgroup(program: Program, path: str, attach_type: int, target: str) -> Link:
    """`program` at a hook of the control group whose folder is `path`."""
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise AttachError(error.errno or errno.ENOENT, "open", target) from None
    try:
        return link_create(program, folder, attach_type, target=target)
    except AttachError as error:
        raise error.explained(_HINTS) from None
    finally:
        os.close(folder)


_HINTS = {
    errno.EBUSY: "another program is attached there, and there is room for one only: `tc` probes see the packets too",
    errno.EEXIST: "another program is attached there: detach it first",
    errno.EPERM: "it needs CAP_NET_ADMIN in the network namespace (in a group, another program may want to be alone)",
    errno.EBADF: "this is no folder of the file system cgroup2",
    errno.ENODEV: "the interface has gone",
}
