"""Sending records (their layout is described in `kernscope.bundle`).

A record of fixed size is written straight into the ring buffer. One with long strings is put together in the
scratch area and copied with its real length, because a reservation's size must be a constant.
"""

from collections.abc import Sequence

from kernscope.bundle import CONTROL_HEADER_BYTES, EVENT_HEADER_BYTES, Record, RecordLayout, in_tail
from kernscope.bundle.globals_layout import CONTROL_MAP, EVENTS_MAP
from kernscope.catalog.base import StringSource
from kernscope.catalog.functions import FUNCTIONS
from kernscope.diagnostics import Span, root_span
from kernscope.sema.rules import is_scalar
from kernscope.ssa import Cond, Value
from kernscope.syntax.ast import Call, Expr, Identifier, MapRef, StringLiteral, TupleExpr
from kernscope.tables.helpers import HELPER_IDS
from kernscope.types import INT64, Buffer, String, Tuple, Type, align_up, stored_leaves, without_targets

from .maps import MapAccess

__all__ = ["RecordSender"]

_PRODUCER_POSITION = 3
"""BPF_RB_PROD_POS, a flag of bpf_ringbuf_query()."""

Part = Value | StringSource | Identifier | bytes
"""What goes into one leaf: a scalar, the address of a stored value, a string to be read, a built-in that writes
itself, or constant bytes."""


class RecordSender(MapAccess):
    """Emits the sending of records."""

    records: list[Record]
    strings: list[str]
    clause_lost: dict[int, int]
    sends_events = False

    def constant_text(self, text: str) -> int:
        """The index of a constant text in `Bundle.strings`."""
        if text not in self.strings:
            self.strings.append(text)
        return self.strings.index(text)

    def record(
        self,
        action: str,
        types: Sequence[Type],
        *,
        text: str = "",
        values: tuple[object, ...] = (),
        span: Span | None = None,
    ) -> Record:
        """A new kind of record."""
        span = root_span(span) if span is not None else None
        record = Record(
            len(self.records),
            action,
            tuple(without_targets(t) for t in types),
            text=text,
            values=values,
            clause=self.clause.index,
            span=(span.start, span.end) if span is not None else (0, 0),
        )
        self.records.append(record)
        return record

    # --- leaves --------------------------------------------------------------------------------------------

    def _parts(self, expr: Expr | Value | StringSource, t: Type) -> list[tuple[Type, Part]]:
        """The leaves of one value, each evaluated as far as that is possible before the record exists."""
        if isinstance(expr, Value | StringSource):
            return [(t, expr)]
        if isinstance(expr, TupleExpr) and isinstance(t, Tuple):
            return [part for element, u in zip(expr.elements, t.elements) for part in self._parts(element, u)]
        if isinstance(t, Tuple):
            base = self.value(expr)
            return [
                (u, self.load(base, u, offset) if is_scalar(u) else self.b.ptr_add(base, offset))
                for offset, u in stored_leaves(t)
            ]
        if isinstance(expr, StringLiteral):
            return [(t, expr.value.encode("utf-8", "surrogateescape").split(b"\0", 1)[0])]
        if isinstance(expr, Identifier) and isinstance(t, String) and not in_tail(t):
            return [(t, expr)]
        if isinstance(expr, Call) and isinstance(t, String) and in_tail(t):
            entry = FUNCTIONS.get(expr.name)
            source = entry.string_source(self.lowering, expr) if entry is not None else None
            if source is not None:
                return [(t, source)]
        return [(t, self.value(expr))]

    def _store_fixed(self, base: Value, offset: int, t: Type, part: Part) -> None:
        """Write one leaf of the fixed part."""
        if isinstance(part, bytes):
            self.store_bytes(base, part + bytes(t.size - len(part)), offset)
        elif isinstance(part, Identifier):
            destination = self.b.ptr_add(base, offset)
            if not self.builtin_into(part, destination, t):
                self.copy(destination, self.value(part), t.size)
        elif isinstance(part, StringSource):
            destination = self.b.ptr_add(base, offset)
            self.clear(destination, t.size)
            self.read_string(part.address, part.space, destination, part.size)
        elif is_scalar(t):
            self.b.store(t.size, base, part, offset)
        else:
            self.copy(self.b.ptr_add(base, offset), part, t.size)

    # --- events --------------------------------------------------------------------------------------------

    def send(self, record: Record, values: "Sequence[Expr | Value | StringSource]") -> None:
        """Send an event record."""
        self.sends_events = True
        parts = [part for value, t in zip(values, record.types) for part in self._parts(value, t)]
        layout = record.layout
        header = record.id | layout.size << 32
        if any(in_tail(t) for t, _ in parts):
            self._send_with_tail(EVENTS_MAP, header, EVENT_HEADER_BYTES, layout, parts, self._lost_counter())
        else:
            self._send_fixed(EVENTS_MAP, header, EVENT_HEADER_BYTES, layout, parts, self._lost_counter())

    def _lost_counter(self) -> int:
        index = self.clause.index
        if index not in self.clause_lost:
            self.clause_lost[index] = self.storage.counter("lost", clause=index).offset
        return self.clause_lost[index]

    def _event_position(self) -> Value:
        """How far the event ring has been filled: what a control record says about its time."""
        return self.b.call(HELPER_IDS["ringbuf_query"], self.b.map_fd(EVENTS_MAP), _PRODUCER_POSITION)

    def _send_fixed(
        self,
        ring: str,
        header: int,
        header_bytes: int,
        layout: RecordLayout,
        parts: list[tuple[Type, Part]],
        lost: int,
    ) -> None:
        b = self.b
        position = None
        if header_bytes == CONTROL_HEADER_BYTES:
            position = self._event_position()
        size = header_bytes + layout.size
        record = b.call(HELPER_IDS["ringbuf_reserve"], b.map_fd(ring), size, 0, pointer=True)
        room, full, done = b.block("room"), b.block("lost", likely=False), b.block("sent")
        b.branch_cmp(Cond.NE, record, 0, room, full)
        b.seal(room)
        b.position(room)
        b.store(8, record, header)
        if position is not None:
            b.store(8, record, position, EVENT_HEADER_BYTES)
        for (offset, t), (_, part) in zip(layout.leaves, parts):
            self._store_fixed(record, header_bytes + offset, t, part)
        b.call(HELPER_IDS["ringbuf_submit"], record, 0)
        b.jump(done)
        b.seal(full)
        b.position(full)
        self.count(lost)
        b.jump(done)
        b.seal(done)
        b.position(done)

    def _send_with_tail(
        self,
        ring: str,
        header: int,
        header_bytes: int,
        layout: RecordLayout,
        parts: list[tuple[Type, Part]],
        lost: int,
    ) -> None:
        b = self.b
        fixed = header_bytes + layout.size
        room = sum(_tail_bytes(t) for t, _ in parts if in_tail(t))
        record = self.scratch(fixed + align_up(room, 8))
        b.store(8, record, header)
        if header_bytes == CONTROL_HEADER_BYTES:
            b.store(8, record, self._event_position(), EVENT_HEADER_BYTES)
        for (offset, t), (_, part) in zip(layout.leaves, parts):
            if not in_tail(t):
                self._store_fixed(record, header_bytes + offset, t, part)
        end: Value = b.const(fixed)
        for (offset, t), (_, part) in zip(layout.leaves, parts):
            if in_tail(t):
                length = self._append(b.ptr_add(record, end), t, part)
                b.store(4, record, length, header_bytes + offset)
                end = b.add(end, length)
        status = b.call(HELPER_IDS["ringbuf_output"], b.map_fd(ring), record, end, 0)
        full, done = b.block("lost", likely=False), b.block("sent")
        b.branch_cmp(Cond.EQ, status, 0, done, full)
        b.seal(full)
        b.position(full)
        self.count(lost)
        b.jump(done)
        b.seal(done)
        b.position(done)

    def _append(self, destination: Value, t: Type, part: Part) -> Value:
        """Write a leaf into the tail; returns its length, bounded for the verifier."""
        b = self.b
        if isinstance(part, bytes):
            content = part[: t.size - 1]
            if content:
                source = self.global_address(self.storage.constant(content))
                b.call(HELPER_IDS["probe_read_kernel"], destination, len(content), source)
            return b.const(len(content))
        if isinstance(t, Buffer):
            assert isinstance(part, Value)
            length = b.load(4, part)
            bounded = b.select(b.cmp(Cond.ULE, length, t.capacity), length, t.capacity)
            if t.capacity:
                b.call(HELPER_IDS["probe_read_kernel"], destination, bounded, b.ptr_add(part, 4))
            return bounded
        if isinstance(part, StringSource):
            got = self.read_string(part.address, part.space, destination, part.size)
        else:
            assert isinstance(part, Value)
            got = self.read_string(part, "kernel", destination, t.size)
        return b.sub(got, b.cmp(Cond.NE, got, 0))

    # --- control -------------------------------------------------------------------------------------------

    def send_control(self, record: Record, values: "Sequence[Expr | Value | StringSource]") -> None:
        """Send a record of the control ring."""
        self._send_parts(
            record, [part for value, t in zip(values, record.types) for part in self._parts(value, t)]
        )

    def map_key(self, ref: MapRef) -> Type:
        """The type of a map's keys."""
        key = self.user_map(ref).key
        assert key is not None
        return key

    def send_map_key(self, record: Record, ref: MapRef) -> None:
        """Send a record of the control ring whose value is the key of a map's entry."""
        base = self.key_address(ref, self.user_map(ref))
        parts: list[tuple[Type, Part]] = [
            (t, self.load(base, t, offset) if is_scalar(t) else self.b.ptr_add(base, offset))
            for offset, t in stored_leaves(self.map_key(ref))
        ]
        self._send_parts(record, parts)

    def _send_parts(self, record: Record, parts: list[tuple[Type, Part]]) -> None:
        layout = record.layout
        header = record.id | layout.size << 32
        lost = self.storage.control_lost()
        send = self._send_with_tail if any(in_tail(t) for t, _ in parts) else self._send_fixed
        send(CONTROL_MAP, header, CONTROL_HEADER_BYTES, layout, parts, lost)

    def after_read(self, helper: str, status: Value) -> None:
        if not self.config.get("warn_reads"):
            return
        b = self.b
        failed, done = b.block("read_failed", likely=False), b.block("read")
        b.branch_cmp(Cond.SLT, status, 0, failed, done)
        b.seal(failed)
        b.position(failed)
        space = "user" if "user" in helper else "kernel"
        span = b.tag if isinstance(b.tag, Span) else None
        text = f"{space} memory could not be read"
        self.send_control(self.record("error", (INT64,), text=text, values=(helper,), span=span), (status,))
        b.jump(done)
        b.seal(done)
        b.position(done)

    def after_miss(self, node: MapRef) -> None:
        if self.config.get("warn_reads"):
            text = f"`@{node.name}` has no entry with this key"
            record = self.record("error", (), text=text, values=("map_lookup_elem",), span=node.span)
            self.send_control(record, ())

    def run_time_error(self, text: str, node: object) -> None:
        """Report something that went wrong while the program ran."""
        span = node.span if isinstance(node, Expr) else None
        self.send_control(self.record("error", (), text=text, span=span), ())


def _tail_bytes(t: Type) -> int:
    """Room in the scratch area for a leaf of the tail."""
    return t.capacity if isinstance(t, Buffer) else t.size
