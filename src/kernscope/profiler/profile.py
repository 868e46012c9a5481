"""A profile as data: which stacks were seen, in which thread, how often or for how long.

Everything that collects makes a `Profile`, everything that shows or writes one reads it. Frames and stacks are kept
once each; a sample refers to its stack by number.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["WOKEN_BY", "Frame", "Node", "Profile", "Sample"]

WOKEN_BY = "[woken by "
"""How the mark begins above which a stack goes on with that of another thread."""


class Frame:
    """One function of a stack.

    Attributes:
        name: the function, demangled; `[unknown]` where nobody could tell.
        kind: `kernel`, `native`, `python`, `jit`, `inlined` for a native function that is part of the one before it in
            the stack, or `mark` for what is no function: `[truncated]`, a reason to wait.
        module: file of the code: an executable's path, a kernel module; empty where there is none.
        file, line: the source, where known; line 0: not known.
        address: in the module's own numbering, 0 where it has none.
    """

    __slots__ = ("address", "file", "kind", "line", "module", "name")

    def __init__(
        self, name: str, kind: str, module: str = "", file: str = "", line: int = 0, address: int = 0
    ) -> None:
        self.name, self.kind, self.module = name, kind, module
        self.file, self.line, self.address = file, line, address

    @property
    def key(self) -> tuple[object, ...]:
        """Frames with equal keys are the same."""
        return (self.name, self.kind, self.module, self.file, self.line, self.address)

    @property
    def function(self) -> tuple[str, str, str]:
        """What tells its function from others."""
        return (self.name, self.kind, self.module)

    @property
    def place(self) -> tuple[str, str, str, str, int]:
        """What tells its line from others."""
        return (self.name, self.kind, self.module, self.file, self.line)

    def __repr__(self) -> str:
        return f"Frame({self.name!r}, {self.kind!r}, {self.module!r})"


class Sample:
    """Equal samples together, or one with its time.

    Attributes:
        stack: index into `Profile.stacks`.
        pid, tid, comm: the process, the thread, the thread's name.
        value: in the profile's unit.
        count: how many samples or events it stands for.
        time_ns: CLOCK_REALTIME, or 0 where it stands for many.
        labels: what else tells samples apart: `cpu`, `cgroup`, …
    """

    __slots__ = ("comm", "count", "labels", "pid", "stack", "tid", "time_ns", "value")

    def __init__(
        self,
        stack: int,
        pid: int,
        tid: int,
        comm: str,
        value: int,
        count: int = 1,
        time_ns: int = 0,
        labels: dict[str, str] | None = None,
    ) -> None:
        self.stack, self.pid, self.tid, self.comm = stack, pid, tid, comm
        self.value, self.count, self.time_ns = value, count, time_ns
        self.labels = labels or {}


class Profile:
    """What was collected.

    Args:
        mode: `cpu`, `offcpu`, …
        unit: of `Sample.value`: `samples`, `nanoseconds`, `bytes`, `events`.
        period_ns: between two samples of a CPU; 0 where events were counted.

    Attributes:
        frames: all frames, each once; `stacks`: tuples of indices into them, the root first.
        start_ns: CLOCK_REALTIME; duration_ns.
        lost: samples that found no room. `notes`: sentences that a reader has to know.
        tables: further results of the mode, each a title and its lines.
        command: what was profiled, in words.
        lines: lines are shown and told apart, not only functions.
    """

    def __init__(self, mode: str, unit: str, *, period_ns: int = 0, command: str = "") -> None:
        self.mode, self.unit, self.period_ns, self.command = mode, unit, period_ns, command
        self.start_ns = self.duration_ns = self.lost = 0
        self.lines = False
        self.notes: list[str] = []
        self.tables: list[tuple[str, list[str]]] = []
        self.frames: list[Frame] = []
        self.stacks: list[tuple[int, ...]] = []
        self.samples: list[Sample] = []
        self._frame_numbers: dict[tuple[object, ...], int] = {}
        self._stack_numbers: dict[tuple[int, ...], int] = {}

    def frame(self, frame: Frame) -> int:
        """The number of a frame, which is added where it is new."""
        number = self._frame_numbers.setdefault(frame.key, len(self.frames))
        if number == len(self.frames):
            self.frames.append(frame)
        return number

    def stack(self, frames: Sequence[Frame]) -> int:
        """The number of a stack, root first, which is added where it is new."""
        key = tuple([self.frame(frame) for frame in frames])
        number = self._stack_numbers.setdefault(key, len(self.stacks))
        if number == len(self.stacks):
            self.stacks.append(key)
        return number

    def add(self, sample: Sample) -> None:
        """Add a sample, whose stack is one of `stacks`."""
        self.samples.append(sample)

    @property
    def total(self) -> int:
        """Sum of all values."""
        return sum(sample.value for sample in self.samples)

    @property
    def count(self) -> int:
        """Number of samples."""
        return sum(sample.count for sample in self.samples)

    def frames_of(self, sample: Sample) -> list[Frame]:
        """Its stack, root first."""
        return [self.frames[number] for number in self.stacks[sample.stack]]

    def functions(self) -> list[tuple[Frame, int, int]]:
        """(frame, own value, value with everything it called) of each function, by own value, highest first.

        A function is told by its name, kind and module: its addresses are taken together, and its lines too unless
        `lines` is set. Marks are no functions: what they stand for belongs to the function that they lie on.
        """
        return self._ranked([f for f in self.frames if f.kind != "mark"])

    def marks(self) -> list[tuple[Frame, int, int]]:
        """The same for marks: what was waited for, why stacks end early."""
        return self._ranked([f for f in self.frames if f.kind == "mark"])

    def _ranked(self, chosen: list[Frame]) -> list[tuple[Frame, int, int]]:
        own: dict[tuple[object, ...], int] = {}
        whole: dict[tuple[object, ...], int] = {}
        key_of = self.key_of
        first = {key_of(frame): frame for frame in reversed(chosen)}
        for sample in self.samples:
            keys = [key for frame in self._own_frames(sample) if (key := key_of(frame)) in first]
            for key in set(keys):  # a recursive function has each sample once
                whole[key] = whole.get(key, 0) + sample.value
            if keys:
                own[keys[-1]] = own.get(keys[-1], 0) + sample.value
        ranked = sorted(whole, key=lambda key: (-own.get(key, 0), -whole[key], key))
        return [(first[key], own.get(key, 0), whole[key]) for key in ranked]

    def key_of(self, frame: Frame) -> tuple[object, ...]:
        """Frames with equal ones are shown as one."""
        return frame.place if self.lines else frame.function

    def _own_frames(self, sample: Sample) -> Iterator[Frame]:
        """Its stack without that of its waker, to which the time does not belong; the mark between them is in."""
        for frame in self.frames_of(sample):
            yield frame
            if frame.kind == "mark" and frame.name.startswith(WOKEN_BY):
                return

    def tree(self, by: Callable[[Sample], Sequence[str]] | None = None, *, inverted: bool = False) -> Node:
        """All samples as one tree of calls.

        Args:
            by: names above a sample's stack, for instance its process and thread.
            inverted: begin at the leaves: who called what takes the time.
        """
        root = Node(Frame("all", "mark"))
        for sample in self.samples:
            frames = self.frames_of(sample)
            above = [Frame(name, "mark") for name in by(sample)] if by is not None else []
            root.add([*above, *(reversed(frames) if inverted else frames)], sample.value, lines=self.lines)
        return root


class Node:
    """A function in its place in a tree of calls: `value` with everything below, `own` without."""

    __slots__ = ("children", "frame", "own", "value")

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.value = self.own = 0
        self.children: dict[tuple[object, ...], Node] = {}

    def add(self, frames: Sequence[Frame], value: int, *, lines: bool = False) -> None:
        """Count a stack, root first, below this node; with `lines`, each line of a function has a node of its own."""
        node = self
        node.value += value
        for frame in frames:
            key = frame.place if lines else frame.function
            child = node.children.get(key)
            if child is None:
                child = node.children[key] = Node(frame)
            node = child
            node.value += value
        node.own += value

    def ranked(self) -> list[Node]:
        """Children, the one with most first."""
        return sorted(self.children.values(), key=lambda node: (-node.value, node.frame.name))

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Node]]:
        """(depth, node) of this and all below, each before its children."""
        stack = [(depth, self)]
        while stack:
            depth, node = stack.pop()
            yield depth, node
            stack.extend((depth + 1, child) for child in reversed(node.ranked()))
