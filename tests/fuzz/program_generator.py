"""Random well-typed programs, the same for the same seed. See `program_tree` for what they are made of."""

import random
from collections.abc import Callable

from program_tree import (
    BOOL,
    I64,
    INTS,
    NONE,
    PROBE,
    STR,
    U32,
    U64,
    Clause,
    Map,
    Node,
    Program,
    Type,
    Var,
    is_int,
    join,
    make,
    parameter,
    stored,
)

__all__ = ["MAX_MAP_KEYS", "generate"]

MAX_MAP_KEYS = 64

_EDGES = (0, 1, 2, 3, 5, 7, 10, 63, 64, 100, 127, 128, 255, 256, 32767, 65535, 65536, (1 << 31) - 1, 1 << 31,
          (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)  # fmt: skip
_WORDS = (b"", b"a", b"abc", b"abd", b"hello", b"two words", "höhe".encode(), b"a\\b", b'say "x"', b"tab\there",
          b"exactly15bytes!", b"sixteen bytes 16", b"y" * 63, b"y" * 64, b"z" * 70, b"w" * 127, b"w" * 128,
          b"long " * 30, b"q" * 300)  # fmt: skip
_WORD_WEIGHTS = (3, 5, 5, 5, 5, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
_PARAMETERS = ("0", "42", "-7", "0x1f", "18446744073709551615", "hello", "a longer parameter", "p" * 80)
_SHAPES = ("nsecs > 0", "cpu < ncpus", "elapsed < 3600000000000", "rand <= 0xffffffff", "nsecs(monotonic) > 0",
           "jiffies > 0", "numaid < 1024", "curtask != 0")  # fmt: skip
_AGGREGATIONS = ("count", "sum", "avg", "min", "max", "stats", "hist", "lhist")
_INT_OPS = ("+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>")
_COMPARE = ("==", "!=", "<", "<=", ">", ">=")
_SCALAR = frozenset(("count", "sum", "avg", "min", "max"))


def generate(seed: int, *, events: bool = True) -> Program:
    """One program. `events`: besides `begin` and `end`, clauses for a raw tracepoint and a signal."""
    return _Generator(random.Random(seed), events).program()


class _Generator:
    def __init__(self, rng: random.Random, events: bool) -> None:
        self.rng, self.events = rng, events
        self.params = rng.sample(_PARAMETERS, rng.randint(0, 4))
        self.maps: list[Map] = []
        self.scopes: list[list[Var]] = []
        self.locked: set[Map] = set()
        """Maps that a loop goes over: adding to them would leave open what it visits."""
        self.frozen: set[Var] = set()
        """Counters that end a loop, and loop variables."""
        self.quiet = 0
        """Inside a loop over a map, whose order is left open: nothing may depend on it, so maps are not read."""
        self.totals: set[Var] = set()
        """Variables that such a loop only adds to, and does not read."""
        self.loop_depth = 0
        self.names = 0
        self.budget = 0
        self.raw = False

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
            clauses.append(self.clause("rawtracepoint:sys_enter", rng.randint(1, 8)))
            count = rng.randint(1, 4)
            program.contexts = [(self.edge() & ((1 << 64) - 1), self.edge()) for _ in range(count)]
        if self.events and rng.random() < 0.12:
            clauses.append(self.clause("self:signal:SIGUSR1", rng.randint(1, 6)))
            program.signals = rng.randint(1, 2)
        if rng.random() < 0.3:
            clauses.append(self.clause("end", rng.randint(1, 6)))
        clauses[0].body.kids[:0] = self.pins(program)
        return program

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

    def sample(self, t: Type) -> Node:
        """The simplest expression of a type."""
        if is_int(t):
            if t == I64:
                return make("lit", data=1)
            return make("cast", [make("builtin", data="pid", type=U32)], t)
        if t == BOOL:
            return make("bool", data=True, type=BOOL)
        if t == STR:
            return make("strlit", data=b"x", type=STR)
        if t == PROBE:
            return make("builtin", data="probe", type=PROBE)
        return make("tuple", [self.sample(part) for part in t[1]])

    def clause(self, probe: str, size: int) -> Clause:
        self.raw = probe.startswith("raw")
        self.scopes = [[]]
        self.budget = size
        predicate = self.condition(2) if self.rng.random() < 0.15 else None
        body = make("block", self.statements(size, tail=True))
        return Clause(probe, predicate, body)

    # --- types, maps, variables --------------------------------------------------------------------------------

    def edge(self) -> int:
        rng = self.rng
        kind = rng.random()
        if kind < 0.5:
            return rng.choice(_EDGES)
        return rng.getrandbits(rng.choice((3, 8, 16, 33, 64)))

    def value_type(self, depth: int = 0) -> Type:
        kind = self.rng.random()
        if kind < 0.6 or depth > 2:
            return self.rng.choice(INTS) if self.rng.random() < 0.5 else I64
        if kind < 0.7:
            return BOOL
        if kind < 0.86:
            return STR
        return ("tuple", tuple(self.value_type(depth + 1) for _ in range(self.rng.randint(2, 3))))

    def new_map(self, name: str) -> Map:
        rng = self.rng
        shape = rng.random()
        keys: tuple[Type, ...] | None = None
        if shape > 0.35:
            count = 1 if shape < 0.75 else rng.randint(2, 3)
            keys = tuple(stored(self.value_type(1)) for _ in range(count))
            if len(keys) == 1 and rng.random() < 0.12:
                keys = (PROBE,)
            if len(keys) == 1 and keys[0][0] == "tuple":
                keys = keys[0][1]
        if rng.random() < 0.45:
            agg = rng.choice(_AGGREGATIONS)
            params: tuple[int, ...] = ()
            if agg == "hist" and rng.random() < 0.5:
                params = (rng.randint(0, 5),)
            elif agg == "lhist":
                low, step = rng.choice((0, 0, 5, 100)), rng.choice((1, 3, 10, 1024))
                params = (low, low + step * rng.randint(1, 20) + rng.choice((0, 0, step // 2)), step)
            return Map(name, keys, NONE, agg, params, agg == "count" or rng.random() < 0.7)
        return Map(name, keys, stored(self.value_type()))

    def fresh(self) -> str:
        self.names += 1
        return f"v{self.names}"

    def visible(self) -> list[Var]:
        return [var for scope in self.scopes for var in scope]

    def some_var(self, accepts: "Callable[[Var], bool]") -> Var | None:
        found = [var for var in self.visible() if var not in self.totals and accepts(var)]
        return self.rng.choice(found) if found else None

    def sums(self) -> list[Var]:
        return [var for var in self.visible() if var in self.totals]

    def some_map(self, accepts: "Callable[[Map], bool]") -> Map | None:
        found = [map for map in self.maps if map not in self.locked and accepts(map)]
        return self.rng.choice(found) if found else None

    # --- expressions -------------------------------------------------------------------------------------------

    def any(self, depth: int) -> Node:
        return self.of(self.value_type(), depth)

    def number(self, depth: int) -> Node:
        """An integer or boolean expression of whatever type."""
        kind = self.rng.random()
        if kind < 0.08:
            return self.of(BOOL, depth - 1)
        if kind < 0.35 and depth > 0:
            return self.of(self.rng.choice(INTS), depth - 1)
        return self.arithmetic(depth)

    def arithmetic(self, depth: int) -> Node:
        """An expression whose type follows from its operands."""
        rng = self.rng
        if depth <= 0 or rng.random() < 0.2:
            return self.number_leaf(depth)
        kind = rng.random()
        if kind < 0.12:
            return make("un", [self.number(depth - 1)], rng.choice("-~"))
        op = rng.choice(_INT_OPS)
        left, right = self.number(depth - 1), self.number(depth - 1)
        if op in ("<<", ">>") and rng.random() < 0.7:
            right = make("lit", data=rng.randint(0, 63))
        if op in ("/", "%") and right.const == 0:
            right = make("lit", data=rng.randint(1, 9))
        return make("bin", [left, right], op)

    def number_leaf(self, depth: int) -> Node:
        rng = self.rng
        kind = rng.random()
        if kind < 0.35:
            value = self.edge()
            return make("lit", data=-value if rng.random() < 0.25 and 0 < value <= 1 << 63 else value)
        if kind < 0.5:
            return self.builtin_number()
        if kind < 0.75:
            var = self.some_var(lambda v: is_int(v.type) or v.type == BOOL)
            if var is not None:
                return make("var", data=var)
        if kind < 0.88:
            found = self.map_number(depth)
            if found is not None:
                return found
        index = rng.randint(1, len(self.params) + 1)
        number = parameter(self.params, index)
        if number is not None:
            return make("param", data=(index, number), type=U64 if number >= 1 << 63 else I64)
        return make("lit", data=rng.randint(0, 20))

    def builtin_number(self) -> Node:
        if self.raw and self.rng.random() < 0.6:
            return make("builtin", data=f"arg{self.rng.randint(0, 1)}", type=U64)
        name = self.rng.choice(("pid", "tid", "uid", "gid"))
        return make("builtin", data=name, type=U32)

    def map_number(self, depth: int) -> Node | None:
        if self.quiet:
            return None
        map = self.some_map(lambda m: is_int(m.value) or m.value == BOOL or m.agg in _SCALAR)
        return None if map is None else make("map", self.keys(map, depth - 1), map)

    def keys(self, map: Map, depth: int) -> list[Node]:
        if depth <= 0:
            return [self.small(t) if is_int(t) else self.sample(t) for t in map.keys or ()]
        return [self.stored_as(t, depth - 1) for t in map.keys or ()]

    def stored_as(self, t: Type, depth: int) -> Node:
        """An expression that a map may take for a place of (stored) type `t`."""
        if t == I64 and self.rng.random() < 0.6:
            found = self.number(depth)
            return found if is_int(found.type) else self.of(I64, depth)
        if is_int(t) and self.rng.random() < 0.5:
            return self.small(t)
        return self.of(t, depth)

    def small(self, t: Type) -> Node:
        """A number from a small range, so that keys meet again."""
        value = make("lit", data=self.rng.randint(0, 4))
        return value if t == I64 else make("cast", [value], t)

    def of(self, t: Type, depth: int) -> Node:
        """An expression of exactly this type."""
        rng = self.rng
        if depth > 0:
            kind = rng.random()
            if kind < 0.07:
                sides = [self.of(t, depth - 1), self.of(t, depth - 1)]
                return make(rng.choice(("ternary", "ifexpr")), [self.condition(depth - 1), *sides])
            if kind < 0.11 and not self.quiet:
                return self.block_expression(t, depth - 1)
            if kind < 0.16:
                found = self.element_of(t)
                if found is not None:
                    return found
        var = self.some_var(lambda v: v.type == t) if rng.random() < 0.3 else None
        if var is not None:
            return make("var", data=var)
        if rng.random() < 0.2 and not self.quiet:
            map = self.some_map(lambda m: m.value == t and not m.agg)
            if map is not None:
                return make("map", self.keys(map, depth - 1), map)
        if t[0] == "tuple":
            return make("tuple", [self.of(part, depth - 1) for part in t[1]])
        return self.simple(t, depth)

    def simple(self, t: Type, depth: int) -> Node:
        rng = self.rng
        if t == PROBE:
            return make("builtin", data="probe", type=PROBE)
        if t == STR:
            return self.string(depth)
        if t == BOOL:
            return self.boolean(depth)
        for _ in range(3):
            found = self.step(t) if rng.random() < 0.06 and not self.quiet else self.arithmetic(depth)
            if found.type == t:
                return found
        if t == I64 and rng.random() < 0.4:
            return make("lit", data=rng.choice((-1, 1)) * rng.randint(0, 1000))
        return make("cast", [self.number(depth - 1)], t)

    def step(self, t: Type) -> Node:
        """`++` and `--` as expressions."""
        rng = self.rng
        how = (rng.choice(("pre", "post")), rng.choice(("++", "--")))
        var = self.some_var(lambda v: v.type == t and (v.declared or t[1] == 64) and v not in self.frozen)
        if self.quiet:
            var = rng.choice(self.sums()) if t == I64 and self.totals else None
        if var is not None and rng.random() < 0.5:
            return make("varstep", data=(how, var))
        map = self.some_map(lambda m: m.value == t and not m.agg)
        if map is not None:
            return make("mapstep", self.keys(map, 0), (how, map))
        return make("lit", data=1)

    def element_of(self, t: Type) -> Node | None:
        var = self.some_var(lambda v: v.type[0] == "tuple" and t in v.type[1])
        if var is None:
            return None
        places = [i for i, part in enumerate(var.type[1]) if part == t]
        return make("element", [make("var", data=var)], self.rng.choice(places))

    def string(self, depth: int) -> Node:
        rng = self.rng
        kind = rng.random()
        if kind < 0.5:
            return make("strlit", data=rng.choices(_WORDS, _WORD_WEIGHTS)[0], type=STR)
        if kind < 0.65:
            return make("builtin", data="comm", type=STR)
        if kind < 0.8 and self.params:
            index = rng.randint(1, len(self.params))
            length = rng.choice((None, 0, 1, 3, 40))
            text = self.params[index - 1].encode()
            return make("strparam", data=(index, text[:length], length), type=STR)
        if kind < 0.9 and depth > 0:
            return make("cut", [self.of(STR, depth - 1)], rng.choice((1, 2, 4, 20)), STR)
        return make("strlit", data=rng.choice(_WORDS[:6]), type=STR)

    def boolean(self, depth: int) -> Node:
        rng = self.rng
        kind = rng.random()
        if depth <= 0 or kind < 0.12:
            return make("bool", data=rng.random() < 0.5, type=BOOL)
        if kind < 0.5:
            return make("cmp", [self.number(depth - 1), self.number(depth - 1)], rng.choice(_COMPARE))
        if kind < 0.64:
            return make(
                "logic", [self.condition(depth - 1), self.condition(depth - 1)], rng.choice(("&&", "||"))
            )
        if kind < 0.7:
            return make("un", [self.condition(depth - 1)], "!")
        if kind < 0.8:
            t = STR if rng.random() < 0.7 else ("tuple", tuple(self.value_type(1) for _ in range(2)))
            return make("strcmp", [self.of(t, depth - 1), self.of(t, depth - 1)], rng.choice(("==", "!=")))
        if kind < 0.84:
            return make("shape", data=rng.choice(_SHAPES))
        if kind < 0.93 and not self.quiet:
            map = self.some_map(lambda m: m.keys is not None and m.keys != (PROBE,))
            if map is not None:
                what = "has_key" if rng.random() < 0.6 else "delete"
                return make(what, self.keys(map, depth - 1), map)
        return make("cast", [self.number(depth - 1)], BOOL)

    def condition(self, depth: int) -> Node:
        return self.boolean(depth) if self.rng.random() < 0.75 else self.number(depth)

    def block_expression(self, t: Type, depth: int) -> Node:
        self.scopes.append([])
        self.budget -= 1
        statements = self.statements(self.rng.randint(1, 2), jumps=False)
        result = self.of(t, depth)
        self.scopes.pop()
        return make("blockexpr", [*statements, result])

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
        op = self.rng.choice(_INT_OPS)
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
            op, value = rng.choice(_INT_OPS), self.number(depth)
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
        kind = self.rng.random()
        if kind < 0.35:
            return [self.for_range(depth)]
        if kind < 0.55:
            return self.while_loop()
        if kind < 0.7:
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
            lambda m: m.keys is not None and m.keys != (PROBE,) and (not m.agg or m.agg in _SCALAR)
        )
        if map is None:
            return self.output(1)
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
