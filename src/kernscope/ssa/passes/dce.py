"""Dead code: values whose result nothing needs, and stores to stack objects that nothing reads.

Loads have no effect of their own, whatever their volatility.
"""

from kernscope.ssa.ir import OPS, FrameSlot, Function, Op, Value

__all__ = ["BREAKS", "GIVES", "REQUIRES", "run"]

REQUIRES: tuple[str, ...] = ()
GIVES: tuple[str, ...] = ()
BREAKS: tuple[str, ...] = ()


def run(f: Function) -> None:
    """Remove dead values from `f`."""
    _drop_stores_never_read(f)
    live = bytearray(f.value_count)
    todo: list[Value] = []
    for block in f.blocks:
        for v in block.insns:
            if OPS[v.op].effects and v.aux != "pure":
                live[v.id] = 1
                todo += v.args
        if block.term is not None:
            todo += block.term.args
    while todo:
        v = todo.pop()
        if not live[v.id]:
            live[v.id] = 1
            todo += v.args
    for block in f.blocks:
        block.insns = [v for v in block.insns if live[v.id] or v.op == Op.PARAM]
        if block.phis:
            block.phis = [v for v in block.phis if live[v.id]]


def _drop_stores_never_read(f: Function) -> None:
    if not f.slots:
        return
    read: set[object] = set()
    for v in f.values():
        for n, arg in enumerate(v.args):
            if arg.op == Op.FRAME_ADDR and not (v.op == Op.STORE and n == 0):
                read.add(arg.aux)
    if len(read) == len(f.slots):
        return
    for block in f.blocks:
        block.insns = [
            v
            for v in block.insns
            if v.op != Op.STORE or not isinstance(v.args[0].aux, FrameSlot) or v.args[0].aux in read
        ]
