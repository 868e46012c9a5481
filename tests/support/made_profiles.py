"""Profiles with known contents, harmless and hostile."""

from kernscope.profiler.profile import Frame, Profile, Sample

__all__ = ["HOSTILE", "hostile", "large", "with_lines", "work"]

HOSTILE = (
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=document.title='owned'>",
    "\"quotes' & &amp; <b>",
    "a;b;c 42",
    "line\nbreak\rand\ttab",
    "\x1b[2J\x1b]0;owned\x07",
    "\u202eright to left\u2066",
    "\udc80\udcff not utf-8",
    "\x00nul\x7f\x9b31m",
    "-->]]><!--",
    "x" * 4096,
    "名前" * 50,
    "",
    "{{script}}",
    "\u2028\u2029",
)
"""Names that mean something to a terminal, HTML, SVG, JavaScript, or a format of lines."""


def work(unit: str = "samples", *, timed: bool = False) -> Profile:
    """Two processes, one with two threads; main calls a (30) and b (20), a calls b (50) and the kernel (5)."""
    profile = Profile("cpu", unit, period_ns=10_000_000 if unit == "samples" else 0, command="work hard")
    profile.start_ns, profile.duration_ns, profile.lost = 1_700_000_000_000_000_000, 2_000_000_000, 3
    profile.notes = ["a note"]
    main = Frame("main", "native", "/bin/work", "work.c", 10, 0x1000)
    a, b = Frame("a", "python", "/x/a.py", "/x/a.py", 7), Frame("b", "native", "/lib/b.so", address=0x20)
    b2 = Frame("b", "native", "/lib/b.so", address=0x28)
    read = Frame("vfs_read", "kernel", address=0xFFFFFFFF81000000)
    rows = (
        ([main, a], 10, 10, 30),
        ([main, a, b], 10, 11, 50),
        ([main, b2], 20, 20, 20),
        ([main, a, read], 10, 10, 5),
    )
    for i, (frames, pid, tid, value) in enumerate(rows):
        time_ns = profile.start_ns + i * 250_000_000 if timed else 0
        labels = {"cpu": str(i % 2), "cgroup": "/work.slice"}
        name = "worker" if tid == 11 else f"work{pid}"
        count = value if unit == "samples" else 1
        profile.add(Sample(profile.stack(frames), pid, tid, name, value, count, time_ns, labels))
    return profile


def with_lines(*, lines: bool = True) -> Profile:
    """main calls work at two lines; outer is inlined into work, inner into outer; a call of write from work itself."""
    made = Profile("cpu", "samples", period_ns=10_000_000)
    made.start_ns, made.duration_ns, made.lines = 1_700_000_000_000_000_000, 1_000_000_000, lines
    work = "/bin/work"
    first = Frame("main", "native", work, "/src/work.c", 10, 0x1000)
    second = Frame("main", "native", work, "/src/work.c", 12, 0x1010)
    loop = Frame("work", "native", work, "/src/work.c", 5, 0x900)
    outer = Frame("outer", "inlined", work, "/src/work.c", 3, 0x900)
    inner = Frame("inner", "inlined", work, "/src/deep.h", 2, 0x900)
    other = Frame("work", "native", work, "/src/work.c", 7, 0x910)
    write_ = Frame("write", "native", "/lib/libc.so.6", address=0x30)
    for frames, value in (
        ([first, loop, outer, inner], 60),
        ([second, loop, outer, inner], 25),
        ([first, other, write_], 15),
    ):
        made.add(Sample(made.stack(frames), 7, 7, "work", value, value))
    return made


def hostile() -> Profile:
    """Every hostile text in every place where a profile has one."""
    profile = Profile("cpu", "samples", period_ns=10_000_000, command=HOSTILE[0] + HOSTILE[4] + HOSTILE[7])
    profile.start_ns, profile.duration_ns = 1_700_000_000_000_000_000, 1_000_000_000
    profile.notes = list(HOSTILE)
    for i, text in enumerate(HOSTILE):
        frames = [
            Frame("main", "native", "/bin/x"),
            Frame(text, "native", text, text, 1, 16),
            Frame(text, "kernel", text),
        ]
        profile.add(Sample(profile.stack(frames), i + 1, i + 1, text, 2, 2, labels={"cgroup": text}))
    return profile


def large(stacks: int) -> Profile:
    """Many stacks of 20 to 60 functions, alike in their beginnings as real ones are."""
    profile = Profile("cpu", "samples", period_ns=10_000_000)
    functions = [Frame(f"function_{i}", "native", "/bin/large") for i in range(3000)]
    number = 12345
    for i in range(stacks):
        frames, at = [], 0
        for depth in range(20 + i % 40):
            number = (number * 1103515245 + 12345) & 0x7FFFFFFF
            at = (at * 5 + 1 + (number >> 16) % (1 + depth // 5)) % len(functions)
            frames.append(functions[at])
        profile.add(Sample(profile.stack(frames), 1, 1 + i % 4, "large", 1 + i % 3, 1))
    return profile
