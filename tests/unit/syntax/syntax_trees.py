"""Strategies for syntax trees that some text can mean, for round trips through printer and parser."""

from hypothesis import strategies as st

from kernscope.syntax import ast
from kernscope.syntax.parse_expressions import ASSIGNMENTS, PRECEDENCE

# No keywords, no names of types: `(uint64)` is a cast, never an expression.
NAMES = st.sampled_from(["a", "b1", "_c", "pid", "args", "config", "fn", "begin", "e1", "x0"])
SIGIL_NAMES = st.sampled_from(["a", "b1", "_", "if", "struct", "uint64"])
FIELD_NAMES = st.sampled_from(["a", "b1", "_f", "for", "let", "e2"])

_INTS = [
    ("0", 0, ""),
    ("7", 7, ""),
    ("0x1F", 31, ""),
    ("017", 15, ""),
    ("1_000", 1000, ""),
    ("2e3", 2000, ""),
]
_INTS += [("5ms", 5_000_000, "ms"), ("1h", 3_600_000_000_000, "h"), ("3UL", 3, "ul"), ("9llu", 9, "llu")]
_INTS += [("18446744073709551615", (1 << 64) - 1, "")]
INTS = st.sampled_from(_INTS).map(lambda parts: ast.IntLiteral(parts[1], parts[2], parts[0]))
# Any text, and bytes that are no UTF-8 (lone surrogates of surrogateescape).
CHARACTERS = st.characters(exclude_categories=["Cs"]) | st.integers(0xDC80, 0xDCFF).map(chr)
STRINGS = st.text(CHARACTERS, max_size=6).map(ast.StringLiteral)

BINARY_OPS = [*PRECEDENCE]
ASSIGN_OPS = [None, *ASSIGNMENTS.values()]


def _type(children: st.SearchStrategy[ast.Expr]) -> st.SearchStrategy[ast.TypeExpr]:
    named = st.builds(
        ast.TypeExpr,
        st.sampled_from(["uint64", "int8", "string", "foo_t", "thing", "unsigned long", "void"]),
        st.just(""),
        st.integers(0, 2),
        st.lists(st.none() | st.integers(0, 64), max_size=2),
    )
    tagged = st.builds(
        ast.TypeExpr, NAMES, st.sampled_from(["struct", "union", "enum"]), st.integers(0, 2), st.just([])
    )
    argument = children | named.filter(_is_type_anywhere) | tagged
    typeof = st.builds(ast.TypeExpr, st.just(""), st.just("typeof"), st.just(0), st.just([]), argument)
    return named | tagged | typeof


def _is_type_anywhere(type_: ast.TypeExpr) -> bool:
    # In `sizeof(thing)`, an unknown name is an expression.
    return bool(type_.tag) or type_.name != "thing"


def _sizeof_type(children: st.SearchStrategy[ast.Expr]) -> st.SearchStrategy[ast.TypeExpr]:
    return _type(children).filter(_is_type_anywhere)


LEAVES: st.SearchStrategy[ast.Expr] = st.one_of(
    INTS,
    STRINGS,
    st.booleans().map(ast.BoolLiteral),
    NAMES.map(ast.Identifier),
    SIGIL_NAMES.map(ast.Variable),
    st.builds(ast.MapRef, SIGIL_NAMES | st.just(""), st.none()),
    st.integers(1, 99).map(ast.PositionalParam),
    st.just(None).map(lambda _: ast.ParamCount()),
)


def _extend(children: st.SearchStrategy[ast.Expr]) -> st.SearchStrategy[ast.Expr]:
    few = st.lists(children, max_size=3)
    some = st.lists(children, min_size=1, max_size=3)
    targets = SIGIL_NAMES.map(ast.Variable) | st.builds(ast.MapRef, SIGIL_NAMES, st.none() | some)
    value_block = _value_block(children)
    return st.one_of(
        st.builds(ast.MapRef, SIGIL_NAMES | st.just(""), some),
        st.builds(ast.Unary, st.sampled_from("-+!~*&"), children),
        st.builds(ast.Update, st.sampled_from(["++", "--"]), st.booleans(), targets),
        st.builds(ast.Binary, st.sampled_from(BINARY_OPS), children, children),
        st.builds(ast.Ternary, children, st.none() | children, children),
        st.builds(ast.Cast, _type(children), children),
        st.builds(ast.FieldAccess, children, FIELD_NAMES, st.booleans()),
        st.builds(ast.TupleAccess, children, st.integers(0, 12)),
        st.builds(ast.Index, children, children),
        st.builds(ast.Call, NAMES, few),
        st.builds(ast.TupleExpr, few),
        st.builds(
            ast.RecordExpr, st.lists(st.builds(ast.RecordField, NAMES, children), min_size=1, max_size=2)
        ),
        st.builds(ast.Sizeof, children | _sizeof_type(children)),
        st.builds(ast.TypeInfo, children | _sizeof_type(children)),
        st.builds(ast.Offsetof, children | _sizeof_type(children), st.lists(NAMES, min_size=1, max_size=2)),
        st.builds(ast.Comptime, children),
        st.builds(ast.BlockExpr, _block(children) | value_block),
        st.builds(ast.IfExpr, children, value_block, value_block),
    )


def _statement(exprs: st.SearchStrategy[ast.Expr], level: int) -> st.SearchStrategy[ast.Statement]:
    targets = SIGIL_NAMES.map(ast.Variable) | st.builds(
        ast.MapRef, SIGIL_NAMES | st.just(""), st.none() | st.lists(exprs, min_size=1, max_size=2)
    )
    simple: list[st.SearchStrategy[ast.Statement]] = [
        st.builds(ast.ExprStatement, exprs),
        st.builds(ast.Assign, targets, st.sampled_from(ASSIGN_OPS), exprs),
        st.builds(ast.Discard, exprs),
        st.builds(ast.Let, SIGIL_NAMES, st.none() | _type(exprs), st.none() | exprs),
        st.builds(ast.Return, st.none() | exprs),
        st.just(None).map(lambda _: ast.Break()),
        st.just(None).map(lambda _: ast.Continue()),
        st.builds(ast.Import, st.sampled_from(["x", "a/b.bt"])),
    ]
    if level == 0:
        return st.one_of(*simple)
    block = _block(exprs, level - 1)
    return st.one_of(
        *simple,
        st.builds(ast.If, exprs, block, st.none() | block),
        st.builds(ast.While, exprs, block),
        st.builds(ast.Unroll, exprs, block),
        st.builds(ast.ForRange, SIGIL_NAMES, exprs, exprs, block),
        st.builds(ast.ForEach, SIGIL_NAMES, exprs, block),
    )


def _block(exprs: st.SearchStrategy[ast.Expr], level: int = 0) -> st.SearchStrategy[ast.Block]:
    return st.builds(ast.Block, st.lists(_statement(exprs, level), max_size=3), st.none())


def _value_block(exprs: st.SearchStrategy[ast.Expr]) -> st.SearchStrategy[ast.Block]:
    return st.builds(ast.Block, st.lists(_statement(exprs, 0), max_size=2), exprs)


EXPRESSIONS: st.SearchStrategy[ast.Expr] = st.recursive(LEAVES, _extend, max_leaves=12)
BLOCKS = _block(EXPRESSIONS, 2)

TARGETS = st.sampled_from(
    [
        ("begin", []),
        ("tracepoint", ["syscalls", "sys_enter_*"]),
        ("uprobe", ["/lib/*/libc.so.6", "f(int, char)"]),
        ("interval", ["1s"]),
        ("usdt", ["./a.out", "n:s", "p"]),
    ]
)


@st.composite
def _attach_points(draw: st.DrawFn) -> ast.AttachPoint:
    provider, args = draw(TARGETS)
    text = ":".join([provider, *[f'"{arg}"' if set(arg) & set(" :,") else arg for arg in args]])
    return ast.AttachPoint(
        provider, list(args), text, draw(st.none() | NAMES.filter(lambda n: n != "config"))
    )


PROBES = st.builds(
    ast.Probe, st.lists(_attach_points(), min_size=1, max_size=3), st.none() | EXPRESSIONS, BLOCKS
)
MACROS = st.builds(
    ast.Macro,
    NAMES,
    st.lists(st.builds(ast.MacroParam, st.sampled_from(["$", "@", ""]), NAMES), max_size=3),
    _value_block(EXPRESSIONS) | BLOCKS,
)
SUBPROGS = st.builds(
    ast.Subprog,
    NAMES,
    st.lists(st.builds(ast.Param, NAMES, _type(LEAVES)), max_size=2),
    st.none() | _type(LEAVES),
    BLOCKS,
)
CONFIG = st.builds(
    ast.ConfigEntry, NAMES, INTS | STRINGS | NAMES.map(ast.Identifier) | st.booleans().map(ast.BoolLiteral)
)
MAP_DECLS = st.builds(ast.MapDecl, SIGIL_NAMES, NAMES, st.lists(EXPRESSIONS, max_size=2))
FIELD_TYPES = st.builds(
    ast.TypeExpr,
    st.sampled_from(["int", "u8", "unsigned long", "foo_t"]),
    st.just(""),
    st.integers(0, 2),
    st.lists(st.none() | st.integers(0, 9), max_size=2),
)
FIELDS = st.builds(ast.CField, NAMES, FIELD_TYPES, st.none()) | st.builds(
    ast.CField, NAMES | st.none(), st.builds(ast.TypeExpr, st.just("int")), st.integers(1, 31)
)
C_DEFINITIONS: st.SearchStrategy[ast.CDefinition] = st.one_of(
    st.builds(ast.Directive, st.just("include"), st.just("<linux/fs.h>")),
    st.builds(
        ast.Define, NAMES, st.none() | st.lists(NAMES, max_size=2), st.sampled_from(["", "1", "(a) + 2"])
    ),
    st.builds(
        ast.CStruct, st.sampled_from(["struct", "union"]), NAMES, st.none() | st.lists(FIELDS, max_size=3)
    ),
    st.builds(
        ast.CEnum, NAMES, st.lists(st.builds(ast.CEnumerator, NAMES, st.none() | EXPRESSIONS), max_size=3)
    ),
    st.builds(ast.Typedef, NAMES, FIELD_TYPES),
)
PROGRAMS = st.builds(
    ast.Program,
    st.lists(CONFIG, max_size=2),
    st.lists(st.builds(ast.Import, st.sampled_from(["x", 'quo"te'])), max_size=1),
    st.lists(C_DEFINITIONS, max_size=2),
    st.lists(MACROS, max_size=1),
    st.lists(MAP_DECLS, max_size=2),
    st.lists(SUBPROGS, max_size=1),
    st.lists(PROBES, max_size=2),
)
