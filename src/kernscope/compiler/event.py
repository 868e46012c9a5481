"""What code asks of the event: which one it is, what it carries. The kind of the probe knows how that is read."""

from collections.abc import Mapping, Sequence

from kernscope.catalog.base import LowerContext
from kernscope.probes import Target
from kernscope.probes.base import KnownPointer
from kernscope.ssa import Value
from kernscope.types import Type

from .access import Access

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.tables.packets import Header

__all__ = ["EventAccess"]


class EventAccess(Access):
    """Emits the reading of the event, by the kind of the targets that a program's section is for."""

    targets: Sequence[Target]
    context: Value
    event: object = None
    """What the kind's `begin_program` gave."""
    parts: frozenset[object] = frozenset()
    """What the program's actions need of the event, of kinds that read that first."""
    probe_numbers: dict[str, int]

    @property
    def lowering(self) -> LowerContext:
        """This object as entries of the catalogue see it."""
        raise NotImplementedError

    def probe_number(self) -> Value:
        return self.targets[0].kind.probe_number(self, self.event, self.targets, self.probe_numbers)

    def has_header(self, header: "Header") -> Value:
        return self.targets[0].kind.has_header(self, self.event, header)

    def packet_length(self) -> Value:
        return self.targets[0].kind.packet_length(self)

    def interface(self) -> Value:
        return self.targets[0].kind.interface(self, self.targets[0])

    def header_place(self, t: Type) -> Value:
        return self.targets[0].kind.header_place(self, self.event, str(t))

    def func_name(self) -> Value:
        demangled = bool(self.config.get("cpp_demangle", True))
        text = self.lowering.constant_text
        texts = {t.name: text(t.kind.function_name(t, demangled)) for t in self.targets}
        return self.by_target(texts)

    def by_target(self, words: Mapping[str, int]) -> Value:
        b = self.b
        if len(set(words.values())) == 1:
            return b.const(next(iter(words.values())))
        first = min(self.probe_numbers[name] for name in words)
        table = [0] * (max(self.probe_numbers[name] for name in words) - first + 1)
        for name, word in words.items():
            table[self.probe_numbers[name] - first] = word
        content = b"".join(word.to_bytes(8, "little", signed=word < 0) for word in table)
        address = b.map_value("globals", self.constant_table(content))
        index = b.sub(self.probe_number(), first)
        return b.load(8, b.ptr_add(address, b.shl(index, 3)))

    def entry_address(self) -> Value:
        return self.targets[0].kind.entry_address(self, self.event, self.targets[0])

    def load_arg(self, name: str) -> Value:
        assert self.clause.args is not None
        target = self.targets[0]
        return target.kind.load_arg(self, self.event, self.clause.args.fields[name], target)

    def known_argument(self, name: str) -> KnownPointer | None:
        assert self.clause.args is not None
        target = self.targets[0]
        return target.kind.known_pointer(self, self.event, self.clause.args.fields[name], target)

    def load_positional(self, index: int) -> Value:
        return self.targets[0].kind.load_positional(self, self.event, index, self.targets[0])

    def load_retval(self) -> Value:
        return self.targets[0].kind.load_retval(self, self.event, self.targets[0])

    def func_address(self) -> Value:
        return self.targets[0].kind.func_address(self, self.event, self.targets[0])
