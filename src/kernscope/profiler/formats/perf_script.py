"""The text of `perf script`, which many viewers read.

    comm  pid/tid [cpu] seconds:  value event:
    <tab> address name+offset (module)

leaf first, an empty line after each sample. Samples that stand for many are one entry with their value as the period.
What a terminal does not print, line breaks among it, is escaped.
"""

from __future__ import annotations

from kernscope.output.escape import escape_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.profiler.profile import Frame, Profile

__all__ = ["encode"]

_EVENTS = {"samples": "cpu-clock", "nanoseconds": "offcpu-time", "bytes": "alloc"}


def encode(profile: Profile) -> bytes:
    """All samples."""
    event = _EVENTS.get(profile.unit, "events")
    frames = [_frame(frame) for frame in profile.frames]
    parts = []
    for sample in profile.samples:
        time_ns = sample.time_ns or profile.start_ns
        cpu = int(sample.labels.get("cpu", "0"))
        name = escape_text(sample.comm) or "[unknown]"
        seconds, ns = divmod(time_ns, 1_000_000_000)
        head = f"{name} {sample.pid}/{sample.tid} [{cpu:03}] {seconds}.{ns // 1000:06}:"
        parts.append(f"{head} {sample.value:>10} {event}: \n")
        parts += [frames[number] for number in reversed(profile.stacks[sample.stack])]
        parts.append("\n")
    return "".join(parts).encode()


def _frame(frame: Frame) -> str:
    if frame.kind == "inlined":  # as perf has it
        return f"\t{frame.address:>16x} {escape_text(frame.name) or '[unknown]'} (inlined)\n"
    module = frame.module or ("[kernel.kallsyms]" if frame.kind == "kernel" else "[unknown]")
    name = escape_text(frame.name) or "[unknown]"
    return f"\t{frame.address:>16x} {name} ({escape_text(module)})\n"
