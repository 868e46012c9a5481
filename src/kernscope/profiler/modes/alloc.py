"""`profile alloc`: memory that is asked for, in bytes, by stack; what was never given back is told apart.

What processes ask of the kernel: mmap and brk, by the system calls' tracepoints. Or, if that is wanted, what they ask
of the C library: `kernscope.profiler.modes.malloc`.
"""

from __future__ import annotations

from kernscope.profiler.modes import malloc
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
    in_parts = False  # what is given back may have been asked for in an earlier part

    def warning(self, options: Options) -> str:
        if not options.malloc:
            return ""
        return (
            f"each malloc with its free takes {malloc.COST} longer meanwhile: a program that does little else "
            "becomes hundreds of times slower"
        )

    def why_nothing(self, options: Options) -> str:
        if options.malloc:
            return "none of malloc's family was called, or the program has an allocator of its own"
        return "no memory was asked of the kernel"

    def program(self, options: Options) -> str:
        if options.malloc:
            return malloc.program(options)
        chosen = options.filter
        condition = chosen.predicate()
        where = slashed(condition)
        mapped = slashed(f"args.flags & {_MAP_ANONYMOUS}", condition)
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
            "    $size = @living[pid, args.addr];\n"
            "    if ($size != 0) {\n"
            "        $part = args.len < $size ? args.len : $size;\n"
            "        @freed[@asking[pid, args.addr]] = sum($part);\n"
            "        if ($part < $size) {\n"  # what lies behind stays
            "            @asking[pid, args.addr + $part] = @asking[pid, args.addr];\n"
            "            @living[pid, args.addr + $part] = $size - $part;\n"
            "        }\n"
            "        delete(@living, (pid, args.addr));\n"
            "        delete(@asking, (pid, args.addr));\n"
            "    }\n"
            "}\n"
            # as realloc: what was is given back, what is now was asked for by who moved it
            f"tracepoint:syscalls:sys_enter_mremap {where}{{ @from[tid] = args.addr; @asked[tid] = args.new_len; }}\n"
            "tracepoint:syscalls:sys_exit_mremap /@asked[tid] != 0/ {\n"
            "    $size = @living[pid, @from[tid]];\n"
            "    if ((args.ret < 0 || args.ret > 4095) && $size != 0) {\n"
            "        @freed[@asking[pid, @from[tid]]] = sum($size);\n"
            "        delete(@living, (pid, @from[tid]));\n"
            "        delete(@asking, (pid, @from[tid]));\n"
            "        @asking[pid, (uint64)args.ret] = (pid, tid, comm, ustack(raw));\n"
            "        @living[pid, (uint64)args.ret] = @asked[tid];\n"
            "        @bytes[pid, tid, comm, ustack(raw)] = sum(@asked[tid]);\n"
            "    }\n"
            "    delete(@from, tid);\n"
            "    delete(@asked, tid);\n"
            "}\n"
            # another program, or another process of that number, begins somewhere else
            "tracepoint:sched:sched_process_exec { delete(@brk, pid); }\n"
            "tracepoint:sched:sched_process_exit /pid == tid/ { delete(@brk, pid); }\n"
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
        exact = "@calls" in maps
        calls = dict(maps["@calls"]) if exact else {}
        frees = dict(maps["@frees"]) if exact else {}
        for key, total in maps["@bytes"].items():
            assert isinstance(key, tuple) and isinstance(total, int)
            frames = stacks.frames(key[0], "", str(key[3]))
            back = freed.get(key, 0)
            times, ended = calls.get(key, 1), frees.get(key, 0)
            assert isinstance(back, int) and isinstance(times, int) and isinstance(ended, int)
            for what, value, count in (
                ("[given back]", min(back, total), ended if exact else 1),
                ("[kept]", max(0, total - back), times - ended if exact else 1),
            ):
                if value or (exact and count > 0):
                    add(profile, profile.stack([*frames, Frame(what, "mark")]), key, value, count)


MODE = _Alloc()
