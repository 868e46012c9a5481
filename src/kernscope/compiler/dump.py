"""Text forms of what the compiler makes, for `compile --dump` and for tests."""

from kernscope.bundle import Bundle
from kernscope.sema import Checked
from kernscope.syntax.ast import Node

__all__ = ["bundle_text", "types_text"]


def types_text(checked: Checked) -> str:
    """Maps with their types, then for each clause its expressions in the order of the text."""
    lines = []
    for info in checked.maps.values():
        key = f"[{info.key}]" if info.key is not None else ""
        lines.append(f"@{info.name}{key}: {info.value}")
    for clause in checked.clauses:
        names = [t.name for t in clause.targets]
        shown = ", ".join(names[:3]) + (f", … ({len(names)} probes)" if len(names) > 3 else "")
        lines.append(shown)
        nodes = [(node, t) for node, t in clause.types.items() if isinstance(node, Node)]
        for node, t in sorted(nodes, key=lambda item: (item[0].span.start, -item[0].span.end)):
            lines.append(f"  {node.span.text}: {t}")
    return "\n".join(lines) + "\n"


def bundle_text(bundle: Bundle) -> str:
    """All of a bundle but the code, which `asm` shows."""
    lines = ["maps"]
    lines += [f"  {spec!r}" for spec in bundle.maps]
    lines.append("user maps")
    for m in bundle.user_maps:
        key = f"[{m.key}]" if m.key is not None else ""
        place = f" at {m.offset}, {m.count} x {m.value.size} bytes per CPU" if m.storage == "cells" else ""
        place = f" at {m.offset}" if m.storage == "global" else place
        lines.append(f"  {m.name}{key}: {m.value}, {m.storage} in {m.kernel_map}{place}")
    lines.append("records")
    for r in bundle.records:
        types = ", ".join(map(str, r.types))
        lines.append(f"  {r.id} {r.action}({types}) {r.text!r}, {8 + r.layout.size} bytes fixed")
    lines.append("programs")
    for p in bundle.programs:
        lines.append(f"  {p.name}: type {p.type}, {len(p.code) // 8} instructions, attach {list(p.attach)!r}")
    lines.append("counters")
    lines += [f"  {c.kind} {c.name or c.text or c.clause} at {c.offset}" for c in bundle.counters]
    return "\n".join(lines) + "\n"
