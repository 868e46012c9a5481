"""How formats name what they all show."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.profiler.profile import Frame, Profile, Sample

__all__ = ["as_utf8", "frame_label", "process_labels", "thread_label", "title"]


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


def frame_label(frame: Frame) -> str:
    """The function's name; kernel functions are marked as flame graphs do, `vfs_read_[k]`."""
    return f"{frame.name}_[k]" if frame.kind == "kernel" else frame.name


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
