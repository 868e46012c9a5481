"""How formats name what they all show."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.profiler.profile import Frame, Profile, Sample

__all__ = [
    "as_utf8",
    "frame_label",
    "frame_name",
    "inline_depths",
    "line_label",
    "process_labels",
    "thread_label",
    "title",
]


def process_labels(profile: Profile) -> dict[int, str]:
    """`bash (4711)` of each process: the name of its first thread, or of another where that has no samples."""
    names: dict[int, str] = {}
    for sample in profile.samples:
        if sample.pid == sample.tid:
            names[sample.pid] = sample.comm
    for sample in profile.samples:
        names.setdefault(sample.pid, sample.comm)
    return {pid: f"{name} ({pid})" for pid, name in names.items()}


def thread_label(sample: Sample) -> str:
    """`worker (4712)`"""
    return f"{sample.comm} ({sample.tid})"


def line_label(frame: Frame) -> str:
    """`file.c:12`; empty where that is not known."""
    return f"{frame.file.rpartition('/')[2]}:{frame.line}" if frame.file and frame.line else ""


def frame_name(frame: Frame, *, lines: bool) -> str:
    """`work`, `square (inlined)`, with `lines` also `work file.c:12`."""
    name = f"{frame.name} (inlined)" if frame.kind == "inlined" else frame.name
    line = line_label(frame) if lines else ""
    return f"{name} {line}" if line else name


def frame_label(frame: Frame, *, lines: bool = False) -> str:
    """The same; kernel functions are marked as flame graphs do, `vfs_read_[k]`."""
    return f"{frame.name}_[k]" if frame.kind == "kernel" else frame_name(frame, lines=lines)


def inline_depths(profile: Profile) -> dict[int, int]:
    """By the numbers of inlined frames: how many functions lie between each and the compiled one, with itself."""
    found: dict[int, int] = {}
    if any(frame.kind == "inlined" for frame in profile.frames):
        for stack in profile.stacks:
            depth = 0
            for number in stack:
                depth = depth + 1 if profile.frames[number].kind == "inlined" else 0
                if depth:
                    found[number] = depth
    return found


def title(profile: Profile) -> str:
    """What it is, in one line."""
    return f"{profile.mode}: {profile.command}" if profile.command else profile.mode


def as_utf8(text: str) -> str:
    """Bytes that are no UTF-8 as escapes: there are readers that lone surrogates break."""
    if text.isascii():
        return text
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # surrogates that stand for no byte: a file that another program wrote
        raw = text.encode("utf-8", "surrogatepass")
    return raw.decode("utf-8", "backslashreplace")
