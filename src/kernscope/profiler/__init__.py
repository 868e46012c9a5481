"""Where time, memory and waiting go: programs of our language that collect stacks, and what shows them.

    mode = mode_named("cpu")
    collector = Collector(mode, Options(frequency=99))
    with kernscope.run(collector.text, sinks=[collector.sink], duration=5) as session:
        profile = collector.run(session)
    for frame, own, total in profile.functions()[:10]:
        print(frame.name, own, total)

Nothing here talks to the kernel: a mode is a program's text and what its maps mean.
"""

__all__ = [
    "FORMATS",
    "MODES",
    "BadProfileFile",
    "Busy",
    "Collector",
    "Filter",
    "FilterError",
    "Folder",
    "Frame",
    "Mode",
    "Node",
    "Options",
    "Profile",
    "Recorder",
    "Sample",
    "Screen",
    "allocators_for",
    "diff_lines",
    "diff_page",
    "flame_lines",
    "format_for",
    "merge",
    "mode_named",
    "read_profile",
    "recorded_parts",
    "summary_lines",
    "table_lines",
    "tell_generated",
    "tell_incomplete",
    "to_arrow",
    "write",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.output.screen import Screen
    from kernscope.profiler.arrow import to_arrow
    from kernscope.profiler.collect import Collector, tell_incomplete
    from kernscope.profiler.diff import diff_lines
    from kernscope.profiler.formats import FORMATS, format_for, write
    from kernscope.profiler.formats.html import diff_page
    from kernscope.profiler.formats.json_file import BadProfileFile
    from kernscope.profiler.formats.json_file import decode as read_profile
    from kernscope.profiler.generated import tell_generated
    from kernscope.profiler.merging import merge
    from kernscope.profiler.modes import MODES, mode_named
    from kernscope.profiler.modes.base import Mode, Options
    from kernscope.profiler.modes.malloc import allocators_for
    from kernscope.profiler.profile import Frame, Node, Profile, Sample
    from kernscope.profiler.record import Busy, Folder, Recorder, recorded_parts
    from kernscope.profiler.terminal import flame_lines, summary_lines, table_lines
    from kernscope.selection import Filter, FilterError

_HOMES = {
    "BadProfileFile": "kernscope.profiler.formats.json_file",
    "Busy": "kernscope.profiler.record",
    "Collector": "kernscope.profiler.collect",
    "FORMATS": "kernscope.profiler.formats",
    "Filter": "kernscope.selection",
    "FilterError": "kernscope.selection",
    "Folder": "kernscope.profiler.record",
    "Frame": "kernscope.profiler.profile",
    "MODES": "kernscope.profiler.modes",
    "Mode": "kernscope.profiler.modes.base",
    "Node": "kernscope.profiler.profile",
    "Options": "kernscope.profiler.modes.base",
    "Profile": "kernscope.profiler.profile",
    "Recorder": "kernscope.profiler.record",
    "Sample": "kernscope.profiler.profile",
    "Screen": "kernscope.output.screen",
    "allocators_for": "kernscope.profiler.modes.malloc",
    "diff_lines": "kernscope.profiler.diff",
    "diff_page": "kernscope.profiler.formats.html",
    "flame_lines": "kernscope.profiler.terminal",
    "format_for": "kernscope.profiler.formats",
    "merge": "kernscope.profiler.merging",
    "mode_named": "kernscope.profiler.modes",
    "read_profile": "kernscope.profiler.formats.json_file:decode",
    "recorded_parts": "kernscope.profiler.record",
    "summary_lines": "kernscope.profiler.terminal",
    "table_lines": "kernscope.profiler.terminal",
    "tell_generated": "kernscope.profiler.generated",
    "tell_incomplete": "kernscope.profiler.collect",
    "to_arrow": "kernscope.profiler.arrow",
    "write": "kernscope.profiler.formats",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, _, other_name = home.partition(":")
    return getattr(import_module(module), other_name or name)
