"""From checked clauses to programs: which targets share one, and what surrounds the clauses in it."""

from collections.abc import Sequence

from kernscope.bundle import Bundle, MapSpec, Record
from kernscope.bundle.globals_layout import EXIT_FLAG, SCRATCH_MAP
from kernscope.catalog.builtins import find_builtin
from kernscope.catalog.functions import FUNCTIONS
from kernscope.diagnostics import CompileError, Diagnostic, Span, error, root_span
from kernscope.probes import ProgramShape, Target
from kernscope.sema import Checked, Clause
from kernscope.ssa import Builder, Cond, Module
from kernscope.syntax.ast import Call, Identifier, Node, walk
from kernscope.tables.bpf import MapType

from .helper_calls import check_helper_calls
from .memory import SCRATCH_LIMIT_BYTES, FunctionState
from .statements import RESULT, Statements
from .storage import Storage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelFacts

__all__ = ["LoweredProgram", "lower"]


class LoweredProgram:
    """A program in SSA form, and how it is loaded and attached. `place` is its (first) target in the source."""

    __slots__ = ("module", "place", "shape")

    def __init__(self, module: Module, shape: ProgramShape, place: Span) -> None:
        self.module, self.shape, self.place = module, shape, place


class _Section:
    """One clause for some of its targets, as part of a program."""

    __slots__ = ("clause", "targets")

    def __init__(self, clause: Clause, targets: list[Target]) -> None:
        self.clause, self.targets = clause, targets


class _Program(Statements):
    """Emits one program: every section after the other, each behind its check."""

    def __init__(
        self, kernel: "KernelFacts", storage: Storage, checked: Checked, name: str, scratch_map: str
    ) -> None:
        super().__init__(kernel, storage, scratch_map, checked.parameters, checked.config, checked.space)
        self.module = Module(name, kernel_features(kernel))
        self._bodies = []
        self.path_callbacks = {}

    def emit(self, sections: list[_Section], numbers: dict[str, int], *, check_exit: bool) -> None:
        """Emit the whole program."""
        self.probe_numbers = numbers
        function = self.module.new_function("main", params=1)
        b = Builder(function)
        self.context = b.param(0, pointer=True)
        kind = sections[0].targets[0].kind
        default = kind.verdicts.default if kind.verdicts is not None else 0
        self.decisions = set()
        b.write_var(RESULT, default)
        leave = b.block("leave")
        self.state = FunctionState(function, b, leave)
        if check_exit:
            running = b.block("running")
            b.branch_cmp(Cond.EQ, b.load(8, self.global_address(EXIT_FLAG)), 0, running, leave)
            b.seal(running)
            b.position(running)
        self.parts = _parts(sections) if kind.reads_parts else frozenset()
        self.event = kind.begin_program(self, leave)
        exited = False
        for section in sections:
            following = b.block("following")
            if exited and check_exit:
                running = b.block("running")
                b.branch_cmp(Cond.EQ, b.load(8, self.global_address(EXIT_FLAG)), 0, running, leave)
                b.seal(running)
                b.position(running)
            exited |= any(_ends_program(n) for n in walk(section.clause.probe))
            kind.enter_clause(self, self.event, section.targets, following)
            self.state.leave = following
            self._emit_clause(section)
            b.jump(following)
            b.seal(following)
            b.position(following)
        b.jump(leave)
        b.seal(leave)
        b.position(leave)
        if kind.on_demand:
            b.ret(b.read_var(RESULT))
        else:
            self._return_verdict(default)
        if self.scratch_size > SCRATCH_LIMIT_BYTES:
            raise CompileError([_too_much_memory(sections[0].clause, self.scratch_size)])

    def _return_verdict(self, default: int) -> None:
        """Return what was decided. The verifier wants to know that it is one of the kind's verdicts, which it does not
        of a value out of memory.
        """
        b = self.b
        if self.result_from_loop:
            result = b.read_var(RESULT)
            for value in sorted(self.decisions):
                same, other = b.block("decided"), b.block("undecided")
                b.branch_cmp(Cond.EQ, result, value, same, other)
                b.seal(same)
                b.position(same)
                b.ret(value)
                b.seal(other)
                b.position(other)
        elif self.decisions:
            b.ret(b.read_var(RESULT))
            return
        b.ret(default)

    def _emit_clause(self, section: _Section) -> None:
        self.clause, self.targets, self.known_variables = section.clause, section.targets, {}
        mark = self.mark()
        self.open_setup()
        self.place_variables()
        clause, b = self.clause, self.b
        if clause.predicate is not None:
            action = b.block("action")
            b.branch(self.truth(clause.predicate), action, self.state.leave)
            b.seal(action)
            b.position(action)
        self.block(clause.block)
        self.close_setup()
        self.release(mark)


def _parts(sections: list[_Section]) -> frozenset[object]:
    """The parts of the event that the actions of a program need."""
    found = set()
    for section in sections:
        for node in walk(section.clause.probe):
            entry = find_builtin(node.name) if isinstance(node, Identifier | Call) else None
            if entry is not None and entry.part is not None:
                found.add(entry.part)
    return frozenset(found)


def kernel_features(kernel: "KernelFacts") -> set[str]:
    """What the back end may use beyond the instruction set of Linux 5.8."""
    names = {"may_goto": "may_goto", "cpu_v4": "v4", "atomic_fetch": "atomics"}
    return {feature for name, feature in names.items() if kernel.has_feature(name)}


def lower(checked: Checked, kernel: "KernelFacts", bundle: Bundle) -> list[LoweredProgram]:
    """Emit all programs, and fill in the bundle's maps, records, names and counters."""
    storage = Storage(checked, bundle, kernel.possible_cpus)
    storage.grows = kernel.has_feature("map_grows")
    groups = _group(checked)
    numbers = _number_probes(groups, bundle)
    _find_shared(checked, groups, storage)
    if checked.maps and not kernel.has_feature("steady_syscalls"):
        # A program may even be interrupted by itself: kernels that preempt do so in probes of processes, too.
        storage.shared.update(info.name for info in checked.maps.values())
    most_keys = checked.config["max_map_keys"]
    assert isinstance(most_keys, int)
    storage.place_maps(checked.maps, bundle.probes, most_keys)
    bundle.clauses = [", ".join(p.text for p in probe.attach_points) for probe in checked.program.probes]
    exits = any(_ends_program(n) for n in walk(checked.program))
    records: list[Record] = bundle.records
    lost: dict[int, int] = {}
    lowered = []
    from_probes = False
    for i, (key, sections) in enumerate(groups.items()):
        targets = list({t.name: t for section in sections for t in section.targets}.values())
        kind = targets[0].kind
        shape = kind.shape(kernel, targets)
        scratch_map = f"{SCRATCH_MAP}{i}"
        program = _Program(kernel, storage, checked, shape.name, scratch_map)
        program.records, program.strings, program.clause_lost = records, bundle.strings, lost
        program.emit(sections, numbers[key], check_exit=exits and not kind.after_exit and not kind.on_demand)
        if kind.limited_helpers:
            check_helper_calls(program.module, shape, kernel, _place(sections))
        if program.scratch_size:
            bundle.maps.append(MapSpec(scratch_map, MapType.PERCPU_ARRAY, 4, program.scratch_size, 1))
        from_probes |= program.sends_events and not kind.seldom
        lowered.append(LoweredProgram(program.module, shape, _place(sections)))
    storage.finish(events_from_probes=from_probes)
    return lowered


def _ends_program(node: Node) -> bool:
    entry = FUNCTIONS.get(node.name) if isinstance(node, Call) else None
    return entry is not None and entry.ends_program


def _place(sections: list[_Section]) -> Span:
    return root_span(sections[0].clause.probe.attach_points[0].span)


def _group(checked: Checked) -> dict[object, list[_Section]]:
    """Sections by program, in the order of the text."""
    groups: dict[object, list[_Section]] = {}
    for clause in checked.clauses:
        parts: dict[tuple[object, object], list[Target]] = {}
        for target in clause.targets:
            key: object = target.kind.group(
                target, needs_args=clause.needs_args, needs_probe=clause.needs_probe
            )
            parts.setdefault((key, target.kind.section(target)), []).append(target)
        for (key, _), targets in parts.items():
            if not targets[0].kind.tells_targets:
                key = (key, frozenset(t.name for t in targets))
            groups.setdefault(key, []).append(_Section(clause, targets))
    return groups


def _number_probes(groups: dict[object, list[_Section]], bundle: Bundle) -> dict[object, dict[str, int]]:
    numbers: dict[object, dict[str, int]] = {}
    for key, sections in groups.items():
        targets: Sequence[Target] = list(
            {t.name: t for s in sections if s.clause.needs_probe for t in s.targets}.values()
        )
        numbers[key] = targets[0].kind.number(bundle.probes, targets) if targets else {}
    bundle.probe_count = sum(len(s.targets) for sections in groups.values() for s in sections)
    return numbers


def _find_shared(checked: Checked, groups: dict[object, list[_Section]], storage: Storage) -> None:
    """Maps that several programs write: one may interrupt another on the same CPU, so they must add atomically."""
    programs_of: dict[int, set[object]] = {}
    for key, sections in groups.items():
        for section in sections:
            programs_of.setdefault(id(section.clause), set()).add(key)
    for info in checked.maps.values():
        writers = {key for clause in info.clauses for key in programs_of.get(clause, ())}
        if len(writers) > 1:
            storage.shared.add(info.name)


def _too_much_memory(clause: Clause, size: int) -> Diagnostic:
    return error(
        "too-much-memory",
        f"this action needs {size} bytes for its strings and tuples at once; the kernel gives {SCRATCH_LIMIT_BYTES}",
        clause.probe.attach_points[0].span,
        help="read shorter strings, `str(pointer, 200)`, or set `max_strlen` in a config block",
    )
