"""Random well-typed programs, the same for the same seed. See `program_tree` for what they are made of."""

import random

from program_expressions import INT_OPS, SCALAR, ExpressionGenerator
from program_tree import (
    BOOL,
    CALL_NUMBERS,
    I32,
    I64,
    PROBE,
    STR,
    U16,
    U32,
    U64,
    Clause,
    Map,
    Node,
    Program,
    SystemCall,
    Type,
    Var,
    is_int,
    join,
    make,
)

__all__ = ["MAX_MAP_KEYS", "generate"]

MAX_MAP_KEYS = 64


_CALL_PROBES = (
    "tracepoint:syscalls:sys_enter_openat",
    "tracepoint:syscalls:sys_enter_read",
    "tracepoint:syscalls:sys_enter_*",
    "tracepoint:syscalls:sys_exit_openat",
    "tracepoint:syscalls:sys_exit_*",
    "tracepoint:raw_syscalls:sys_exit",
)

MEMBERS: dict[str, dict[str, Type]] = {
    "rawtracepoint:vmlinux:sys_enter": {"arg0": U64, "arg1": U64},
    "tracepoint:syscalls:sys_enter_openat": {
        "args.dfd": I32,
        "args.flags": I32,
        "args.mode": U16,
        "str(args.filename)": STR,
    },
    "tracepoint:syscalls:sys_enter_read": {"args.fd": U32, "args.count": U64},
    "tracepoint:syscalls:sys_exit_openat": {"args.ret": I64},
    "tracepoint:syscalls:sys_exit_*": {"args.ret": I64},
    "tracepoint:raw_syscalls:sys_exit": {"args.ret": I64, "args.id": I64},
}
"""What may be read in the clauses of each probe."""


def generate(seed: int, *, events: bool = True) -> Program:
    """One program. `events`: besides `begin` and `end`, clauses for a raw tracepoint and a signal."""
    return _Generator(random.Random(seed), events).program()


class _Generator(ExpressionGenerator):
    # --- the whole -------------------------------------------------------------------------------------------

    def program(self) -> Program:
        rng = self.rng
        self.maps = [self.new_map(f"m{i}") for i in range(rng.randint(0, 5))]
        large = rng.random() < 0.12
        clauses = [self.clause("begin", rng.randint(20, 45) if large else rng.randint(2, 12))]
        program = Program(clauses, self.params, {"max_map_keys": MAX_MAP_KEYS})
        if rng.random() < 0.12:
            clauses.append(self.clause("begin", rng.randint(1, 6)))
        if self.events and rng.random() < 0.25:
            # The event ring of a program with real events is large unless a size is set.
            program.config["perf_rb_pages"] = 64
            clauses.append(self.clause("rawtracepoint:vmlinux:sys_enter", rng.randint(1, 8)))
            count = rng.randint(1, 4)
            program.contexts = [(self.edge() & ((1 << 64) - 1), self.edge()) for _ in range(count)]
        if self.events and rng.random() < 0.2:
            program.config |= {"perf_rb_pages": 64, "max_probes": 5000}
            for probe in rng.choices(_CALL_PROBES, k=rng.randint(1, 3)):
                clauses.append(self.clause(probe, rng.randint(1, 6)))
            program.calls = [self.call() for _ in range(rng.randint(1, 4))]
        if self.events and rng.random() < 0.12:
            clauses.append(self.clause("self:signal:SIGUSR1", rng.randint(1, 6)))
            program.signals = rng.randint(1, 2)
        if rng.random() < 0.3:
            clauses.append(self.clause("end", rng.randint(1, 6)))
        clauses[0].body.kids[:0] = self.pins(program)
        return program

    def call(self) -> SystemCall:
        name = self.rng.choice(list(CALL_NUMBERS))
        arguments = tuple(self.edge() & (1 << 64) - 1 for _ in range(4))
        return SystemCall(
            name, arguments, self.rng.choice((0, 3, -2, -(1 << 40), self.edge() & (1 << 63) - 1))
        )

    def pins(self, program: Program) -> list[Node]:
        """Statements that never run: they fix the types of maps that are used."""
        used = {map: None for node in program.nodes() if (map := map_of(node)) is not None}
        body = [self.pin(map) for map in used]
        if not body:
            return []
        never = make("cmp", [make("builtin", data="pid", type=U32), make("lit", data=(1 << 32) - 1)], "==")
        return [make("if", [never, make("block", body)], "pins")]

    def pin(self, map: Map) -> Node:
        keys = [self.sample(t) for t in map.keys or ()]
        if map.agg:
            value = [] if map.agg == "count" else [self.sample(I64 if map.signed else U64)]
            return make("aggregate", keys + value, map)
        return make("mapassign", [*keys, self.sample(map.value)], ("", map))

    def clause(self, probe: str, size: int) -> Clause:
        self.members = MEMBERS.get(probe, {})
        self.scopes = [[]]
        self.budget = size
        predicate = self.condition(2) if self.rng.random() < 0.15 else None
        body = make("block", self.statements(size, tail=True))
        return Clause(probe, predicate, body)

    # --- statements --------------------------------------------------------------------------------------------

    def statements(self, count: int, *, tail: bool = False, jumps: bool = True) -> list[Node]:
        found: list[Node] = []
        for _ in range(count):
            found += self.statement(jumps)
        if tail and self.rng.random() < 0.1:
            found.append(make("exit", [self.of(I64, 1)]))
        return found

    def block(self, count: int) -> Node:
        self.scopes.append([])
        found = self.statements(count)
        self.scopes.pop()
        return make("block", found)

    def statement(self, jumps: bool) -> list[Node]:
        rng = self.rng
        depth = rng.choice((0, 1, 1, 2, 2, 3)) if rng.random() < 0.9 else rng.randint(4, 6)
        self.budget -= 1
        kind = rng.random()
        nested = len(self.scopes) < 5 and self.budget > -20
        if kind < 0.2:
            return [self.assignment(depth)]
        if kind < 0.38:
            return [self.map_statement(depth)]
        if kind < 0.48:
            return [self.aggregation(depth)]
        if kind < 0.66 and not self.quiet:
            return [self.output(depth)]
        if kind < 0.69:
            return [make("expr", [self.step(rng.choice((I64, I64, U64)))])]
        if kind < 0.71 and not self.quiet and self.maps:
            return [make(rng.choice(("clear", "zero")), data=rng.choice(self.maps))]
        if kind < 0.74 and jumps:
            return [self.jump()]
        if kind < 0.84 and nested:
            parts = [self.condition(depth), self.block(rng.randint(1, 3))]
            return [make("if", parts + ([self.block(rng.randint(1, 2))] if rng.random() < 0.5 else []))]
        if kind < 0.96 and nested and jumps:
            return self.loop(depth)
        if kind < 0.98 and nested:
            return [self.block(rng.randint(1, 3))]
        return [self.assignment(depth)]

    def jump(self) -> Node:
        rng = self.rng
        kind = rng.choice(("break", "continue", "return", "return", "exit"))
        if self.quiet and kind != "continue":
            kind = "continue"
        if kind in ("break", "continue") and not self.loop_depth:
            kind = "return"
        kids = [self.of(I64, 1)] if kind == "exit" else []
        return make("if", [self.condition(2), make("block", [make(kind, kids)])])

    def assignment(self, depth: int) -> Node:
        """To a variable, which may be a new one."""
        rng = self.rng
        writable = [v for v in self.visible() if v not in self.frozen]
        if writable and rng.random() < 0.5 and not self.quiet:
            var = rng.choice(writable)
            wide = is_int(var.type) and (var.declared or var.type[1] == 64)
            if wide and rng.random() < 0.5:
                found = self.compound(var, depth)
                if found is not None:
                    return found
            value = self.of(var.type, depth)
            if var.type == I64 and rng.random() < 0.5:
                value = self.number(depth)
                if var.declared and value.type == U64 and value.const is not None:
                    value = make("cast", [value], I64)  # a constant must fit
            return make("assign", [value], ("", var))
        var = Var(self.fresh(), self.value_type(), False)
        if rng.random() < 0.35:
            var.declared = rng.random() < 0.6 and (is_int(var.type) or var.type == BOOL)
            plain = not var.declared or rng.random() < 0.8
            node = make("let", [self.of(var.type, depth)] if plain else [], var)
        else:
            node = make("assign", [self.of(var.type, depth)], ("", var))
        self.scopes[-1].append(var)
        return node

    def compound(self, var: Var, depth: int) -> Node | None:
        op = self.rng.choice(INT_OPS)
        value = self.number(depth)
        if op in ("/", "%") and value.const == 0:
            return None
        result = make("bin", [make("var", data=var), value], op).type
        if not var.declared and join(var.type, result) != var.type:
            return None
        return make("assign", [value], (op, var))

    def map_statement(self, depth: int) -> Node:
        rng = self.rng
        map = self.some_map(lambda m: not m.agg)
        if map is None:
            return self.assignment(depth)
        if self.quiet and self.totals and rng.random() < 0.5:
            return make("assign", [self.number(1)], (rng.choice("+-"), rng.choice(self.sums())))
        if self.quiet:  # whatever the order, the sum is the same
            map = self.some_map(lambda m: is_int(m.value))
            if map is None:
                return self.aggregation(depth)
            return make("mapassign", [*self.keys(map, 1), self.number(1)], (rng.choice(("+", "-")), map))
        keys = self.keys(map, depth - 1)
        if is_int(map.value) and rng.random() < 0.35:
            op, value = rng.choice(INT_OPS), self.number(depth)
            if op not in ("/", "%") or value.const != 0:
                return make("mapassign", [*keys, value], (op, map))
        value = self.stored_as(map.value, depth)
        if value.kind == "map" and value.data.agg:  # an aggregation cannot be copied, its number can
            value = make("cast", [value], value.type)
        return make("mapassign", [*keys, value], ("", map))

    def aggregation(self, depth: int) -> Node:
        map = self.some_map(lambda m: m.agg)
        if map is None:
            return self.assignment(depth) if self.quiet else self.output(depth)
        keys = self.keys(map, depth - 1)
        if map.agg == "count":
            return make("aggregate", keys, map)
        return make("aggregate", [*keys, self.aggregated(map, depth)], map)

    def aggregated(self, map: Map, depth: int) -> Node:
        if not map.signed:  # a constant would make it signed
            value = self.of(U64, depth)
            return value if value.const is None else self.sample(U64)
        value = self.number(depth)
        return value if is_int(value.type) else self.of(I64, depth)

    def output(self, depth: int) -> Node:
        rng = self.rng
        kind = rng.random()
        if kind < 0.4:
            return make("print", [self.any(depth)])
        shown = [m for m in self.maps if m.agg not in ("hist", "lhist")]
        if kind < 0.5 and shown:
            return make("printmap", data=rng.choice(shown))
        return self.printf(depth)

    def printf(self, depth: int) -> Node:
        rng = self.rng
        template, values = "", []
        for _ in range(rng.randint(0, 5)):
            value = self.any(depth) if rng.random() < 0.5 else self.number(depth)
            values.append(value)
            template += rng.choice(("", " ", "x=", "[")) + self.conversion(value.type)
        return make("printf", values, template + "\n")

    def conversion(self, t: Type) -> str:
        rng = self.rng
        if not is_int(t) or rng.random() < 0.2:
            precision = rng.choice(("", "", "", "12", "-20", ".2"))
            return f"%{precision}s"
        flags = rng.choice(("", "", "-", "0", "+"))
        width = rng.choice(("", "", "4", "12"))
        if not width:
            flags = flags.replace("-", "").replace("0", "")
        if rng.random() < 0.5:
            return f"%{flags}{width}{rng.choice(('ld', 'lld'))}"
        flags = flags.replace("+", "")
        return f"%{flags}{width}{rng.choice(('lu', 'llu', 'lx', 'lX', 'lo', 'c' if not flags else 'lu'))}"

    # --- loops -------------------------------------------------------------------------------------------------

    def loop(self, depth: int) -> list[Node]:
        # Paths through loops in unrolled loops in loops multiply beyond the million steps that the verifier walks.
        if self.loop_depth > 1:
            return [self.assignment(depth)]
        kind = self.rng.random()
        if kind < 0.35:
            return [self.for_range(depth)]
        if kind < 0.55:
            return self.while_loop()
        if kind < 0.7 and not self.loop_depth:
            self.loop_depth += 1
            body = self.block(self.rng.randint(1, 3))
            self.loop_depth -= 1
            return [make("unroll", [body], self.rng.randint(1, 4))]
        return [self.for_each()]

    def for_range(self, depth: int) -> Node:
        rng = self.rng
        start = make("lit", data=rng.randint(0, 3))
        if rng.random() < 0.5:
            end = make("lit", data=rng.randint(0, 8))
        else:
            end = make("bin", [self.number(depth), make("lit", data=7)], "&")
        found = join(start.type, end.type)
        assert found is not None
        var = Var(self.fresh(), found, False)
        self.frozen.add(var)
        self.scopes.append([var])
        self.loop_depth += 1
        body = self.block(rng.randint(1, 4))
        self.loop_depth -= 1
        self.scopes.pop()
        return make("for", [start, end, body], var)

    def while_loop(self) -> list[Node]:
        rng = self.rng
        counter = Var(self.fresh(), I64, False)
        self.frozen.add(counter)
        self.scopes[-1].append(counter)
        name = make("var", data=counter)
        more = make("cmp", [name, make("lit", data=rng.randint(1, 6))], "<")
        if rng.random() < 0.4:
            more = make("logic", [more, self.condition(1)], "&&")
        self.loop_depth += 1
        body = self.block(rng.randint(1, 3))
        self.loop_depth -= 1
        body.kids.insert(0, make("expr", [make("varstep", data=(("post", "++"), counter))]))
        return [
            make("assign", [make("lit", data=0)], ("", counter)),
            make("while", [more, body]),
        ]

    def for_each(self) -> Node:
        rng = self.rng
        map = self.some_map(
            lambda m: m.keys is not None and m.keys != (PROBE,) and (not m.agg or m.agg in SCALAR)
        )
        if map is None:
            return self.assignment(1) if self.quiet else self.output(1)
        value = (I64 if map.signed else U64) if map.agg else map.value
        var = Var(self.fresh(), ("tuple", (map.key_type, value)), False)
        self.frozen.add(var)
        outer = (self.quiet, self.loop_depth, set(self.locked), set(self.totals))
        sums = [v for v in self.visible() if v.type == I64 and v not in self.frozen]
        self.totals |= set(rng.sample(sums, min(len(sums), 2)))
        self.scopes.append([var])
        self.locked.add(map)
        self.quiet += 1
        self.loop_depth = 1
        body = self.block(rng.randint(1, 3))
        if rng.random() < 0.2:
            body.kids.append(make("expr", [make("delete", self.entry_keys(var, map), map)]))
        self.quiet, self.loop_depth, self.locked, self.totals = outer
        self.scopes.pop()
        return make("foreach", [body], (var, map))

    def entry_keys(self, var: Var, map: Map) -> list[Node]:
        """The keys of the entry that a loop over a map is at."""
        key = make("element", [make("var", data=var)], 0)
        assert map.keys is not None
        return [key] if len(map.keys) == 1 else [make("element", [key], i) for i in range(len(map.keys))]


def map_of(node: Node) -> Map | None:
    """The map that a node names."""
    data = node.data
    if isinstance(data, Map):
        return data
    return next((part for part in data if isinstance(part, Map)), None) if isinstance(data, tuple) else None
