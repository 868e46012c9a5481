"""BTF, the kernel's own type information: bytes → types. No I/O.

    btf = Btf(data, index)              # vmlinux: `kernscope.kernel.btf_cache` supplies both
    task = btf.find(Kind.STRUCT, "task_struct")
    path = btf.member(task, "real_parent")

Format: Documentation/bpf/btf.rst.
"""

from kernscope.btf.btf import Btf, BtfError, RawTracepoint
from kernscope.btf.types import BtfType, Kind, Member, MemberPath

__all__ = ["Btf", "BtfError", "BtfType", "Kind", "Member", "MemberPath", "RawTracepoint"]
