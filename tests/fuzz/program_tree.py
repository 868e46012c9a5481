"""Random programs as trees of their own: nodes, the language's rules of types, and the text.

Nothing here uses the compiler's types, tree or rules: what a program means is written down a second time, from
the language's description, so that the compiler has something to agree with.

Types are tuples: `("int", bits, signed)`, `("bool",)`, `("str",)`, `("probe",)`, `("tuple", (types…))`.
"""

from dataclasses import dataclass, field
from typing import Any

Type = tuple[Any, ...]

I8, I16, I32, I64 = (("int", bits, True) for bits in (8, 16, 32, 64))
U8, U16, U32, U64 = (("int", bits, False) for bits in (8, 16, 32, 64))
INTS: tuple[Type, ...] = (I8, I16, I32, I64, U8, U16, U32, U64)
BOOL: Type = ("bool",)
STR: Type = ("str",)
PROBE: Type = ("probe",)
NONE: Type = ("none",)

M64 = (1 << 64) - 1


def is_int(t: Type) -> bool:
    return t[0] == "int"


def type_name(t: Type) -> str:
    return f"{'' if t[2] else 'u'}int{t[1]}" if is_int(t) else t[0]


def wrap(value: int, t: Type) -> int:
    """A number as a type holds it: cut to its bits, read by its sign."""
    if t == BOOL:
        return int(value != 0)
    low = value & ((1 << t[1]) - 1)
    return low - (1 << t[1]) if t[2] and low >> (t[1] - 1) else low


def join(a: Type, b: Type) -> Type | None:
    """The least type that holds the values of both."""
    if a == b:
        return a
    if is_int(a) and is_int(b):
        if a[2] == b[2]:
            return max(a, b)
        signed, unsigned = (a, b) if a[2] else (b, a)
        return ("int", max(signed[1], min(64, 2 * unsigned[1])), True)
    if {a[0], b[0]} == {"int", "bool"}:
        return a if is_int(a) else b
    if a[0] == b[0] == "tuple" and len(a[1]) == len(b[1]):
        parts = [join(x, y) for x, y in zip(a[1], b[1])]
        return None if None in parts else ("tuple", tuple(parts))
    return None


def stored(t: Type) -> Type:
    """How a map keeps it: integers have 64 bits there."""
    if is_int(t):
        return U64 if t == U64 else I64
    if t[0] == "tuple":
        return ("tuple", tuple(stored(part) for part in t[1]))
    return t


@dataclass(eq=False)
class Var:
    """A scratch variable of type `type`; `declared`: by `let $x: type`, else by what is assigned to it."""

    name: str
    type: Type
    declared: bool


@dataclass(eq=False)
class Map:
    """A map; `agg` is the aggregation's name, or empty; then `value` is the type of its values.

    `signed` says how an aggregation's numbers read.
    """

    name: str
    keys: tuple[Type, ...] | None
    value: Type
    agg: str = ""
    params: tuple[int, ...] = ()
    signed: bool = True

    @property
    def key_type(self) -> Type:
        assert self.keys is not None
        return self.keys[0] if len(self.keys) == 1 else ("tuple", self.keys)


@dataclass(eq=False)
class Node:
    """An expression or a statement: `kids` are its parts in the order in which they are written.

    `data` is what else belongs to it: a value, an operator, a variable, a map. `type` is NONE for statements.
    """

    kind: str
    kids: list["Node"] = field(default_factory=list)
    data: Any = None
    type: Type = NONE
    const: int | None = None

    def walk(self) -> Any:
        yield self
        for kid in self.kids:
            yield from kid.walk()


@dataclass(eq=False)
class Clause:
    probe: str
    predicate: Node | None
    body: Node


@dataclass(eq=False)
class SystemCall:
    """A system call that happens: its entry with `arguments`, its exit with `result`."""

    name: str
    arguments: tuple[int, ...]
    result: int


CALL_NUMBERS = {"read": 0, "close": 3, "openat": 257}
"""On x86_64."""

PATH = b"/etc/hostname"
"""What the second argument of openat points to."""


@dataclass(eq=False)
class Program:
    clauses: list[Clause]
    params: list[str]
    config: dict[str, int]
    contexts: list[tuple[int, ...]] = field(default_factory=list)
    """Arguments of the raw tracepoint's events, one entry for each."""
    calls: list["SystemCall"] = field(default_factory=list)
    signals: int = 0
    """How often the signal comes."""

    def nodes(self) -> Any:
        for clause in self.clauses:
            if clause.predicate is not None:
                yield from clause.predicate.walk()
            yield from clause.body.walk()


# --- constants and types of expressions ----------------------------------------------------------------------


def parameter(program_params: list[str], index: int) -> int | None:
    """The number that `$index` is, if it is one; 0 where it was not given."""
    if index > len(program_params):
        return 0
    try:
        return int(program_params[index - 1], 0)
    except ValueError:
        return None


def fold(op: str, x: int, y: int) -> int | None:
    """`x op y` on integers without bounds; None where the language gives it no value when compiling."""
    if op in ("/", "%"):
        if y == 0:
            return None
        quotient = abs(x) // abs(y)
        quotient = quotient if (x < 0) == (y < 0) else -quotient
        return quotient if op == "/" else x - y * quotient
    if op in ("<<", ">>"):
        if not 0 <= y < 64:
            return None
        return x << y if op == "<<" else x >> y
    return {"+": x + y, "-": x - y, "*": x * y, "&": x & y, "|": x | y, "^": x ^ y}[op]


def compare(op: str, x: int, y: int) -> bool:
    return {"==": x == y, "!=": x != y, "<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y}[op]


def constant(node: Node) -> int | None:
    """The value of an expression that the language counts as constant: what is made of literals only."""
    value: int | None = None
    kids = [kid.const for kid in node.kids]
    if node.kind in ("lit", "bool", "param"):
        value = node.data if node.kind != "param" else node.data[1]
    elif node.kind == "un" and kids[0] is not None:
        value = {"-": -kids[0], "~": ~kids[0] & M64, "!": int(not kids[0])}[node.data]
    elif node.kind == "bin" and kids[0] is not None and kids[1] is not None:
        value = fold(node.data, kids[0], kids[1])
    elif node.kind == "cmp" and kids[0] is not None and kids[1] is not None:
        value = int(compare(node.data, kids[0], kids[1]))
    elif node.kind == "cast" and kids[0] is not None:
        value = wrap(kids[0], node.data)
    return value if value is not None and -(1 << 63) <= value <= M64 else None


def number_type(node: Node) -> Type:
    """How a number takes part in arithmetic: booleans are unsigned."""
    return U64 if node.type == BOOL else node.type


def may_be_negative(node: Node) -> bool:
    t = number_type(node)
    return bool(t[2]) and (node.const is None or node.const < 0)


def meet(left: Node, right: Node) -> Type:
    """The type in which two numbers meet: unsigned if neither can be negative."""
    if may_be_negative(left) or may_be_negative(right):
        return I64
    if left.const is not None and right.const is not None:
        return U64 if U64 in (left.type, right.type) else I64
    return U64


def literal_type(value: int) -> Type:
    return U64 if value > M64 >> 1 else I64


def expression_type(node: Node) -> Type:
    """The type by the language's rules, of a node whose kids have theirs; for kinds that have one by themselves
    what they were made with."""
    kids = node.kids
    if node.kind in ("un", "bin", "lit") and node.const is not None and node.data != "!":
        return literal_type(node.const)
    match node.kind:
        case "un":
            if node.data == "!":
                return BOOL
            t = number_type(kids[0])
            return U64 if t == U64 or (node.data == "~" and not t[2]) else I64
        case "bin":
            if node.data in ("<<", ">>"):
                left = kids[0]
                if left.const is not None and left.const >= 0:
                    return I64
                return I64 if number_type(left)[2] else U64
            return I64 if node.data == "-" else meet(kids[0], kids[1])
        case "cmp" | "logic" | "has_key" | "delete" | "strcmp" | "strcontains" | "shape":
            return BOOL
        case "cast":
            return node.data  # type: ignore[no-any-return]
        case "ternary" | "ifexpr":
            found = join(kids[1].type, kids[2].type)
            assert found is not None
            return found
        case "tuple":
            return ("tuple", tuple(kid.type for kid in kids))
        case "element":
            return kids[0].type[1][node.data]  # type: ignore[no-any-return]
        case "blockexpr":
            return kids[-1].type
        case "var" | "varstep":
            var = node.data if node.kind == "var" else node.data[1]
            return var.type  # type: ignore[no-any-return]
        case "map" | "mapstep":
            map = node.data if node.kind == "map" else node.data[1]
            if map.agg:
                return I64 if map.signed else U64
            return map.value  # type: ignore[no-any-return]
        case "len" | "strlen":
            return U64
        case "strncmp" | "strstr":
            return I64
        case "bswap":
            return ("int", number_type(kids[0])[1], False)
        case _:
            return node.type


def make(kind: str, kids: list[Node] | None = None, data: Any = None, type: Type = NONE) -> Node:
    """A node with its type and constant."""
    node = Node(kind, kids or [], data, type)
    node.const = constant(node)
    node.type = expression_type(node)
    return node


# --- text ----------------------------------------------------------------------------------------------------

_LEVELS = {op: level for level, ops in enumerate(
    (("||",), ("&&",), ("|",), ("^",), ("&",), ("==", "!="), ("<", ">", "<=", ">="), ("<<", ">>"), ("+", "-"),
     ("*", "/", "%")), 1) for op in ops}  # fmt: skip
_UNARY, _POSTFIX, _PRIMARY = 20, 30, 40


def _level(node: Node) -> int:
    if node.kind in ("bin", "cmp", "logic", "strcmp"):
        return _LEVELS[node.data]
    if node.kind in ("ternary", "blockexpr"):  # a block where a statement may stand would be one
        return 0
    if node.kind in ("un", "cast") or (node.kind == "lit" and node.data < 0):
        return _UNARY
    if node.kind in ("varstep", "mapstep"):
        return _UNARY if node.data[0][0] == "pre" else _POSTFIX
    return _PRIMARY


def text_of(node: Node, least: int = 0) -> str:
    """The source text, in parentheses where its operator binds weaker than `least`."""
    text = _TEXT.get(node.kind, _plain)(node)
    return f"({text})" if _level(node) < least else text


def _plain(node: Node) -> str:
    return str(node.data)


def quoted(value: bytes) -> str:
    """A string literal."""
    text = value.decode("utf-8", "surrogateescape")
    for raw, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t")):
        text = text.replace(raw, escaped)
    return f'"{text}"'


def _literal(node: Node) -> str:
    value = node.data
    spelled = (str, hex, lambda n: f"{n:_}")[value % 3]
    return f"-{spelled(-value)}" if value < 0 else spelled(value)


def _binary(node: Node) -> str:
    level = _LEVELS[node.data]
    left, right = text_of(node.kids[0], level), text_of(node.kids[1], level + 1)
    return f"{left} {node.data} {right}"


def _unary(node: Node) -> str:
    inner = text_of(node.kids[0], _UNARY)
    return f"{node.data}({inner})" if inner[0] in "-+" else node.data + inner


def keys_text(map: Map, keys: list[Node]) -> str:
    return "" if map.keys is None else f"[{', '.join(text_of(key) for key in keys)}]"


def _with_key(name: str) -> Any:
    def text(node: Node) -> str:
        if node.data.keys is None:
            return f"{name}(@{node.data.name})"
        keys = ", ".join(text_of(key) for key in node.kids)
        return f"{name}(@{node.data.name}, {f'({keys})' if len(node.kids) > 1 else keys})"

    return text


def _step(node: Node) -> str:
    (place, op), target = node.data
    name = f"@{target.name}{keys_text(target, node.kids)}" if isinstance(target, Map) else f"${target.name}"
    return op + name if place == "pre" else name + op


def block_text(statements: list[Node], result: Node | None = None) -> str:
    parts = [statement_text(statement) for statement in statements]
    if result is not None:
        parts.append(text_of(result, 1))
    return "{ " + " ".join(parts) + " }"


def _call(name: str) -> Any:
    return lambda node: f"{name}({', '.join(text_of(kid) for kid in node.kids)})"


_TEXT: dict[str, Any] = {
    "lit": _literal,
    "bool": lambda node: "true" if node.data else "false",
    "strlit": lambda node: quoted(node.data),
    "param": lambda node: f"${node.data[0]}",
    "strparam": lambda node: (
        f"str(${node.data[0]})" if node.data[2] is None else f"str(${node.data[0]}, {node.data[2]})"
    ),
    "shape": lambda node: f"({node.data})",
    "un": _unary,
    "bin": _binary,
    "cmp": _binary,
    "strcmp": _binary,
    "logic": _binary,
    "ternary": lambda node: (
        f"{text_of(node.kids[0], 1)} ? {text_of(node.kids[1], 1)} : {text_of(node.kids[2], 0)}"
    ),
    "ifexpr": lambda node: (
        f"(if ({text_of(node.kids[0])}) {{ {text_of(node.kids[1], 1)} }} else {{ {text_of(node.kids[2], 1)} }})"
    ),
    "cast": lambda node: f"({type_name(node.data)}){text_of(node.kids[0], _UNARY)}",
    "tuple": lambda node: f"({', '.join(text_of(kid) for kid in node.kids)})",
    "element": lambda node: f"{text_of(node.kids[0], _POSTFIX)}.{node.data}",
    "blockexpr": lambda node: block_text(node.kids[:-1], node.kids[-1]),
    "var": lambda node: f"${node.data.name}",
    "map": lambda node: f"@{node.data.name}{keys_text(node.data, node.kids)}",
    "varstep": _step,
    "mapstep": _step,
    "has_key": _with_key("has_key"),
    "delete": _with_key("delete"),
    "len": lambda node: f"len(@{node.data.name})",
    "strlen": _call("strlen"),
    "strstr": _call("strstr"),
    "strcontains": _call("strcontains"),
    "strncmp": lambda node: f"strncmp({text_of(node.kids[0])}, {text_of(node.kids[1])}, {node.data})",
    "bswap": _call("bswap"),
    "cut": lambda node: f"str({text_of(node.kids[0])}, {node.data})",
}


def statement_text(node: Node) -> str:
    return _STATEMENT_TEXT[node.kind](node)  # type: ignore[no-any-return]


def _let(node: Node) -> str:
    var = node.data
    typed = f": {type_name(var.type)}" if var.declared else ""
    return f"let ${var.name}{typed}" + (f" = {text_of(node.kids[0])};" if node.kids else ";")


def _aggregate(node: Node) -> str:
    map, value = node.data, node.kids[-1:] if node.data.agg != "count" else []
    keys = node.kids[: len(node.kids) - len(value)]
    arguments = [text_of(kid) for kid in value] + [str(n) for n in map.params]
    return f"@{map.name}{keys_text(map, keys)} = {map.agg}({', '.join(arguments)});"


def _map_assign(node: Node) -> str:
    op, map = node.data
    return f"@{map.name}{keys_text(map, node.kids[:-1])} {op}= {text_of(node.kids[-1])};"


def _printf(node: Node) -> str:
    values = "".join(f", {text_of(kid)}" for kid in node.kids)
    return f"printf({quoted(node.data.encode())}{values});"


def _if(node: Node) -> str:
    text = f"if ({text_of(node.kids[0])}) {block_text(node.kids[1].kids)}"
    return text + (f" else {block_text(node.kids[2].kids)}" if len(node.kids) > 2 else "")


_STATEMENT_TEXT: dict[str, Any] = {
    "assign": lambda node: f"${node.data[1].name} {node.data[0]}= {text_of(node.kids[0])};",
    "let": _let,
    "mapassign": _map_assign,
    "aggregate": _aggregate,
    "expr": lambda node: f"{text_of(node.kids[0])};",
    "print": lambda node: f"print({text_of(node.kids[0])});",
    "printmap": lambda node: f"print(@{node.data.name});",
    "clear": lambda node: f"clear(@{node.data.name});",
    "zero": lambda node: f"zero(@{node.data.name});",
    "printf": _printf,
    "if": _if,
    "while": lambda node: f"while ({text_of(node.kids[0])}) {block_text(node.kids[1].kids)}",
    "unroll": lambda node: f"unroll ({node.data}) {block_text(node.kids[0].kids)}",
    "for": lambda node: (
        f"for (${node.data.name} : {text_of(node.kids[0], 9)}..{text_of(node.kids[1], 9)}) "
        f"{block_text(node.kids[2].kids)}"
    ),
    "foreach": lambda node: (
        f"for (${node.data[0].name} : @{node.data[1].name}) {block_text(node.kids[0].kids)}"
    ),
    "break": lambda node: "break;",
    "continue": lambda node: "continue;",
    "return": lambda node: "return;",
    "exit": lambda node: f"exit({text_of(node.kids[0])});",
    "block": lambda node: block_text(node.kids),
}


def program_text(program: Program) -> str:
    """The whole program."""
    lines = [f"config = {{ {'; '.join(f'{name} = {value}' for name, value in program.config.items())} }}"]
    for clause in program.clauses:
        predicate = f" /{text_of(clause.predicate)}/" if clause.predicate is not None else ""
        inner = "\n".join(f"  {statement_text(statement)}" for statement in clause.body.kids)
        lines.append(f"{clause.probe}{predicate} {{\n{inner}\n}}")
    return "\n".join(lines) + "\n"
