"""`profile alloc --malloc`: what is asked of the C library, exactly, by a probe at each call and each return.

Functions of the library call one another: only the outermost call of a thread counts. A block is known from the return
of the call that made it to the beginning of the one that gives it back: after that another thread may have it.
"""

from __future__ import annotations

from kernscope.profiler.modes.base import Options, config
from kernscope.selection import slashed
from kernscope.syntax.literals import encode_string

__all__ = ["COST", "allocators_for", "program"]

COST = "10 to 20 µs"
"""What a pair of malloc and free takes longer, as measured (docs/profiling.md)."""

MOST_BLOCKS = 1_000_000
"""Blocks in use at a time that can be told apart."""

_SIZES = {
    "malloc": "arg0",
    "calloc": "arg0 * arg1",
    "realloc": "arg1",
    "memalign": "arg1",
    "aligned_alloc": "arg1",
    "posix_memalign": "arg2",
    "valloc": "arg0",
    "pvalloc": "arg0",
}
"""Function → the bytes it is asked for."""

_RESULTS = {"posix_memalign": ("(int32)retval == 0", "*(uint64 *)@place[tid]")}
"""Whether it worked, and the block, where these are not the result."""


_ALLOCATORS = ("libjemalloc", "libtcmalloc", "libtcmalloc_minimal", "libmimalloc")
"""Libraries that programs use in the place of the C library's functions, under the same names."""


def allocators_for(program: str) -> tuple[str, ...]:
    """The files that have these functions for a command: the C library, its program if it is linked statically, and
    other allocators that are installed.
    """
    import os

    from kernscope.kernel.user_files import find_user_files

    installed = [file.path for name in _ALLOCATORS for file in find_user_files(name)]
    files = [os.path.realpath(program), *installed] if program else installed
    return ("libc", *filter(_has_malloc, dict.fromkeys(files)))


def _has_malloc(path: str) -> bool:
    from kernscope.elf import ElfError, ElfFile
    from kernscope.kernel.user_files import map_file

    try:
        return bool(ElfFile(map_file(path)).functions().named("malloc"))
    except (OSError, ElfError):
        return False


def program(options: Options) -> str:
    """The program's text. Its probes are put into `options.files`."""
    condition = options.filter.predicate()
    text = config('missing_probes = "ignore"') + _MAPS + options.filter.clauses()
    for number, (function, size) in enumerate(_SIZES.items(), start=1):
        asking = slashed(condition, "@in[tid] == 0")
        text += f"{_probes('uprobe', function, options)} {asking}{{\n"
        text += f"    @in[tid] = {number};\n    @size[tid] = {size};\n"
        text += "    @asking[tid] = (pid, tid, comm, ustack(raw));\n"
        text += _EXTRA.get(function, "") + "}\n"
        worked, block = _RESULTS.get(function, ("retval != 0", "retval"))
        text += f"{_probes('uretprobe', function, options)} /@in[tid] == {number}/ {{\n    @in[tid] = 0;\n"
        text += f"    if ({worked}) {{\n        $block = {block};\n{_MADE}    }}\n"
        text += _AFTER.get(function, "") + "}\n"
    freeing = slashed(condition, "@in[tid] == 0", "has_key(@living, (pid, arg0))")
    return text + f"{_probes('uprobe', 'free', options)} {freeing}{{\n{_GONE.format(block='arg0')}}}\n"


def _probes(kind: str, function: str, options: Options) -> str:
    return ",\n".join(f"{kind}:{_file(file)}:{function}" for file in options.files)


def _file(file: str) -> str:
    return file if file in ("*", "libc") else encode_string(file)


_MAPS = f"let @living = hash({MOST_BLOCKS});\nlet @who = hash({MOST_BLOCKS});\n"

_MADE = """\
        @living[pid, $block] = @size[tid];
        @who[pid, $block] = @asking[tid];
        @bytes[@asking[tid]] = sum(@size[tid]);
        @calls[@asking[tid]] = count();
"""

_GONE = """\
    @freed[@who[pid, {block}]] = sum(@living[pid, {block}]);
    @frees[@who[pid, {block}]] = count();
    delete(@living, (pid, {block}));
    delete(@who, (pid, {block}));
"""

_EXTRA = {
    "posix_memalign": "    @place[tid] = arg0;\n",
    "realloc": """\
    @old[tid] = arg0;
    if (has_key(@living, (pid, arg0))) {
        @old_size[tid] = @living[pid, arg0];
        @old_who[tid] = @who[pid, arg0];
        delete(@living, (pid, arg0));
        delete(@who, (pid, arg0));
    } else {
        @old[tid] = (uint64)0;
    }
""",
}
"""What more a call keeps."""

_AFTER = {
    "realloc": """\
    if (@old[tid] != 0) {
        if (retval != 0 || @size[tid] == 0) {
            @freed[@old_who[tid]] = sum(@old_size[tid]);
            @frees[@old_who[tid]] = count();
        } else {
            @living[pid, @old[tid]] = @old_size[tid];
            @who[pid, @old[tid]] = @old_who[tid];
        }
    }
"""
}
"""What more a return does: where realloc fails the old block stays."""
