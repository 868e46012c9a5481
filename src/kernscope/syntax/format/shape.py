"""What the tree knows of the tokens: blocks and their statements, unary operators, casts, types."""

from kernscope.diagnostics.source import Source
from kernscope.syntax import definitions as d
from kernscope.syntax import expressions as e
from kernscope.syntax import statements as s
from kernscope.syntax.node import Node, walk

__all__ = ["Body", "Item", "Shape"]


class Item:
    """A statement or member: where it starts and ends, and how it must end (`;`, `,` or nothing)."""

    __slots__ = ("end", "mark", "start")

    def __init__(self, start: int, end: int, mark: str) -> None:
        self.start, self.end, self.mark = start, end, mark


class Body:
    """What stands between braces. `is_value`: one expression, that may stand on one line with its braces."""

    __slots__ = ("is_value", "items")

    def __init__(self, items: list[Item], is_value: bool = False) -> None:
        self.items, self.is_value = items, is_value


_BLOCK_ENDED = (s.If, s.While, s.Unroll, s.ForRange, s.ForEach)


class Shape:
    """Places in the text of a program, by what stands there.

    `bodies` has the Body that opens at an offset, `unary` the offsets of unary operators, `casts` of their `(`,
    `types` the ranges in which a `*` belongs to a type, `plain_stars` the ranges inside those in which it does not.
    """

    def __init__(self, source: Source, program: d.Program) -> None:
        self._text = source.text
        self.bodies: dict[int, Body] = {}
        self.unary: set[int] = set()
        self.casts: set[int] = set()
        self.types: list[tuple[int, int]] = []
        self.plain_stars: list[tuple[int, int]] = []
        values = {id(node.body) for node in program.macros}
        for node in walk(program):
            self._take(node, values)

    def is_type_star(self, offset: int) -> bool:
        """Whether the `*` at `offset` is part of a type."""
        return any(a <= offset < b for a, b in self.types) and not any(
            a <= offset < b for a, b in self.plain_stars
        )

    def _take(self, node: Node, values: set[int]) -> None:
        match node:
            case e.BlockExpr(block=block):
                values.add(id(block))
            case e.IfExpr(then=then, orelse=orelse):
                values.update((id(then), id(orelse)))
            case s.Block():
                if self._text.startswith("{", node.span.start):
                    self.bodies[node.span.start] = self._body(node, id(node) in values)
            case e.Unary():
                self.unary.add(node.span.start)
            case e.Update(prefix=True):
                self.unary.add(node.span.start)
            case e.Cast():
                self.casts.add(node.span.start)
                self.types.append((node.span.start, self._closing(node.span.start)))
            case e.TypeExpr():
                self.types.append((node.span.start, node.span.end))
                if node.operand is not None:
                    self.plain_stars.append((node.operand.span.start, node.operand.span.end))
            case d.CStruct() | d.Typedef():
                self.types.append((node.span.start, node.span.end))
            case _:
                pass

    def _closing(self, opening: int) -> int:
        depth = 0
        for offset in range(opening, len(self._text)):
            depth += {"(": 1, ")": -1}.get(self._text[offset], 0)
            if depth == 0:
                return offset
        return len(self._text)

    def _body(self, block: s.Block, is_value: bool) -> Body:
        items = [self._item(statement, is_value) for statement in block.statements]
        if block.result is not None:
            items.append(Item(block.result.span.start, block.result.span.end, ""))
        return Body(items, is_value and not block.statements and block.result is not None)

    def _item(self, node: Node, in_value: bool) -> Item:
        bare_block = isinstance(node, s.ExprStatement) and isinstance(node.expr, e.BlockExpr)
        block_ended = isinstance(node, _BLOCK_ENDED) or bare_block
        mark = "" if block_ended and not in_value else "?" if block_ended else ";"
        return Item(node.span.start, node.span.end, mark)
