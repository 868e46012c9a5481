"""Flags of the kernel's page allocator, `gfp_t`, and their common sums: include/linux/gfp_types.h (Linux 6.18)."""

__all__ = ["GFP_BITS", "GFP_SUMS", "gfp_text"]

GFP_BITS: dict[int, str] = {
    0x1: "GFP_DMA",
    0x2: "__GFP_HIGHMEM",
    0x4: "GFP_DMA32",
    0x8: "__GFP_MOVABLE",
    0x10: "__GFP_RECLAIMABLE",
    0x20: "__GFP_HIGH",
    0x40: "__GFP_IO",
    0x80: "__GFP_FS",
    0x100: "__GFP_ZERO",
    0x400: "__GFP_DIRECT_RECLAIM",
    0x800: "__GFP_KSWAPD_RECLAIM",
    0x1000: "__GFP_WRITE",
    0x2000: "__GFP_NOWARN",
    0x4000: "__GFP_RETRY_MAYFAIL",
    0x8000: "__GFP_NOFAIL",
    0x10000: "__GFP_NORETRY",
    0x20000: "__GFP_MEMALLOC",
    0x40000: "__GFP_COMP",
    0x80000: "__GFP_NOMEMALLOC",
    0x100000: "__GFP_HARDWALL",
    0x200000: "__GFP_THISNODE",
    0x400000: "__GFP_ACCOUNT",
    0x800000: "__GFP_ZEROTAGS",
}
"""Bits whose place does not depend on how the kernel was configured."""

_RECLAIM = 0x400 | 0x800
_KERNEL = _RECLAIM | 0x40 | 0x80
_USER = _KERNEL | 0x100000
_HIGHUSER = _USER | 0x2
_TRANSHUGE_LIGHT = (_HIGHUSER | 0x8 | 0x40000 | 0x80000 | 0x2000) & ~_RECLAIM

GFP_SUMS: tuple[tuple[int, str], ...] = (
    (_TRANSHUGE_LIGHT | 0x400, "GFP_TRANSHUGE"),
    (_TRANSHUGE_LIGHT, "GFP_TRANSHUGE_LIGHT"),
    (_HIGHUSER | 0x8, "GFP_HIGHUSER_MOVABLE"),
    (_HIGHUSER, "GFP_HIGHUSER"),
    (_USER, "GFP_USER"),
    (_KERNEL | 0x400000, "GFP_KERNEL_ACCOUNT"),
    (_KERNEL, "GFP_KERNEL"),
    (_RECLAIM | 0x40, "GFP_NOFS"),
    (0x20 | 0x800, "GFP_ATOMIC"),
    (_RECLAIM, "GFP_NOIO"),
)
"""Sums in the order in which the kernel looks for them (include/trace/events/mmflags.h)."""


def gfp_text(value: int) -> str:
    """``GFP_KERNEL|__GFP_ZERO``; bits without a name as a number, nothing as ``0``."""
    value &= 0xFFFFFFFF
    parts = []
    for mask, name in (*GFP_SUMS, *GFP_BITS.items()):
        if value & mask == mask:
            parts.append(name)
            value &= ~mask
    if value or not parts:
        parts.append(f"{value:#x}" if value else "0")
    return "|".join(parts)
