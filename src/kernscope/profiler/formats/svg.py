"""A flame graph as an SVG image: titles on its boxes, no script."""

from __future__ import annotations

from html import escape
from zlib import crc32

from kernscope.output.escape import escape_text
from kernscope.profiler.formats.html import about
from kernscope.profiler.formats.labels import frame_label, title

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.profiler.profile import Node, Profile

__all__ = ["encode"]

WIDTH, ROW, LETTER = 1200, 18, 7.2
LEAST = 0.5
"""Narrower boxes are left out."""

_HUES = {"kernel": (20, 40), "native": (40, 60), "inlined": (56, 74), "python": (95, 150), "jit": (170, 210)}


def encode(profile: Profile) -> bytes:
    """The image, the root at the bottom."""
    root = profile.tree()
    boxes: list[tuple[Node, float, float, int]] = []
    stack = [(root, 0.0, float(WIDTH), 0)]
    while stack:
        node, x, width, depth = stack.pop()
        boxes.append((node, x, width, depth))
        for child in sorted(node.children.values(), key=lambda child: child.frame.name):
            size = width * child.value / (node.value or 1)
            if size >= LEAST:
                stack.append((child, x, size, depth + 1))
            x += size
    height = (max(depth for *_, depth in boxes) + 1) * ROW + 44
    head = _clean(f"{title(profile)}: {about(profile)}")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="12">\n',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n<text x="6" y="22">{head}</text>\n',
    ]
    parts += [
        _box(
            node,
            frame_label(node.frame, lines=profile.lines),
            x,
            width,
            height - (depth + 1) * ROW - 8,
            root.value,
        )
        for node, x, width, depth in boxes
    ]
    return "".join([*parts, "</svg>\n"]).encode()


def _box(node: Node, name: str, x: float, width: float, y: float, total: int) -> str:
    share = 100 * node.value / (total or 1)
    text = f"<g><title>{_clean(name)}: {node.value:,} ({share:.2f} %)</title>"
    shown = max(width - 1, LEAST) if width > 3 else width
    text += f'<rect x="{x:.1f}" y="{y}" width="{shown:.1f}" height="{ROW - 1}" fill="{_colour(node)}"/>'
    fits = int((width - 6) / LETTER)
    if fits >= 3:
        cut = name if len(name) <= fits else name[: fits - 1] + "…"
        text += f'<text x="{x + 3:.1f}" y="{y + 13}">{_clean(cut)}</text>'
    return text + "</g>\n"


def _colour(node: Node) -> str:
    hues = _HUES.get(node.frame.kind)
    if hues is None:
        return "hsl(220,8%,76%)"
    share = crc32(node.frame.name.encode("utf-8", "surrogatepass")) / 0xFFFFFFFF
    return f"hsl({hues[0] + (hues[1] - hues[0]) * share:.0f},75%,68%)"


def _clean(text: str) -> str:
    return escape(escape_text(text))
