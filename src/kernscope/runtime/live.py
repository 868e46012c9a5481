"""What a session holds in the kernel: maps, programs, links, rings; closed, it leaves nothing behind."""

from struct import pack_into

from kernscope.bundle import Bundle
from kernscope.bundle.globals_layout import (
    BOOT_OFFSET_NS,
    CONTROL_MAP,
    ENFORCE_UNTIL_NS,
    EVENTS_MAP,
    EXIT_FLAG,
    GLOBALS_MAP,
    OWN_PID,
    START_NS,
)
from kernscope.diagnostics import CompileError, Diagnostic, Source, Span, error
from kernscope.kernel import AttachError
from kernscope.runtime.errors import RefusedError
from kernscope.runtime.load import create_maps, load_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kernscope.bundle import Attach, ProgramSpec
    from kernscope.kernel.interface import KernelAccess
    from kernscope.kernel.link import Link
    from kernscope.kernel.map import Map
    from kernscope.kernel.program import Program
    from kernscope.kernel.ringbuf import RingBuffer

    AttachFunction = Callable[[KernelAccess, Attach, Program], Sequence[Link]]

__all__ = ["Live", "close_all"]

FOREVER_NS = (1 << 64) - 1

ITERATED_OBJECTS = 64
"""So many objects' records must find room in the ring buffer: they are handed over before the next ones."""

ON_DEMAND = ("test", "bench")
RUN_BY_SESSION = {
    "begin": "begin",
    "end": "end",
    "self": "signal",
    "signal": "signal",
    **{kind: kind for kind in ON_DEMAND},
}
"""Kinds of attachment that are no kernel events: the session runs their programs itself."""


class Live:
    """The kernel's half of a running `bundle`."""

    def __init__(self, bundle: Bundle, kernel: "KernelAccess", attach: "AttachFunction | None") -> None:
        self.bundle, self.kernel = bundle, kernel
        self.maps: dict[str, Map] = {}
        self.globals: memoryview | None = None
        self.events: RingBuffer | None = None
        self.control: RingBuffer | None = None
        self._attach = attach
        self._programs: list[tuple[str, Program]] = []
        self._attachments: list[tuple[Attach, Program]] = []
        self._inline: dict[str, list[tuple[tuple[object, ...], Program]]] = {}
        self._links: list[Link] = []
        self._by_probe: list[tuple[Attach, Sequence[Link]]] = []
        self._iterations: list[Link] = []
        self.missing: list[AttachError] = []
        """What could not be attached, where the setting `missing_probes` accepts that."""
        self.left_out: list[AttachError] = []
        """What the kernel refused of functions that only a pattern names."""

    def create_maps(self) -> None:
        """Maps with their first contents, and the rings. The clock of `elapsed` starts."""
        import os
        import time

        create_maps(self.bundle, self.kernel, self.maps)
        if GLOBALS_MAP in self.maps:
            self.globals = self.maps[GLOBALS_MAP].mmap()
            pack_into("=Q", self.globals, START_NS, time.monotonic_ns())
            pack_into("=Q", self.globals, OWN_PID, os.getpid())
            offset = self.kernel.boot_offset_ns
            leap = time.clock_gettime(time.CLOCK_TAI) - time.clock_gettime(time.CLOCK_REALTIME)
            pack_into("=qq", self.globals, BOOT_OFFSET_NS, offset, offset + round(leap) * 1_000_000_000)
        if EVENTS_MAP in self.maps:
            self.events = self.kernel.ring_buffer(self.maps[EVENTS_MAP])
        if CONTROL_MAP in self.maps:
            self.control = self.kernel.ring_buffer(self.maps[CONTROL_MAP])

    def enforce(self, seconds: "float | None") -> None:
        """Let verdicts count, for so long from now, or until the end. Before that they count only in the books."""
        if self.globals is None:
            return
        import time

        until = FOREVER_NS if seconds is None else time.monotonic_ns() + round(seconds * 1e9)
        pack_into("=Q", self.globals, ENFORCE_UNTIL_NS, until)

    def load(self) -> None:
        """All programs, `end` programs too: what cannot be loaded must be known before anything runs."""
        license = str(self.bundle.config.get("license", "GPL"))
        for spec in self.bundle.programs:
            try:
                self._load(spec, license)
            except RefusedError as refused:
                if not refused.too_large:
                    raise
                raise CompileError([self._too_large(refused)]) from refused
        for where, program in self._attachments:
            when = RUN_BY_SESSION.get(where.kind)
            if when is not None:
                self._inline.setdefault(when, []).append((where.target, program))

    def _load(self, spec: "ProgramSpec", license: str) -> None:
        if not any(attach.function for attach in spec.attach):
            program = load_program(spec, self.kernel, self.maps, license)
            self._programs.append((spec.name, program))
            self._attachments += [(attach, program) for attach in spec.attach]
            return
        from kernscope.runtime.typed import load_for_targets

        loaded, refused = load_for_targets(spec, self.kernel, self.maps, license)
        self._programs += [(attach.probe, program) for attach, program in loaded]
        self._attachments += loaded
        self.left_out += refused

    def _too_large(self, refused: RefusedError) -> Diagnostic:
        """The program's fault, not ours: the kernel gave up checking it."""
        place = Span(Source(self.bundle.source_name, self.bundle.source_text), *(refused.span or (0, 0)))
        return error(
            "program-too-large",
            "the program is too large for the kernel, which gave up checking it here",
            place,
            notes=[
                refused.reason,
                "what the kernel checks grows with the statements, and with branches that test many things",
            ],
            help="split the action into several probes, or write repeated parts as a loop",
        )

    def attach(self) -> None:
        """Everything that is a kernel event. Raises AttachError, unless `missing_probes` accepts it."""
        must = self.bundle.config.get("missing_probes", "error") == "error"
        attach = self._attach
        if attach is None:
            from kernscope.probes import attach as attach_probe

            attach = attach_probe
        for where, program in self._attachments:
            if where.kind not in RUN_BY_SESSION:
                try:
                    links = attach(self.kernel, where, program)
                    self._links += links
                    self._by_probe.append((where, links))
                except AttachError as problem:
                    if not where.named:
                        self.left_out.append(problem)
                    elif must:
                        raise
                    else:
                        self.missing.append(problem)
        if self.left_out and not self._links:
            raise self.left_out[0]
        self._iterations = [link for link in self._links if link.is_read]

    @property
    def iterating(self) -> bool:
        """Whether there are programs that run when they are read, and have not come to their end."""
        return bool(self._iterations)

    def iterate(self) -> bool:
        """Let the first of them go on for some objects. True: that was the last of all that could run."""
        if not self._iterations[0].read_some(ITERATED_OBJECTS):
            del self._iterations[0]
        return not self._iterations and all(link.is_read for link in self._links)

    def unseen(self) -> list[str]:
        """What probes could not see: programs and libraries whose paths now lead to other files."""
        return [
            f"`{path}` was replaced while it was probed: processes that use the new file were not seen"
            for path in sorted({link.replaced_file for link in self._links} - {""})
        ]

    def detach(self) -> None:
        """Together, so that those that wait for the kernel wait together."""
        links, self._links, self._iterations, self._by_probe = self._links, [], [], []
        if links:
            self.kernel.detach(links)

    def detach_at(self, address: int, kinds: "Sequence[object]") -> None:
        """Detach the probes of some kinds, whose targets begin with an address, at one."""
        going = [
            link
            for where, links in self._by_probe
            if where.kind in kinds and where.target[0] == address
            for link in links
            if link in self._links
        ]
        self._links = [link for link in self._links if link not in going]
        if going:
            self.kernel.detach(going)

    def run_inline(self, when: str, signal: int | None = None) -> None:
        """Run the programs that the session runs itself: `begin`, `end`, or those for a `signal`."""
        for target, program in self._inline.get(when, ()):
            if signal is None or signal in target:
                program.test_run()

    def on_demand(self, kind: str) -> "list[tuple[str, Program]]":
        """Names and programs of the probes that only run when asked for: kind `test` or `bench`."""
        return [(str(target[0]), program) for target, program in self._inline.get(kind, ())]

    def signal_numbers(self) -> set[int]:
        """Signals that programs want to be run for."""
        return {n for target, _ in self._inline.get("signal", ()) for n in target if isinstance(n, int)}

    @property
    def exit_flag(self) -> bool:
        """Set: programs that start do nothing."""
        return self.globals is not None and self.globals[EXIT_FLAG] != 0

    def set_exit_flag(self) -> None:
        if self.globals is not None:
            self.globals[EXIT_FLAG] = 1

    def missed(self) -> list[tuple[str, int]]:
        """Programs that the kernel skipped because they were running already, and how often."""
        found = [(name, program.statistics().recursion_misses) for name, program in self._programs]
        return [(name, count) for name, count in found if count]

    def close_steps(self) -> "list[Callable[[], object]]":
        """What closes it, in order: attachments first."""
        steps: list[Callable[[], object]] = [self.detach]
        steps += [program.close for _, program in self._programs]
        steps += [ring.close for ring in (self.events, self.control) if ring is not None]
        steps += [self._forget, *(map.close for map in self.maps.values())]
        return steps

    def _forget(self) -> None:
        self.globals = self.events = self.control = None
        self._programs, self._attachments, self._inline = [], [], {}


def close_all(steps: "Sequence[Callable[[], object]]") -> None:
    """Do all `steps`; an error in one does not keep the others from being done, and is raised at the end."""
    failure: Exception | None = None
    for step in steps:
        try:
            step()
        except Exception as error:
            failure = failure or error
    if failure is not None:
        raise failure
