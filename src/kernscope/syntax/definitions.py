"""Nodes of the top level: preamble, C definitions, macros, subprograms, probes."""

from __future__ import annotations

from kernscope.diagnostics.source import NO_SPAN, Span

from .node import CDefinition, Expr, Node, Statement

TYPE_CHECKING = False  # typing costs 3 ms to import; checkers take the name for true
if TYPE_CHECKING:
    from .expressions import TypeExpr
    from .statements import Block

__all__ = [
    "AttachPoint",
    "CEnum",
    "CEnumerator",
    "CField",
    "CStruct",
    "ConfigEntry",
    "Define",
    "Directive",
    "HeaderTypes",
    "Import",
    "Macro",
    "MacroParam",
    "MapDecl",
    "Param",
    "Probe",
    "Program",
    "Subprog",
    "Typedef",
]


class ConfigEntry(Node):
    """One `name = value` of the config block; the value is a literal or a bare Identifier."""

    __match_args__ = __slots__ = ("name", "value")

    def __init__(self, name: str, value: Expr, span: Span = NO_SPAN) -> None:
        self.name = name
        self.value = value
        self.span = span


class Import(Statement):
    """`import "path"`, in the preamble or in a block."""

    __match_args__ = __slots__ = ("path",)

    def __init__(self, path: str, span: Span = NO_SPAN) -> None:
        self.path = path
        self.span = span


class HeaderTypes(CDefinition):
    """The types of a header of the system: used where neither the program nor the kernel defines a type of the name."""

    __match_args__ = ("path",)
    __slots__ = ("definitions", "path")

    def __init__(self, path: str, definitions: list[CDefinition], span: Span = NO_SPAN) -> None:
        self.path = path
        self.definitions = definitions
        self.span = span


class Directive(CDefinition):
    """A preprocessor line, e.g. `#include <linux/fs.h>`: name `include`, text `<linux/fs.h>`."""

    __match_args__ = __slots__ = ("name", "text")

    def __init__(self, name: str, text: str, span: Span = NO_SPAN) -> None:
        self.name = name
        self.text = text
        self.span = span


class Define(CDefinition):
    """`#define NAME body` or `#define NAME(params) body`; params is None for the first form."""

    __match_args__ = __slots__ = ("name", "params", "body")

    def __init__(self, name: str, params: list[str] | None, body: str, span: Span = NO_SPAN) -> None:
        self.name = name
        self.params = params
        self.body = body
        self.span = span


class CField(Node):
    """A struct member. `bits` is the width of a bit field. A nested definition stands in `type.body`."""

    __match_args__ = __slots__ = ("name", "type", "bits")

    def __init__(self, name: str | None, type: TypeExpr, bits: int | None, span: Span = NO_SPAN) -> None:
        self.name = name
        self.type = type
        self.bits = bits
        self.span = span


class CStruct(CDefinition):
    """`struct` or `union` (the kind); fields is None for a forward declaration. `packed` is the attribute."""

    __match_args__ = ("kind", "name", "fields")
    __slots__ = ("fields", "kind", "name", "packed")

    def __init__(
        self,
        kind: str,
        name: str | None,
        fields: list[CField] | None,
        span: Span = NO_SPAN,
        packed: bool = False,
    ) -> None:
        self.kind = kind
        self.name = name
        self.fields = fields
        self.packed = packed
        self.span = span


class CEnumerator(Node):
    """One name of an enum; without a value it is one more than the one before."""

    __match_args__ = __slots__ = ("name", "value")

    def __init__(self, name: str, value: Expr | None, span: Span = NO_SPAN) -> None:
        self.name = name
        self.value = value
        self.span = span


class CEnum(CDefinition):
    """`enum name { A, B = 2 };`"""

    __match_args__ = __slots__ = ("name", "members")

    def __init__(self, name: str | None, members: list[CEnumerator], span: Span = NO_SPAN) -> None:
        self.name = name
        self.members = members
        self.span = span


class Typedef(CDefinition):
    """`typedef unsigned int u32;`"""

    __match_args__ = __slots__ = ("name", "type")

    def __init__(self, name: str, type: TypeExpr, span: Span = NO_SPAN) -> None:
        self.name = name
        self.type = type
        self.span = span


class MapDecl(Node):
    """`let @name = map_type(args);`, name without `@`."""

    __match_args__ = __slots__ = ("name", "map_type", "args")

    def __init__(self, name: str, map_type: str, args: list[Expr], span: Span = NO_SPAN) -> None:
        self.name = name
        self.map_type = map_type
        self.args = args
        self.span = span


class Param(Node):
    """A subprogram's parameter, name without `$`."""

    __match_args__ = __slots__ = ("name", "type")

    def __init__(self, name: str, type: TypeExpr, span: Span = NO_SPAN) -> None:
        self.name = name
        self.type = type
        self.span = span


class Subprog(Node):
    """`fn name($a : type) : type { … }`"""

    __match_args__ = __slots__ = ("name", "params", "return_type", "body")

    def __init__(
        self, name: str, params: list[Param], return_type: TypeExpr | None, body: Block, span: Span = NO_SPAN
    ) -> None:
        self.name = name
        self.params = params
        self.return_type = return_type
        self.body = body
        self.span = span


class MacroParam(Node):
    """sigil is `$` (a scratch variable), `@` (a map) or empty (an expression)."""

    __match_args__ = __slots__ = ("sigil", "name")

    def __init__(self, sigil: str, name: str, span: Span = NO_SPAN) -> None:
        self.sigil = sigil
        self.name = name
        self.span = span


class Macro(Node):
    """`macro name($a, @b, c) { … }`"""

    __match_args__ = __slots__ = ("name", "params", "body")

    def __init__(self, name: str, params: list[MacroParam], body: Block, span: Span = NO_SPAN) -> None:
        self.name = name
        self.params = params
        self.body = body
        self.span = span


class AttachPoint(Node):
    """One target. provider as written (`tracepoint`, `t`, `BEGIN`), args the parts after it, unquoted; text
    the target as written; label the name of `name=target`. process is the id of the process that a run is for
    (`-p`, `-c`), 0 where it is for all; files_of the one whose files its paths mean (`-p`), 0 for our own; copies_of
    the one that has copies of these (`kernscope.kernel.private_files`), or 0: no parts
    of the text.
    """

    __slots__ = ("args", "copies_of", "files_of", "label", "process", "provider", "text")
    __match_args__ = ("provider", "args", "text", "label")

    def __init__(
        self, provider: str, args: list[str], text: str, label: str | None = None, span: Span = NO_SPAN
    ) -> None:
        self.provider = provider
        self.args = args
        self.text = text
        self.label = label
        self.process = self.files_of = self.copies_of = 0
        self.span = span


class Probe(Node):
    """Targets, `/predicate/` and action."""

    __match_args__ = __slots__ = ("attach_points", "predicate", "body")

    def __init__(
        self, attach_points: list[AttachPoint], predicate: Expr | None, body: Block, span: Span = NO_SPAN
    ) -> None:
        self.attach_points = attach_points
        self.predicate = predicate
        self.body = body
        self.span = span


class Program(Node):
    """A whole program; each list in the order of the text."""

    __match_args__ = __slots__ = (
        "config",
        "imports",
        "c_definitions",
        "macros",
        "map_decls",
        "subprogs",
        "probes",
    )

    def __init__(
        self,
        config: list[ConfigEntry],
        imports: list[Import],
        c_definitions: list[CDefinition],
        macros: list[Macro],
        map_decls: list[MapDecl],
        subprogs: list[Subprog],
        probes: list[Probe],
        span: Span = NO_SPAN,
    ) -> None:
        self.config = config
        self.imports = imports
        self.c_definitions = c_definitions
        self.macros = macros
        self.map_decls = map_decls
        self.subprogs = subprogs
        self.probes = probes
        self.span = span
