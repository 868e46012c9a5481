"""What sema finds out: tables beside the syntax tree, for lowering to read."""

from collections.abc import Sequence

from kernscope.diagnostics import Diagnostic, Span
from kernscope.probes import Target
from kernscope.syntax.ast import Block, BlockExpr, Expr, MapDecl, Probe, Program
from kernscope.types import Struct, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .type_space import TypeSpace

__all__ = ["Checked", "Clause", "Inlined", "MapInfo", "Variable"]


class Inlined(BlockExpr):
    """The body of a function where it is called: a `return` in it ends it, and no more. Its result is read then."""

    __slots__ = ()


class Variable:
    """One scratch variable: a name in the block that declares it."""

    __slots__ = (
        "addressed",
        "assigned",
        "awaited",
        "declared",
        "depth",
        "documented",
        "name",
        "span",
        "type",
    )

    def __init__(self, name: str, span: Span, depth: int = 0) -> None:
        self.name = name
        self.type: Type | None = None
        self.declared: Type | None = None
        """The type that `let $x : type` gives, which assignments must fit."""
        self.depth = depth
        """How many loops over maps are around its declaration (each is a function of its own)."""
        self.span = span
        self.documented: Type | None = None
        """The type that the reference gives it, which may be narrower: what `sizeof` and `typeinfo` tell."""
        self.addressed = False
        """Whether `&$x` is taken: it is then kept in memory."""
        self.assigned = False
        """Whether anything gives it a value, right or wrong."""
        self.awaited = False
        """Whether it is used before the assignment that tells its type: another round is needed then."""

    def __repr__(self) -> str:
        return f"Variable(${self.name}: {self.type})"


class MapInfo:
    """One map of the program. `key` is None for a scalar map once `keyed` is False.

    `domain` is the number that its keys are nearly always below (see `StructField.domain`), 0 where any use has
    another kind of key. `uses` collects how it is used (see `CheckContext.use_map`); `clauses` the clauses that
    write it.
    """

    __slots__ = (
        "clauses",
        "decl",
        "documented",
        "documented_key",
        "domain",
        "first",
        "key",
        "key_span",
        "keyed",
        "name",
        "uses",
        "value",
        "value_span",
    )

    def __init__(self, name: str, first: Span) -> None:
        self.name = name
        self.key: Type | None = None
        self.keyed: bool | None = None
        self.value: Type | None = None
        self.first = first
        self.key_span = first
        self.value_span = first
        self.uses: set[str] = set()
        self.clauses: set[int] = set()
        self.decl: MapDecl | None = None
        self.domain: int | None = None
        self.documented: Type | None = None
        """The type that the reference gives its values, which may be narrower; `documented_key` that of its keys."""
        self.documented_key: Type | None = None

    def __repr__(self) -> str:
        return f"MapInfo(@{self.name}[{self.key}]: {self.value})"


class Clause:
    """One action for targets whose `args` look alike, with all that is known about its nodes.

    An action whose targets differ in the members it uses becomes several clauses with the same `index`, each
    with types of its own.
    """

    __slots__ = (
        "args",
        "block",
        "index",
        "kept",
        "needs_args",
        "needs_probe",
        "predicate",
        "probe",
        "targets",
        "types",
        "variables",
    )

    def __init__(self, probe: Probe, index: int, targets: Sequence[Target], args: Struct | None) -> None:
        self.probe = probe
        self.block: Block = probe.body
        self.predicate: Expr | None = probe.predicate
        self.index = index
        self.targets = targets
        self.args = args
        self.needs_args = False
        self.needs_probe = False
        self.types: dict[object, Type] = {}
        self.variables: dict[object, Variable] = {}
        """Variable, Let, ForRange and ForEach nodes → the variable meant."""
        self.kept: dict[object, object] = {}
        """What type rules left for lowering, by node."""


class Checked:
    """A program without errors: what lowering starts from."""

    __slots__ = ("clauses", "config", "maps", "parameters", "program", "space", "target_count", "warnings")

    def __init__(
        self,
        program: Program,
        clauses: list[Clause],
        maps: dict[str, MapInfo],
        config: dict[str, int | str | bool],
        parameters: Sequence[str],
        warnings: list[Diagnostic],
        target_count: int,
        space: "TypeSpace",
    ) -> None:
        self.program, self.clauses, self.maps, self.space = program, clauses, maps, space
        self.config, self.parameters, self.warnings = config, parameters, warnings
        self.target_count = target_count
