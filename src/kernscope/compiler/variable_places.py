"""Where in the scratch area the variables of an action lie: those of blocks that never run at once share memory.

A variable belongs to the innermost block that all its occurrences are in. By the language's scopes it has no value
before that block, nor after it.
"""

from __future__ import annotations

from kernscope.sema.model import Inlined
from kernscope.sema.model import Variable as VariableInfo
from kernscope.syntax.ast import Block, BlockExpr, Expr, Variable
from kernscope.syntax.node import Node, children, walk
from kernscope.types import align_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["is_used_in", "variable_offsets"]


def variable_offsets(
    root: Block, variables: Mapping[object, VariableInfo], sizes: Mapping[VariableInfo, int]
) -> tuple[dict[VariableInfo, int], int]:
    """The offset of each variable in `sizes` (bytes), and how many bytes they need together."""
    homes: dict[VariableInfo, tuple[Block, ...]] = {}
    inside: dict[Block, list[Block]] = {}
    stack: list[tuple[Node, tuple[Block, ...]]] = [(root, ())]
    while stack:
        node, blocks = stack.pop()
        if isinstance(node, Block):
            if blocks:
                inside.setdefault(blocks[-1], []).append(node)
            blocks = (*blocks, node)
        variable = variables.get(node)
        if variable is not None and variable in sizes:
            home = homes.get(variable)
            homes[variable] = blocks if home is None else _common(home, blocks)
        stack.extend((child, blocks) for child in children(node))
    # What does not occur below the block itself (in a macro's body, say) may be used anywhere.
    owned: dict[Block, list[VariableInfo]] = {}
    for variable in sizes:
        owned.setdefault(homes[variable][-1] if variable in homes else root, []).append(variable)
    offsets: dict[VariableInfo, int] = {}
    needed = 0
    places = [(root, 0)]
    while places:
        block, offset = places.pop()
        for variable in owned.get(block, ()):
            offsets[variable] = offset
            offset += align_up(max(sizes[variable], 1), 8)
        needed = max(needed, offset)
        places.extend((below, offset) for below in inside.get(block, ()))
    return offsets, needed


def _common(a: Sequence[Block], b: Sequence[Block]) -> tuple[Block, ...]:
    length = 0
    while length < min(len(a), len(b)) and a[length] is b[length]:
        length += 1
    return tuple(a[:length])


def is_used_in(variable: VariableInfo, value: Expr, variables: Mapping[object, VariableInfo]) -> bool:
    """Whether a value may be made of what the variable holds."""
    return any(
        isinstance(node, Inlined | BlockExpr)
        or (isinstance(node, Variable) and variables.get(node) is variable)
        for node in walk(value)
    )
