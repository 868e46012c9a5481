"""The compiled result as plain data: no file descriptors, no kernel contact.

A `Bundle` says which kernel maps to create, which programs to load and where to attach them, how the
records that they send are laid out, and how the maps that the user named are stored. `kernscope.runtime`
makes it live.

A record in a ring buffer is

    u32 id        index into `Bundle.records`
    u32 length    of the fixed part, in bytes
    fixed part    one entry per leaf of the record's types, in order, each at its natural alignment:
                  integers and bools as they are, symbolic values as their 64-bit words,
                  strings of at most `INLINE_STRING_BYTES` as their bytes, ended by the first NUL,
                  longer strings and buffers as the u32 length of their bytes in the tail
    tail          those bytes, one after the other, without NUL or padding

Records of the control ring have `u64 position` between header and fixed part: the producer position of the
event ring when they were sent, so that a reader handles them in the order in which things happened.
"""

from kernscope.diagnostics import Diagnostic
from kernscope.types import Aggregate, Array, Buffer, String, Struct, Symbolic, Tuple, Type, align_up

__all__ = [
    "CONTROL_HEADER_BYTES",
    "EVENT_HEADER_BYTES",
    "INLINE_STRING_BYTES",
    "Attach",
    "Bundle",
    "Counter",
    "MapSpec",
    "ProgramSpec",
    "Record",
    "RecordLayout",
    "Relocation",
    "UserMap",
    "in_tail",
]

INLINE_STRING_BYTES = 64
"""Up to here a string travels as a fixed field: cheaper for the kernel than measuring its length."""

EVENT_HEADER_BYTES = 8
CONTROL_HEADER_BYTES = 16


class MapSpec:
    """A kernel map. `type` and `flags` are the numbers of `kernscope.tables.bpf`; sizes in bytes.

    `initial` is the first value of an array with one entry, padded with zeros to `value_size`. Programs refer to it
    by `name`; `inner` is reserved for maps of maps.
    """

    __slots__ = ("flags", "initial", "key_size", "max_entries", "name", "type", "value_size")

    def __init__(
        self,
        name: str,
        type: int,
        key_size: int,
        value_size: int,
        max_entries: int,
        *,
        flags: int = 0,
        initial: bytes = b"",
    ) -> None:
        self.name, self.type, self.key_size, self.value_size = name, type, key_size, value_size
        self.max_entries, self.flags, self.initial = max_entries, flags, initial

    def __repr__(self) -> str:
        return (
            f"MapSpec({self.name!r}, type={self.type}, key={self.key_size}, value={self.value_size}, "
            f"entries={self.max_entries}, flags={self.flags:#x})"
        )


class Relocation:
    """Instruction `slot` (in 8-byte units) refers to something by `name`.

    `kind` is `map_fd` or `map_value` (with `addend`, an offset into the value), which the loader patches, or `kfunc`,
    a function of the kernel, whose BTF id (`addend`) is in the code already.
    """

    __slots__ = ("addend", "kind", "name", "slot")

    def __init__(self, slot: int, kind: str, name: str, addend: int = 0) -> None:
        self.slot, self.kind, self.name, self.addend = slot, kind, name, addend

    def __repr__(self) -> str:
        return f"Relocation({self.slot}, {self.kind!r}, {self.name!r}, {self.addend})"


class Attach:
    """Where a program goes: `kind` names an entry of `kernscope.probes`, `target` is that kind's own data.

    `probe` is the name a user knows it by, for messages. `function`, if not empty, is the kernel's function that the
    program must be loaded for, once for each such target (`vmlinux:vfs_read`). `named`: the user gave its name, and not
    only a pattern that it matches, so that it must not be missing.
    """

    __slots__ = ("function", "kind", "named", "probe", "target")

    def __init__(
        self,
        kind: str,
        probe: str,
        target: tuple[object, ...] = (),
        *,
        function: str = "",
        named: bool = True,
    ) -> None:
        self.kind, self.probe, self.target = kind, probe, target
        self.function, self.named = function, named

    def __repr__(self) -> str:
        return f"Attach({self.kind!r}, {self.probe!r}, {self.target!r})"


class ProgramSpec:
    """One BPF program: encoded instructions, relocations, attachments and its source lines.

    `type` and `expected_attach_type` are the numbers of `kernscope.tables.bpf`; `attach_btf` names the kernel type
    whose BTF id the load needs (`btf_trace_sys_enter`), or is None. `lines` maps an instruction slot to the
    `(start, end)` offsets in the source that it came from, in ascending order of slots. `functions` has the name,
    the first slot and the number of parameters of each function; where there are several, the kernel wants BTF
    that describes them.
    """

    __slots__ = (
        "attach",
        "attach_btf",
        "code",
        "expected_attach_type",
        "functions",
        "lines",
        "name",
        "relocations",
        "type",
    )

    def __init__(
        self,
        name: str,
        type: int,
        code: bytes,
        relocations: tuple[Relocation, ...],
        attach: tuple[Attach, ...],
        *,
        expected_attach_type: int = 0,
        attach_btf: str | None = None,
        lines: tuple[tuple[int, int, int], ...] = (),
        functions: tuple[tuple[str, int, int], ...] = (),
    ) -> None:
        self.name, self.type, self.code, self.relocations, self.attach = name, type, code, relocations, attach
        self.functions = functions
        self.expected_attach_type, self.attach_btf, self.lines = expected_attach_type, attach_btf, lines


def in_tail(t: Type) -> bool:
    """Whether a leaf of this type has its bytes in the record's tail and only their length in the fixed part."""
    return isinstance(t, Buffer) or (isinstance(t, String) and t.size > INLINE_STRING_BYTES)


class RecordLayout:
    """Where the leaves of some values lie in a record's fixed part. Both sides derive it from the types alone.

    `leaves` has one `(offset, type)` per leaf, the offset counted from the start of the fixed part; `size` is
    the fixed part's size, a multiple of 8, so that the tail starts aligned.
    """

    __slots__ = ("leaves", "size")

    def __init__(self, types: tuple[Type, ...]) -> None:
        self.leaves: list[tuple[int, Type]] = []
        end = 0
        stack = list(reversed(types))
        while stack:
            t = stack.pop()
            if isinstance(t, Tuple):
                stack.extend(reversed(t.elements))
                continue
            if isinstance(t, Aggregate):
                raise TypeError(f"{t} cannot be sent in a record")
            size = 4 if in_tail(t) else t.size
            align = 8 if isinstance(t, Symbolic | Struct | Array) else 4 if in_tail(t) else t.align
            end = align_up(end, align)
            self.leaves.append((end, t))
            end += size
        self.size = align_up(end, 8)


class Record:
    """What one kind of record means: `action` names an entry of `kernscope.output.actions`.

    `types` are the types of its values; `text` the action's constant text (printf's format, time's format,
    a map's name); `values` further constants. `probe` is the index of the clause that sends it (for the
    count of lost records), `span` the `(start, end)` of its source.
    """

    __slots__ = ("action", "clause", "id", "span", "text", "types", "values")

    def __init__(
        self,
        id: int,
        action: str,
        types: tuple[Type, ...],
        *,
        text: str = "",
        values: tuple[object, ...] = (),
        clause: int = 0,
        span: tuple[int, int] = (0, 0),
    ) -> None:
        self.id, self.action, self.types, self.text = id, action, types, text
        self.values, self.clause, self.span = values, clause, span

    @property
    def layout(self) -> RecordLayout:
        return RecordLayout(self.types)


class UserMap:
    """A map that the program's author named, and how it is stored.

    `key` is None for a scalar; several keys are a `Tuple`. `value` is an `Aggregate` or another type.
    `storage` is

    - `hash`: kernel map `kernel_map`, one value per key;
    - `percpu_hash`: the same, one aggregation cell per CPU;
    - `cells`: an area of the memory-mapped array `kernel_map`: for each CPU (`stride` bytes apart) `count`
      cells of `value.size` bytes from `offset` on; `domain` says which key index i stands for: `domain[i]` is
      the key's value as Python sees it (a probe's name, a number), or None where i is unused;
      a scalar has one cell and domain `(None,)`. Keys outside the domain, where there can be any, are in the
      kernel map `overflow`, stored as in `percpu_hash`;
    - `global`: one value in the memory-mapped array `kernel_map` at `offset`, followed at `offset + value size rounded
      up to 8` by a u64 that is 1 once it has been assigned.
    """

    __slots__ = (
        "count",
        "domain",
        "kernel_map",
        "key",
        "name",
        "offset",
        "overflow",
        "storage",
        "stride",
        "value",
    )

    def __init__(
        self,
        name: str,
        key: Type | None,
        value: Type,
        storage: str,
        kernel_map: str,
        *,
        offset: int = 0,
        stride: int = 0,
        count: int = 1,
        domain: tuple[object, ...] = (None,),
        overflow: str = "",
    ) -> None:
        self.name, self.key, self.value = name, key, value
        self.storage, self.kernel_map = storage, kernel_map
        self.offset, self.stride, self.count, self.domain = offset, stride, count, domain
        self.overflow = overflow


class Counter:
    """A u64 of the `globals` map at `offset` that programs add to when something went wrong.

    `kind` is `lost` (event records of clause `clause`), `control_lost`, `map_full` (`name` is the map),
    `error` (`text` says what), `verdict` (`text` in the probes `name`). `span` is the `(start, end)` of the source.
    """

    __slots__ = ("clause", "kind", "name", "offset", "span", "text")

    def __init__(
        self,
        kind: str,
        offset: int,
        *,
        name: str = "",
        text: str = "",
        clause: int = 0,
        span: tuple[int, int] = (0, 0),
    ) -> None:
        self.kind, self.offset, self.name, self.text, self.clause, self.span = (
            kind,
            offset,
            name,
            text,
            clause,
            span,
        )


class Bundle:
    """A compiled program. `maps` and `user_maps` are in the order of first use.

    `probes` are all probe names, indexed by the symbolic type `probe`; `clauses` are the texts of the program's
    attach-point lists, indexed by `Record.clause`. `strings` are constants that records refer to by index.
    The map named `globals` (see `kernscope.bundle.globals_layout`) holds the flags and counters shared with user
    space; `counters` says which counts of losses and errors it has and what they mean.
    `probe_count` is how many probes the targets matched (what `Attached N probes` tells).
    `config` holds the run-time settings that the program chose. `warnings` are what the compiler found odd.
    `machine` says what it was compiled for (see `kernscope.kernel.fingerprint`); empty where nobody noted it.
    """

    __slots__ = (
        "clauses",
        "config",
        "counters",
        "machine",
        "maps",
        "probe_count",
        "probes",
        "programs",
        "records",
        "source_name",
        "source_text",
        "strings",
        "user_maps",
        "warnings",
    )

    def __init__(self, source_name: str = "", source_text: str = "") -> None:
        self.source_name, self.source_text = source_name, source_text
        self.maps: list[MapSpec] = []
        self.programs: list[ProgramSpec] = []
        self.records: list[Record] = []
        self.user_maps: list[UserMap] = []
        self.probes: list[str] = []
        self.clauses: list[str] = []
        self.strings: list[str] = []
        self.config: dict[str, object] = {}
        self.counters: list[Counter] = []
        self.warnings: list[Diagnostic] = []
        self.machine: dict[str, object] = {}
        self.probe_count = 0

    @property
    def has_verdicts(self) -> bool:
        """Whether its programs decide what the kernel does with events."""
        return any(counter.kind == "verdict" for counter in self.counters)
