"""Netfilter links: a program at a hook of the network stack, with a priority (Linux 6.4).

Source of the facts: `struct { ... } netfilter` of BPF_LINK_CREATE in include/uapi/linux/bpf.h; families and hooks
in include/uapi/linux/netfilter.h; what is refused in net/netfilter/nf_bpf_link.c.
"""

import errno
from struct import pack

from kernscope.kernel.errors import AttachError, NotSupportedError
from kernscope.kernel.link import Link, link_create
from kernscope.kernel.program import Program
from kernscope.tables.bpf import AttachType

__all__ = ["attach_netfilter"]


def attach_netfilter(program: Program, family: int, hook: int, priority: int, target: str) -> Link:
    """`program` at a hook of the tracer's network namespace.

    Raises:
        NotSupportedError: this kernel has no such links.
        AttachError: EBUSY where another program has this priority, EINVAL for a priority that is not possible.
    """
    extra = pack("=IIiI", family, hook, priority, 0)
    try:
        return link_create(program, 0, AttachType.NETFILTER, extra=extra, target=target)
    except AttachError as error:
        if error.errno == errno.EOPNOTSUPP:
            needs = "Linux 6.4 with CONFIG_NETFILTER_BPF_LINK"
            raise NotSupportedError("netfilter probes", needs) from None
        if error.errno == errno.EAFNOSUPPORT:
            raise NotSupportedError(f"`{target}`", "a kernel with this family of netfilter hooks") from None
        raise error.explained(_HINTS) from None


_HINTS = {
    errno.EBUSY: "another program is at this hook with this priority: give another one, `…:HOOK:PRIORITY`",
    errno.EPERM: "it needs CAP_NET_ADMIN in the network namespace",
}
