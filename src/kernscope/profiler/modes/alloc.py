"""`profile alloc`: memory that is asked for, in bytes, by stack; what was never given back is told apart.

What processes ask of the kernel: mmap and brk, by the system calls' tracepoints.
"""

from __future__ import annotations

from kernscope.profiler.modes.base import CONFIG, Mode, Options, add
from kernscope.profiler.profile import Frame, Profile
from kernscope.selection import slashed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.profiler.modes.base import Maps
    from kernscope.profiler.stacks import Stacks

__all__ = ["MODE"]

_MAP_ANONYMOUS = 0x20
"""include/uapi/asm-generic/mman-common.h"""


class _Alloc(Mode):
    name = "alloc"
    unit = "bytes"

    def program(self, options: Options) -> str:
        chosen = options.filter
        condition = chosen.predicate()
        where = slashed(condition)
        mapped = slashed(" && ".join(part for part in (f"args.flags & {_MAP_ANONYMOUS}", condition) if part))
        return (
            CONFIG
            + chosen.clauses()
            + f"tracepoint:syscalls:sys_enter_mmap {mapped}{{ @asked[tid] = args.len; }}\n"
            "tracepoint:syscalls:sys_exit_mmap /@asked[tid] != 0/ {\n"
            # errors are addresses of the last page
            "    if (args.ret < 0 || args.ret > 4095) {\n"
            "        @asking[pid, (uint64)args.ret] = (pid, tid, comm, ustack(raw));\n"
            "        @living[pid, (uint64)args.ret] = @asked[tid];\n"
            "        @bytes[pid, tid, comm, ustack(raw)] = sum(@asked[tid]);\n"
            "    }\n"
            "    delete(@asked, tid);\n"
            "}\n"
            f"tracepoint:syscalls:sys_enter_munmap {where}{{\n"
            "    if (@living[pid, args.addr] != 0) {\n"
            "        @freed[@asking[pid, args.addr]] = sum(@living[pid, args.addr]);\n"
            "        delete(@living, (pid, args.addr));\n"
            "        delete(@asking, (pid, args.addr));\n"
            "    }\n"
            "}\n"
            f"tracepoint:syscalls:sys_exit_brk {where}{{\n"
            "    $before = @brk[pid];\n"
            "    if ($before != 0 && args.ret > $before) {\n"
            "        @bytes[pid, tid, comm, ustack(raw)] = sum(args.ret - $before);\n"
            "    }\n"
            "    @brk[pid] = args.ret;\n"
            "}\n"
        )

    def collect(self, maps: Maps, stacks: Stacks, profile: Profile) -> None:
        freed = dict(maps["@freed"])
        for key, total in maps["@bytes"].items():
            assert isinstance(key, tuple) and isinstance(total, int)
            frames = stacks.frames(key[0], "", str(key[3]))
            back = freed.get(key, 0)
            assert isinstance(back, int)
            for what, value in (("[given back]", min(back, total)), ("[kept]", max(0, total - back))):
                if value:
                    add(profile, profile.stack([*frames, Frame(what, "mark")]), key, value)


MODE = _Alloc()
