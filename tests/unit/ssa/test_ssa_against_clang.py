"""Size of the code against clang -O2 for the same logic, where clang is installed."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ssa_forms import instructions

from kernscope.ssa import Builder, Cond, Value

CLANG = shutil.which("clang")
OBJDUMP = shutil.which("llvm-objdump")

PRELUDE = """
typedef unsigned long u64; typedef unsigned int u32; typedef unsigned char u8; typedef long s64; typedef int s32;
static void *(*lookup)(void *, const void *) = (void *)1;
static long (*update)(void *, const void *, const void *, u64) = (void *)2;
static u64 (*now)(void) = (void *)5;
static u64 (*pid)(void) = (void *)14;
extern u64 m, n;
"""


def mix(b: Builder) -> None:
    """Arithmetic on the context."""
    p = b.param(0, pointer=True)
    total: Value = b.const(17)
    for i in range(6):
        total = b.add(b.mul(total, 31), b.xor(b.load(8, p, 8 * i), b.lshr(total, 7)))
    b.ret(total)


MIX = """u64 f(u64 *p) { u64 t = 17;
#pragma unroll
for (int i = 0; i < 6; i++) t = t * 31 + (p[i] ^ (t >> 7)); return t; }"""


def log2(b: Builder) -> None:
    """Which power of two, by halving."""
    x = b.load(8, b.param(0, pointer=True))
    result: Value = b.const(0)
    for bits in (32, 16, 8, 4, 2, 1):
        more = b.shl(b.cmp(Cond.UGE, x, 1 << bits), bits.bit_length() - 1)
        x = b.lshr(x, more)
        result = b.or_(result, more)
    b.ret(result)


LOG2 = """u64 f(u64 *p) { u64 x = *p, r = 0, s;
#define STEP(b, l) s = (u64)(x >= (1ul << b)) << l; x >>= s; r |= s;
STEP(32, 5) STEP(16, 4) STEP(8, 3) STEP(4, 2) STEP(2, 1) STEP(1, 0) return r; }"""


def count(b: Builder) -> None:
    """A counter per pid in a hash map: look up, add, or insert."""
    key, one = b.frame(8), b.frame(8)
    b.store(8, b.frame_addr(key), b.lshr(b.call(14), 32))
    found, missing, done = b.block("found"), b.block("missing"), b.block("done")
    value = b.call(1, b.map_value("m"), b.frame_addr(key), pointer=True)
    b.branch_cmp(Cond.NE, value, 0, found, missing)
    b.position(found)
    b.store(8, value, b.add(b.load(8, value), 1))
    b.jump(done)
    b.position(missing)
    b.store(8, b.frame_addr(one), 1)
    b.call(2, b.map_value("m"), b.frame_addr(key), b.frame_addr(one), 1)
    b.jump(done)
    b.position(done)
    b.ret(0)


COUNT = """u64 f(u64 *p) { u64 k = pid() >> 32, *v = lookup(&m, &k);
if (v) { *(volatile u64 *)v += 1; return 0; } u64 one = 1; update(&m, &k, &one, 1); return 0; }"""


def latency(b: Builder) -> None:
    """Two maps, several values across calls, nested conditions."""
    p = b.param(0, pointer=True)
    regs, ident = b.load(8, p), b.load(8, p, 8)
    key = b.frame(8)
    out, known, slow, update = b.block("out"), b.block("known"), b.block("slow"), b.block("update")
    start = b.call(5)
    tid = b.ext(b.call(14), 32, False)
    b.store(8, b.frame_addr(key), tid)
    value = b.call(1, b.map_value("m"), b.frame_addr(key), pointer=True)
    b.branch_cmp(Cond.EQ, value, 0, out, known)
    b.position(known)
    delta = b.sub(start, b.load(8, value))
    b.branch_cmp(Cond.UGT, delta, 1000, slow, out)
    b.position(slow)
    entry = b.frame(24)
    b.store(8, b.frame_addr(entry), delta)
    b.store(8, b.frame_addr(entry), ident, 8)
    b.store(8, b.frame_addr(entry), b.load(8, regs_pointer(b, p), 16), 16)
    b.branch_cmp(Cond.EQ, b.and_(regs, 1), 0, update, out)
    b.position(update)
    b.call(2, b.map_value("n"), b.frame_addr(key), b.frame_addr(entry), 0)
    b.jump(out)
    b.position(out)
    b.ret(0)


def regs_pointer(b: Builder, p: Value) -> Value:
    return p


LATENCY = """u64 f(u64 *p) { u64 regs = *(volatile u64 *)p, ident = *(volatile u64 *)(p + 1), start = now();
u64 k = (u32)pid(), *v = lookup(&m, &k); if (!v) return 0; u64 d = start - *v; if (d <= 1000) return 0;
u64 e[3] = {d, ident, ((volatile u64 *)p)[2]}; if (regs & 1) return 0; update(&n, &k, e, 0); return 0; }"""


def narrow(b: Builder) -> None:
    """32-bit arithmetic, signed and unsigned."""
    p = b.param(0, pointer=True)
    x, y = b.load(4, p), b.load(4, p, 4)
    s = b.ext(b.sub(b.ext(b.mul(x, y), 32, False), 7), 32, False)
    t = b.ext(b.add(b.ext(b.add(b.ext(x, 32, True), y), 32, True), 3), 32, True)
    big = b.block("big")
    small = b.block("small")
    b.branch_cmp(Cond.UGT, s, 100, big, small)
    b.position(big)
    b.ret(b.add(s, t))
    b.position(small)
    b.ret(b.xor(s, t))


NARROW = """u64 f(u64 *c) { u32 *p = (u32 *)c, x = p[0], y = p[1]; u32 s = x * y - 7; s64 t = (s32)(x + y + 3);
return s > 100 ? s + t : s ^ t; }"""


def equal(b: Builder) -> None:
    """A string of 16 bytes against a constant."""
    text = b.frame(16)
    b.call(16, b.frame_addr(text), 16)
    yes, no, rest = b.block("yes"), b.block("no"), b.block("rest")
    b.branch_cmp(Cond.EQ, b.load(8, b.frame_addr(text)), 0x6C72_7563, rest, no)
    b.position(rest)
    b.branch_cmp(Cond.EQ, b.load(8, b.frame_addr(text), 8), 0, yes, no)
    b.position(yes)
    b.store(8, b.map_value("m"), b.add(b.load(8, b.map_value("m")), 1))
    b.ret(1)
    b.position(no)
    b.ret(0)


EQUAL = """static long (*comm)(void *, u32) = (void *)16;
u64 f(u64 *c) { u64 t[2]; comm(t, 16); if (t[0] == 0x6C727563 && t[1] == 0) { m++; return 1; } return 0; }"""


def loop(b: Builder) -> None:
    """Sum of up to 100 words while they are not zero."""
    p = b.param(0, pointer=True)
    head, body, more, out = b.block("head"), b.block("body"), b.block("more"), b.block("out")
    b.write_var("i", 0)
    b.write_var("sum", 0)
    b.jump(head)
    b.position(head)
    b.branch_cmp(Cond.ULT, b.read_var("i"), 100, body, out)
    b.position(body)
    b.seal(body)
    word = b.load(8, b.ptr_add(p, b.shl(b.read_var("i"), 3)))
    b.branch_cmp(Cond.EQ, word, 0, out, more)
    b.position(more)
    b.seal(more)
    b.write_var("sum", b.add(b.read_var("sum"), word))
    b.write_var("i", b.add(b.read_var("i"), 1))
    b.jump(head)
    b.seal(head)
    b.seal(out)
    b.position(out)
    b.ret(b.read_var("sum"))


LOOP = """u64 f(u64 *p) { u64 s = 0; for (u64 i = 0; i < 100; i++) { if (!p[i]) break; s += p[i]; } return s; }"""


def pressure(b: Builder) -> None:
    """Fourteen values at once, with a call in the middle."""
    p = b.param(0, pointer=True)
    values = [b.load(8, p, 8 * i) for i in range(14)]
    total = b.call(14)
    for i, value in enumerate(values):
        total = b.add(total, b.mul(value, i + 3))
    for value in reversed(values):
        total = b.xor(b.mul(total, 5), value)
    b.ret(total)


PRESSURE = (
    "u64 f(u64 *c) { volatile u64 *p = c; u64 "
    + ", ".join(f"v{i} = p[{i}]" for i in range(14))
    + "; u64 t = pid(); "
    + " ".join(f"t += v{i} * {i + 3};" for i in range(14))
    + " ".join(f"t = t * 5 ^ v{i};" for i in reversed(range(14)))
    + " return t; }"
)

CASES: list[tuple[str, Callable[[Builder], None], str]] = [
    ("mix", mix, MIX),
    ("log2", log2, LOG2),
    ("count", count, COUNT),
    ("latency", latency, LATENCY),
    ("narrow", narrow, NARROW),
    ("equal", equal, EQUAL),
    ("loop", loop, LOOP),
    ("pressure", pressure, PRESSURE),
]


def clang_instructions(source: str, directory: Path) -> list[str]:
    """What clang makes of `f`, one line per instruction."""
    assert CLANG is not None
    assert OBJDUMP is not None
    c, o = directory / "f.c", directory / "f.o"
    c.write_text(PRELUDE + source + "\n")
    subprocess.run([CLANG, "-O2", "-target", "bpf", "-mcpu=v3", "-c", c, "-o", o], check=True, timeout=60)
    listing = subprocess.run(
        [OBJDUMP, "-d", "--no-show-raw-insn", o], check=True, timeout=60, capture_output=True, text=True
    ).stdout
    return [line for line in listing.splitlines() if line.strip().split(":")[0].isdigit()]


@pytest.mark.skipif(CLANG is None or OBJDUMP is None, reason="needs clang and llvm-objdump")
def test_code_size_against_clang(tmp_path: Path) -> None:
    sizes = {}
    for name, build, source in CASES:
        sizes[name] = (len(instructions(build, params=1)), len(clang_instructions(source, tmp_path)))
    ours, theirs = (sum(pair[i] for pair in sizes.values()) for i in (0, 1))
    assert ours <= 1.1 * theirs, sizes
    assert all(a <= 1.3 * b for a, b in sizes.values()), sizes
