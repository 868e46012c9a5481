"""What a program of `program_tree` does, by direct evaluation with Python's numbers: the third oracle.

Written from the description of the language; shares no code with the compiler or the printers.
"""

from dataclasses import dataclass, field
from typing import Any

from program_tree import (
    BOOL,
    CALL_NUMBERS,
    I64,
    PATH,
    PROBE,
    STR,
    U64,
    Clause,
    Map,
    Node,
    Program,
    SystemCall,
    Type,
    Var,
    compare,
    is_int,
    meet,
    stored,
    wrap,
)

__all__ = ["Discard", "Expected", "Facts", "Result", "evaluate"]

_MOST_STEPS = 5_000


class Discard(Exception):
    """The program does something whose result is left open (a map is full), or takes too long."""


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class _Leave(Exception):
    """The end of the clause: return or exit."""


@dataclass
class Facts:
    """What the built-ins say."""

    pid: int
    tid: int
    uid: int
    gid: int
    comm: bytes


@dataclass
class Result:
    """What a run shows: text printed, exit code, divisions by zero, and maps by name.

    Map values are integers, booleans, bytes, tuples; of `stats` `(count, average, total)`, of histograms
    `{lower end: count}` with None before the first bucket.
    """

    text: bytes = b""
    exit_code: int = 0
    errors: list[str] = field(default_factory=list)
    maps: dict[str, dict[Any, Any]] = field(default_factory=dict)


Expected = Result


def evaluate(program: Program, facts: Facts, maps: list[Map], max_keys: int) -> Expected:
    """Run a program on one event of each clause, and on its list of raw tracepoint events.

    Raises Discard where the language leaves open what happens.
    """
    return _Run(program, facts, maps, max_keys).run()


class _Run:
    def __init__(self, program: Program, facts: Facts, maps: list[Map], max_keys: int) -> None:
        self.program, self.facts, self.max_keys = program, facts, max_keys
        self.maps: dict[Map, dict[Any, Any]] = {map: {} for map in maps}
        self.vars: dict[Var, Any] = {}
        self.queue: list[tuple[str, Any]] = []
        self.errors = 0
        self.exit_code = 0
        self.exited = False
        self.steps = 0
        self.probe = ""
        self.context: tuple[int, ...] = ()
        self.members: dict[str, Any] = {}

    # --- events ----------------------------------------------------------------------------------------------

    def run(self) -> Expected:
        self._fire("begin")
        if not self.exited:
            for context in self.program.contexts:
                self._fire("rawtracepoint:", context)
            for call in self.program.calls:
                self._call(call)
            for _ in range(self.program.signals):
                self._fire("self:signal:")
        self._fire("end")
        text = b"".join(self._show(what, value) for what, value in self.queue)
        final = {f"@{map.name}": self._final(map) for map in self.maps}
        return Result(text, self.exit_code, ["division by zero"] * self.errors, final)

    def _fire(self, kind: str, context: tuple[int, ...] = ()) -> None:
        """All clauses of one event; after exit() only those of `end` run."""
        for clause in self.program.clauses:
            if clause.probe.startswith(kind) and not (self.exited and kind != "end"):
                self.probe, self.context = clause.probe, context
                self._clause(clause)

    def _call(self, call: SystemCall) -> None:
        """The entry and the exit of a system call, for the clauses that name it, in their order."""
        a = [*call.arguments, 0, 0, 0, 0]
        members = {
            "openat": {"args.dfd": a[0], "str(args.filename)": PATH, "args.flags": a[2], "args.mode": a[3]},
            "read": {"args.fd": a[0], "args.count": a[2]},
        }.get(call.name, {})
        after = {"args.ret": call.result, "args.id": CALL_NUMBERS[call.name]}
        for side, self.members in (("enter", members), ("exit", after)):
            names = {
                f"tracepoint:syscalls:sys_{side}_{call.name}": f"tracepoint:syscalls:sys_{side}_{call.name}",
                f"tracepoint:syscalls:sys_{side}_*": f"tracepoint:syscalls:sys_{side}_{call.name}",
                f"tracepoint:raw_syscalls:sys_{side}": f"tracepoint:raw_syscalls:sys_{side}",
            }
            for clause in self.program.clauses:
                if clause.probe in names and not self.exited:
                    self.probe = names[clause.probe]
                    self._clause(clause)

    def _clause(self, clause: Clause) -> None:
        try:
            if clause.predicate is None or self.value(clause.predicate):
                self.statements(clause.body.kids)
        except _Leave:
            pass

    # --- output ----------------------------------------------------------------------------------------------

    def _show(self, what: str, value: Any) -> bytes:
        if what == "text":
            return value  # type: ignore[no-any-return]
        content = self.maps[value]
        if what == "clear":
            content.clear()
        elif what == "zero":
            for key in content:
                content[key] = [] if value.agg else zero_of(value.value)
        else:
            return self._map_text(value)
        return b""

    def _map_text(self, map: Map) -> bytes:
        final = self._final(map)
        name = f"@{map.name}".encode()
        if map.keys is None:
            value = final[None] if final else (summary(map, []) if map.agg else zero_of(map.value))
            return name + b": " + _map_value_text(map, value) + b"\n"
        items = list(final.items())
        if map.agg or is_int(map.value):
            items.sort(key=lambda item: (item[1][1] if map.agg == "stats" else item[1], item[0]))
        else:
            items.sort(key=lambda item: item[0])
        lines = [
            name + b"[" + _key_text(map, key) + b"]: " + _map_value_text(map, v) + b"\n" for key, v in items
        ]
        return b"".join(lines)

    def _final(self, map: Map) -> dict[Any, Any]:
        content = self.maps[map]
        return {key: summary(map, value) for key, value in content.items()} if map.agg else dict(content)

    # --- statements ------------------------------------------------------------------------------------------

    def statements(self, nodes: list[Node]) -> None:
        for node in nodes:
            self.count_step()
            getattr(self, f"do_{node.kind}")(node)

    def count_step(self) -> None:
        self.steps += 1
        if self.steps > _MOST_STEPS:
            raise Discard("too long")

    def do_assign(self, node: Node) -> None:
        op, var = node.data
        if op:
            target = Node("var", [], var, var.type)
            old = self.vars[var]
            value = self.operate(op, old, self.value(node.kids[0]), target, node.kids[0])
        else:
            value = self.value(node.kids[0])
        self.vars[var] = convert(value, var.type)

    def do_let(self, node: Node) -> None:
        var = node.data
        self.vars[var] = convert(self.value(node.kids[0]), var.type) if node.kids else zero_of(var.type)

    def key_of(self, map: Map, nodes: list[Node]) -> Any:
        """The key, evaluated; None of a map without keys."""
        if map.keys is None:
            return None
        values = tuple(convert(self.value(kid), t) for kid, t in zip(nodes, map.keys))
        return values if len(values) > 1 else values[0]

    def put(self, map: Map, key: Any, value: Any) -> None:
        content = self.maps[map]
        content[key] = value
        if len(content) > self.max_keys:
            raise Discard("full")

    def do_mapassign(self, node: Node) -> None:
        op, map = node.data
        value = self.value(node.kids[-1])
        key = self.key_of(map, node.kids[:-1])
        if op:
            old = self.maps[map].get(key, zero_of(map.value))
            value = self.operate(op, old, value, Node("map", [], map, map.value), node.kids[-1])
        self.put(map, key, convert(value, map.value))

    def do_aggregate(self, node: Node) -> None:
        map = node.data
        keys = node.kids
        value = 0
        if map.agg != "count":
            keys = node.kids[:-1]
            value = self.value(node.kids[-1])
        key = self.key_of(map, keys)
        self.put(map, key, [*self.maps[map].get(key, []), value])

    def do_expr(self, node: Node) -> None:
        self.value(node.kids[0])

    def do_print(self, node: Node) -> None:
        kid = node.kids[0]
        if kid.kind == "map" and kid.data.keys is None:  # the map, as it is when the text is printed
            self.queue.append(("map", kid.data))
            return
        self.queue.append(("text", show(self.value(kid), kid.type) + b"\n"))

    def do_printmap(self, node: Node) -> None:
        self.queue.append(("map", node.data))

    def do_clear(self, node: Node) -> None:
        self.queue.append(("clear", node.data))

    def do_zero(self, node: Node) -> None:
        self.queue.append(("zero", node.data))

    def do_printf(self, node: Node) -> None:
        self.queue.append(("text", format_c(node.data, [(self.value(kid), kid.type) for kid in node.kids])))

    def do_if(self, node: Node) -> None:
        if self.value(node.kids[0]):
            self.statements(node.kids[1].kids)
        elif len(node.kids) > 2:
            self.statements(node.kids[2].kids)

    def body(self, block: Node) -> bool:
        """One round of a loop; False after a break."""
        self.count_step()
        try:
            self.statements(block.kids)
        except _Continue:
            pass
        except _Break:
            return False
        return True

    def do_while(self, node: Node) -> None:
        while self.value(node.kids[0]):
            if not self.body(node.kids[1]):
                break

    def do_unroll(self, node: Node) -> None:
        for _ in range(node.data):
            if not self.body(node.kids[0]):
                break

    def do_for(self, node: Node) -> None:
        start, end = self.value(node.kids[0]), self.value(node.kids[1])
        for i in range(start, end):
            self.vars[node.data] = i
            if not self.body(node.kids[2]):
                break

    def do_foreach(self, node: Node) -> None:
        var, map = node.data
        for key in list(self.maps[map]):
            if key not in self.maps[map]:
                continue
            value = self.maps[map][key]
            self.vars[var] = (key, summary(map, value) if map.agg else value)
            if not self.body(node.kids[0]):
                break

    def do_break(self, node: Node) -> None:
        raise _Break

    def do_continue(self, node: Node) -> None:
        raise _Continue

    def do_return(self, node: Node) -> None:
        raise _Leave

    def do_exit(self, node: Node) -> None:
        self.exit_code = wrap(self.value(node.kids[0]), I64)
        self.exited = True
        raise _Leave

    def do_block(self, node: Node) -> None:
        self.statements(node.kids)

    # --- expressions -----------------------------------------------------------------------------------------

    def value(self, node: Node) -> Any:
        if node.const is not None:
            return bool(node.const) if node.type == BOOL else node.const
        return getattr(self, f"ev_{node.kind}")(node)

    def ev_strlit(self, node: Node) -> bytes:
        return node.data  # type: ignore[no-any-return]

    def ev_strparam(self, node: Node) -> bytes:
        return node.data[1]  # type: ignore[no-any-return]

    def ev_builtin(self, node: Node) -> Any:
        if node.data == "probe":
            return self.probe.encode()
        if node.data in self.members:
            value = self.members[node.data]
            return wrap(value, node.type) if is_int(node.type) else value
        if node.data.startswith("arg"):
            return self.context[int(node.data[3:])]
        return getattr(self.facts, node.data)

    def ev_shape(self, node: Node) -> bool:
        return True

    def ev_un(self, node: Node) -> Any:
        x = self.value(node.kids[0])
        if node.data == "!":
            return not x
        return wrap(-x if node.data == "-" else ~x, node.type)

    def ev_bin(self, node: Node) -> int:
        left, right = node.kids
        x, y = self.value(left), self.value(right)
        return wrap(self.operate(node.data, x, y, left, right), node.type)

    def operate(self, op: str, x: int, y: int, left: Node, right: Node) -> int:
        x, y = int(x), int(y)
        if op in ("<<", ">>"):
            # Shifts are by the low six bits of the amount, as the processor does it.
            return x << (y & 63) if op == "<<" else x >> (y & 63)
        t = meet(left, right)
        x, y = wrap(x, t), wrap(y, t)
        if op in ("/", "%"):
            if y == 0:
                self.errors += 1
                return 1
            quotient = abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
            return quotient if op == "/" else x - quotient * y
        return {"+": x + y, "-": x - y, "*": x * y, "&": x & y, "|": x | y, "^": x ^ y}[op]

    def ev_cmp(self, node: Node) -> bool:
        left, right = node.kids
        t = meet(left, right)
        x, y = wrap(int(self.value(left)), t), wrap(int(self.value(right)), t)
        return compare(node.data, x, y)

    def ev_strcmp(self, node: Node) -> bool:
        x, y = self.value(node.kids[0]), self.value(node.kids[1])
        return (x == y) == (node.data == "==")

    def ev_logic(self, node: Node) -> bool:
        left = self.value(node.kids[0])
        if node.data == "&&":
            return bool(left and self.value(node.kids[1]))
        return bool(left or self.value(node.kids[1]))

    def ev_ternary(self, node: Node) -> Any:
        return convert(self.value(node.kids[1 if self.value(node.kids[0]) else 2]), node.type)

    ev_ifexpr = ev_ternary

    def ev_cast(self, node: Node) -> Any:
        return convert(self.value(node.kids[0]), node.type)

    def ev_tuple(self, node: Node) -> Any:
        return tuple([self.value(kid) for kid in node.kids])

    def ev_element(self, node: Node) -> Any:
        return self.value(node.kids[0])[node.data]

    def ev_blockexpr(self, node: Node) -> Any:
        self.statements(node.kids[:-1])
        return self.value(node.kids[-1])

    def ev_var(self, node: Node) -> Any:
        return self.vars[node.data]

    def ev_map(self, node: Node) -> Any:
        map = node.data
        key = self.key_of(map, node.kids)
        if map.agg:
            return summary(map, self.maps[map].get(key, []))
        return self.maps[map].get(key, zero_of(map.value))

    def ev_varstep(self, node: Node) -> Any:
        (place, op), var = node.data
        old = self.vars[var]
        self.vars[var] = wrap(old + (1 if op == "++" else -1), var.type)
        return self.vars[var] if place == "pre" else old

    def ev_mapstep(self, node: Node) -> Any:
        (place, op), map = node.data
        key = self.key_of(map, node.kids)
        old = self.maps[map].get(key, 0)
        new = wrap(old + (1 if op == "++" else -1), map.value)
        self.put(map, key, new)
        return new if place == "pre" else old

    def ev_has_key(self, node: Node) -> bool:
        return self.key_of(node.data, node.kids) in self.maps[node.data]

    def ev_delete(self, node: Node) -> bool:
        key = self.key_of(node.data, node.kids)
        return self.maps[node.data].pop(key, None) is not None

    def ev_len(self, node: Node) -> int:
        return len(self.maps[node.data])

    def ev_strlen(self, node: Node) -> int:
        return len(self.value(node.kids[0]))

    def ev_strstr(self, node: Node) -> int:
        hay, needle = self.value(node.kids[0]), self.value(node.kids[1])
        return int(hay.find(needle))

    def ev_strcontains(self, node: Node) -> bool:
        hay, needle = self.value(node.kids[0]), self.value(node.kids[1])
        return needle in hay

    def ev_strncmp(self, node: Node) -> int:
        left, right = self.value(node.kids[0]), self.value(node.kids[1])
        return int(left[: node.data] != right[: node.data])

    def ev_bswap(self, node: Node) -> int:
        size = node.type[1] // 8
        value = wrap(int(self.value(node.kids[0])), node.type)
        return int.from_bytes(value.to_bytes(size, "little"), "big")

    def ev_cut(self, node: Node) -> bytes:
        # A length counts the NUL, but not of a text that is known.
        text, room = node.kids[0], node.data - (node.kids[0].kind != "strlit")
        return self.value(text)[:room]  # type: ignore[no-any-return]


# --- values ----------------------------------------------------------------------------------------------------


def zero_of(t: Type) -> Any:
    if is_int(t):
        return 0
    if t == BOOL:
        return False
    return b"" if t in (STR, PROBE) else tuple(zero_of(part) for part in t[1])


def convert(value: Any, t: Type) -> Any:
    """A value as another type holds it."""
    if is_int(t):
        return wrap(int(value), t)
    if t == BOOL:
        return bool(value)
    return value if t in (STR, PROBE) else tuple(convert(part, u) for part, u in zip(value, t[1]))


def summary(map: Map, values: list[int]) -> Any:
    """What an aggregation makes of the values that it got."""
    t = I64 if map.signed else U64
    total = wrap(sum(values), t)
    average = abs(total) // len(values) * (-1 if total < 0 else 1) if values else 0
    match map.agg:
        case "count":
            return len(values)
        case "sum":
            return total
        case "avg":
            return average
        case "min" | "max":
            return (min if map.agg == "min" else max)([wrap(v, t) for v in values], default=0)
        case "stats":
            return (len(values), average, total)
        case _:
            ends = [(_log_end if map.agg == "hist" else _linear_end)(wrap(v, t), map.params) for v in values]
            return {end: ends.count(end) for end in ends}


def _log_end(value: int, params: tuple[int, ...]) -> int | None:
    """The lower end of the bucket of a value: its highest bit and as many below as `bits` says."""
    if value < 0 or value >= 1 << 63:
        return None
    drop = max(0, value.bit_length() - 1 - (params[0] if params else 0))
    return value >> drop << drop


def _linear_end(value: int, params: tuple[int, ...]) -> int | None:
    low, high, step = params
    if value < low:
        return None
    last = low + (high - low) // step * step
    return min(last, low + (value - low) // step * step)


def show(value: Any, t: Type) -> bytes:
    """As print() shows a value."""
    if is_int(t):
        return str(int(value)).encode()
    if t == BOOL:
        return b"true" if value else b"false"
    if t in (STR, PROBE):
        return value  # type: ignore[no-any-return]
    return b"(" + b", ".join(show(part, u) for part, u in zip(value, t[1])) + b")"


def _key_text(map: Map, key: Any) -> bytes:
    assert map.keys is not None
    parts = [key] if len(map.keys) == 1 else list(key)
    text = b", ".join(show(part, t) for part, t in zip(parts, map.keys))
    if len(map.keys) == 1 and map.keys[0][0] == "tuple":
        text = text[1:-1]
    return text


def _map_value_text(map: Map, value: Any) -> bytes:
    if map.agg == "stats":
        return b"{ .count = %d, .average = %d, .total = %d }" % value
    return str(value).encode() if map.agg else show(value, stored(map.value))


def format_c(template: str, values: list[tuple[Any, Type]]) -> bytes:
    """printf. The template's conversions are those that the generator writes."""
    out, at, values = b"", 0, list(values)
    while at < len(template):
        if template[at] != "%":
            out += template[at].encode("utf-8", "surrogateescape")
            at += 1
            continue
        end = at + 1
        while template[end] not in "dusxXoc":
            end += 1
        out += _conversion(template[at + 1 : end], template[end], *values.pop(0))
        at = end + 1
    return out


def _conversion(spec: str, letter: str, value: Any, t: Type) -> bytes:
    options = spec.rstrip("l")
    flags = options[: len(options) - len(options.lstrip("-+0"))]
    width, _, precision = options[len(flags) :].partition(".")
    if letter == "s":
        body = show(value, t)
        body = body[: int(precision)] if precision else body
    elif letter == "c":
        body = bytes([int(value) & 255])
    elif letter == "d":
        number = wrap(int(value), I64)
        body = str(number).encode()
        body = b"+" + body if "+" in flags and number >= 0 else body
    else:
        number = wrap(int(value), U64)
        body = {"u": "%d", "x": "%x", "X": "%X", "o": "%o"}[letter].encode() % number
    missing = int(width or 0) - len(body)
    if missing <= 0:
        return body
    if "-" in flags:
        return body + b" " * missing
    if "0" in flags and letter not in "sc":
        sign = body[:1] if body[:1] in (b"-", b"+") else b""
        return sign + b"0" * missing + body[len(sign) :]
    return b" " * missing + body
