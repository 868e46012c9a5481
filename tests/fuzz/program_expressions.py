"""Random expressions, of a type that is asked for or of any."""

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
    Map,
    Node,
    Type,
    Var,
    is_int,
    make,
    parameter,
    stored,
)

__all__ = ["AGGREGATIONS", "INT_OPS", "SCALAR", "ExpressionGenerator"]


_EDGES = (0, 1, 2, 3, 5, 7, 10, 63, 64, 100, 127, 128, 255, 256, 32767, 65535, 65536, (1 << 31) - 1, 1 << 31,
          (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)  # fmt: skip
_WORDS = (b"", b"a", b"abc", b"abd", b"hello", b"two words", "höhe".encode(), b"a\\b", b'say "x"', b"tab\there",
          b"exactly15bytes!", b"sixteen bytes 16", b"y" * 63, b"y" * 64, b"z" * 70, b"w" * 127, b"w" * 128,
          b"long " * 30, b"q" * 300)  # fmt: skip
_WORD_WEIGHTS = (3, 5, 5, 5, 5, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
_PARAMETERS = ("0", "42", "-7", "0x1f", "18446744073709551615", "hello", "a longer parameter", "p" * 80)
_SHAPES = ("nsecs > 0", "cpu < ncpus", "elapsed < 3600000000000", "rand <= 0xffffffff", "nsecs(monotonic) > 0",
           "jiffies > 0", "numaid < 1024", "curtask != 0")  # fmt: skip
AGGREGATIONS = ("count", "sum", "avg", "min", "max", "stats", "hist", "lhist")
INT_OPS = ("+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>")
_COMPARE = ("==", "!=", "<", "<=", ">", ">=")
SCALAR = frozenset(("count", "sum", "avg", "min", "max"))


class ExpressionGenerator:
    """What is visible where an expression stands, and expressions made of it."""

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
        self.members: dict[str, Type] = {}
        """What the clause's event brings, as it is written."""

    def statements(self, count: int, *, tail: bool = False, jumps: bool = True) -> list[Node]:
        raise NotImplementedError

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
            agg = rng.choice(AGGREGATIONS)
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
        if rng.random() < 0.05:
            return self.function_number(depth - 1)
        kind = rng.random()
        if kind < 0.12:
            return make("un", [self.number(depth - 1)], rng.choice("-~"))
        op = rng.choice(INT_OPS)
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

    def function_number(self, depth: int) -> Node:
        """A function whose result is a number."""
        rng = self.rng
        kind = rng.choice(("strlen", "strstr", "strncmp", "bswap"))
        if kind == "bswap":
            number = self.of(rng.choice(INTS), depth)  # of a constant, the width is that of its value
            return make("bswap", [number if number.const is None else self.builtin_number()])
        texts = [self.of(STR, depth) for _ in range(1 if kind == "strlen" else 2)]
        return make(kind, texts, rng.choice((0, 1, 3, 5, 16, 70)) if kind == "strncmp" else None)

    def builtin_number(self) -> Node:
        numbers = [name for name, t in self.members.items() if is_int(t)]
        if numbers and self.rng.random() < 0.6:
            name = self.rng.choice(numbers)
            return make("builtin", data=name, type=self.members[name])
        name = self.rng.choice(("pid", "tid", "uid", "gid"))
        return make("builtin", data=name, type=U32)

    def map_number(self, depth: int) -> Node | None:
        if self.quiet:
            return None
        map = self.some_map(lambda m: is_int(m.value) or m.value == BOOL or m.agg in SCALAR)
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
        texts = [name for name, t in self.members.items() if t == STR]
        if texts and kind < 0.3:
            return make("builtin", data=rng.choice(texts), type=STR)
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
        if kind < 0.82:
            return make("strcontains", [self.of(STR, depth - 1), self.of(STR, depth - 1)])
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
