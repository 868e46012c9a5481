"""Where values live: one walk backwards over the function gives all that register allocation asks about.

Floating values (constants, references) never live: they are made where they are used. Sets of values are
integers used as bit sets; only values that live in more than one block have a number in them. Positions
number all instructions in block order.
"""

from kernscope.ssa.ir import Block, Function, Op, Value

__all__ = ["Liveness", "find_liveness"]

_CALLS = (Op.CALL, Op.CALL_FUNC, Op.CALL_KFUNC)
_TWO_ADDRESS = frozenset((*range(Op.ADD, Op.BSWAP + 1), Op.PTR_ADD))


class Liveness:
    """The answers. All by block order or value id.

    `number`: of a value in bit sets, -1 if it lives in one block; `values`: the reverse. `live_in`,
    `live_out`: bit sets by block order; phis count as defined at the start of their block, phi arguments as
    used at the end of the predecessor. `deaths`: by block order, for each instruction and the terminator
    the values whose last use (or unused definition) it is. `uses`: positions of all uses, falling, so that
    the next one is last. `crosses`: whether a value lives across a call. `hints`: register it is wanted in
    by a call or return, or -1. `affinity`: the phi it flows into. `start`, `end`: positions by block order.
    `pressure`: most values alive at once in the block. `has_call`: by block order.
    """

    __slots__ = (
        "affinity",
        "crosses",
        "deaths",
        "end",
        "has_call",
        "hints",
        "live_in",
        "live_out",
        "number",
        "pressure",
        "start",
        "uses",
        "values",
    )

    def __init__(self, blocks: int, values: int) -> None:
        self.number = [-1] * values
        self.values: list[Value] = []
        self.live_in = [0] * blocks
        self.live_out = [0] * blocks
        self.deaths: list[list[tuple[Value, ...]]] = [[]] * blocks
        self.uses: list[list[int]] = [[] for _ in range(values)]
        self.crosses = bytearray(values)
        self.hints = [-1] * values
        self.affinity: dict[int, Value] = {}
        self.start = [0] * blocks
        self.end = [0] * blocks
        self.pressure = [0] * blocks
        self.has_call = bytearray(blocks)

    def members(self, bits: int) -> list[Value]:
        """The values in a bit set."""
        values = self.values
        found = []
        while bits:
            low = bits & -bits
            found.append(values[low.bit_length() - 1])
            bits ^= low
        return found


def find_liveness(f: Function) -> Liveness:
    """Analyse `f`, whose blocks are sorted."""
    lv = Liveness(len(f.blocks), f.value_count)
    position = 0
    for i, block in enumerate(f.blocks):
        block.order = i
        lv.start[i] = position
        position += len(block.insns) + 2
        lv.end[i] = position - 1
    _find_live_sets(f, lv)
    for block in reversed(f.blocks):
        _scan(block, lv)
    return lv


def _find_live_sets(f: Function, lv: Liveness) -> None:
    upward = [0] * len(f.blocks)
    at_end = [0] * len(f.blocks)  # phi arguments of successors
    number, values = lv.number, lv.values

    def bit(v: Value) -> int:
        n = number[v.id]
        if n < 0:
            n = number[v.id] = len(values)
            values.append(v)
        return 1 << n

    for block in f.blocks:
        for phi in block.phis:
            for arg, pred in zip(phi.args, block.preds):
                if arg.op > 4:
                    at_end[pred.order] |= bit(arg)
                    if arg.id not in lv.affinity:
                        lv.affinity[arg.id] = phi
        used = 0
        for v in block.insns:
            for arg in v.args:
                if arg.block is not block and arg.op > 4:
                    used |= bit(arg)
        if block.term is not None:
            for arg in block.term.args:
                if arg.block is not block and arg.op > 4:
                    used |= bit(arg)
        upward[block.order] = used
    defined = [0] * len(f.blocks)
    for n, v in enumerate(values):
        assert v.block is not None
        defined[v.block.order] |= 1 << n
    _solve(f, lv, upward, defined, at_end)


def _solve(f: Function, lv: Liveness, upward: list[int], defined: list[int], at_end: list[int]) -> None:
    live_in, live_out = lv.live_in, lv.live_out
    waiting = set(f.blocks)
    todo = list(f.blocks)  # popped from the end: successors first
    while todo:
        block = todo.pop()
        waiting.discard(block)
        i = block.order
        out = at_end[i]
        for succ in block.succs:
            out |= live_in[succ.order]
        live_out[i] = out
        new = upward[i] | (out & ~defined[i])
        if new != live_in[i]:
            live_in[i] = new
            for pred in block.preds:
                if pred not in waiting:
                    waiting.add(pred)
                    todo.append(pred)


def _scan(block: Block, lv: Liveness) -> None:
    """Walk one block backwards: deaths, uses, call crossings, hints, pressure."""
    i = block.order
    position = lv.end[i]
    live = set(lv.members(lv.live_out[i]))
    uses, crosses = lv.uses, lv.crosses
    for succ in block.succs:
        if succ.phis:
            at = succ.preds.index(block)
            for phi in succ.phis:
                arg = phi.args[at]
                if arg.op > 4:
                    uses[arg.id].append(position)
    deaths: list[tuple[Value, ...]] = []
    most = len(live)
    insns = block.insns
    n = len(insns)
    v = block.term
    while True:
        if v is not None:
            dying: tuple[Value, ...] = ()
            if v in live:
                live.discard(v)
            elif v.kind != 2:
                dying = (v,)
            op = v.op
            if op in _CALLS:
                lv.has_call[i] = 1
                for value in live:
                    crosses[value.id] = 1
            for arg in v.args:
                if arg.op > 4:
                    if arg not in live:
                        live.add(arg)
                        dying += (arg,)
                    uses[arg.id].append(position)
            if 7 <= op <= 38:
                _hint(v, lv)
            deaths.append(dying)
            if len(live) > most:
                most = len(live)
        n -= 1
        if n < 0:
            break
        position -= 1
        v = insns[n]
    deaths.reverse()
    lv.deaths[i] = deaths
    lv.pressure[i] = most


def _hint(v: Value, lv: Liveness) -> None:
    op = v.op
    hints = lv.hints
    if op in _CALLS:
        for n, arg in enumerate(v.args):
            if arg.op > 4 and not lv.crosses[arg.id]:
                hints[arg.id] = n + 1
    elif op == Op.RET:
        hints[v.args[0].id] = 0
    elif op in _TWO_ADDRESS and hints[v.id] >= 0:
        first = v.args[0].id
        if hints[first] < 0:
            hints[first] = hints[v.id]
