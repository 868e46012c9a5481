"""Building a function: one method per operation, light folding on the way, SSA form on the fly.

Variables (`write_var`, `read_var`) become SSA values by the method of Braun, Buchwald, Hack et al., "Simple
and Efficient Construction of Static Single Assignment Form" (CC 2013), with worklists for its recursion. Phis
that turn out to be trivial late are left for the first clean-up pass.
"""

from __future__ import annotations

from kernscope.ssa import fold
from kernscope.ssa.ir import (
    NEGATED,
    NO_RESULT,
    POINTER,
    SCALAR,
    SWAPPED,
    Block,
    Cond,
    FrameSlot,
    Function,
    Op,
    Value,
    resolve,
)

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` and `collections.abc` cost as much start-up time as this whole room
    from collections.abc import Hashable

__all__ = ["Builder"]

ValueOrInt = Value | int


class Builder:
    """Appends to the end of `current`; `at` sets the source tag of what follows.

    Appending behind a terminator opens an unreachable block, which compiling removes: code after a `return`
    needs no care by the caller.
    """

    __slots__ = ("_defs", "_incomplete", "_kinds", "_sealed", "current", "function", "tag")

    def __init__(self, function: Function) -> None:
        self.function = function
        self.current: Block = function.entry
        self.tag: object = None
        self._defs: dict[Hashable, dict[Block, Value]] = {}
        self._kinds: dict[Hashable, int] = {}
        self._sealed: set[Block] = {function.entry}
        self._incomplete: dict[Block, list[tuple[Hashable, Value]]] = {}
        function.builder = self

    # --- where -------------------------------------------------------------------------------------------

    def at(self, span: object) -> None:
        """Set the source tag of the following instructions."""
        self.tag = span

    def block(self, name: str = "", likely: bool = True) -> Block:
        """A new block, not yet sealed; `likely=False` moves it out of the straight path."""
        block = self.function.new_block(name)
        block.likely = likely
        return block

    def position(self, block: Block) -> None:
        """Continue at the end of `block`."""
        self.current = block

    @property
    def terminated(self) -> bool:
        """Whether the current block already has its terminator."""
        return self.current.term is not None

    def _emit(
        self, op: int, args: list[Value], kind: int, imm: int = 0, aux: object = None, width: int = 64
    ) -> Value:
        if self.current.term is not None:
            self._open_unreachable()
        value = self.function.new_value(op, args, kind, imm, aux, width, self.tag)
        value.block = self.current
        self.current.insns.append(value)
        return value

    def _open_unreachable(self) -> None:
        self.current = self.function.new_block("unreachable")
        self._sealed.add(self.current)

    def _value(self, x: ValueOrInt) -> Value:
        if x.__class__ is int:
            return self.function.const(x)
        return x if isinstance(x, Value) else self.function.const(int(x))

    # --- leaves ------------------------------------------------------------------------------------------

    def const(self, n: int) -> Value:
        """The constant `n`, wrapped to 64 bits."""
        return self.function.const(n)

    def param(self, index: int, pointer: bool = False) -> Value:
        """Parameter `index` (from 0)."""
        value = self.function.params[index]
        if value is None:
            value = self.function.new_value(
                Op.PARAM, [], POINTER if pointer else SCALAR, imm=index, tag=self.tag
            )
            value.block = self.function.entry
            entry = self.function.entry.insns
            entry.insert(sum(1 for v in entry if v.op == Op.PARAM), value)
            self.function.params[index] = value
        return value

    def map_fd(self, name: str) -> Value:
        """The map itself, as helpers take it."""
        return self.function.float_value(Op.MAP_FD, 0, name)

    def map_value(self, name: str, offset: int = 0) -> Value:
        """A pointer into the value of a one-element array map."""
        return self.function.float_value(Op.MAP_VALUE, offset, name)

    def function_ref(self, function: Function) -> Value:
        """A subprogram as the callback argument of a helper."""
        return self.function.float_value(Op.FUNC_REF, 0, function)

    def frame(self, size: int, align: int = 8) -> FrameSlot:
        """A new object of `size` bytes on the stack."""
        slot = FrameSlot(len(self.function.slots), size, align)
        self.function.slots.append(slot)
        return slot

    def frame_addr(self, slot: FrameSlot, offset: int = 0) -> Value:
        """A pointer into a stack object."""
        return self.function.float_value(Op.FRAME_ADDR, offset, slot)

    # --- arithmetic --------------------------------------------------------------------------------------

    def binary(self, op: int, x: ValueOrInt, y: ValueOrInt) -> Value:
        """Any two-operand arithmetic operation, by number."""
        left, right = self._value(x), self._value(y)
        if left.op == Op.CONST and right.op != Op.CONST and fold.is_commutative(op):
            left, right = right, left
        same = fold.simplify_binary(self.function, op, left, right)
        return same if same is not None else self._emit(op, [left, right], SCALAR)

    def add(self, x: ValueOrInt, y: ValueOrInt) -> Value:
        """x + y"""
        return self.binary(Op.ADD, x, y)

    def sub(self, x: ValueOrInt, y: ValueOrInt) -> Value:
        """x - y"""
        return self.binary(Op.SUB, x, y)

    def mul(self, x: ValueOrInt, y: ValueOrInt) -> Value:
        """x * y"""
        return self.binary(Op.MUL, x, y)

    def udiv(self, x: ValueOrInt, y: ValueOrInt) -> Value:
        """Unsigned x / y; x / 0 = 0"""
        return self.binary(Op.UDIV, x, y)

    def sdiv(self, x: ValueOrInt, y: ValueOrInt) -> Value:
        """Signed x / y towards zero; x / 0 = 0"""
        return self.binary(Op.SDIV, x, y)

    def umod(self, x: ValueOrInt, y: ValueOrInt) -> Value:
        """Unsigned x % y; x % 0 = x"""
        return self.binary(Op.UMOD, x, y)

    def smod(self, x: ValueOrInt, y: ValueOrInt) -> Value:
        """Signed x % y with the sign of x; x % 0 = x"""
        return self.binary(Op.SMOD, x, y)

    def and_(self, x: ValueOrInt, y: ValueOrInt) -> Value:
        """x & y"""
        return self.binary(Op.AND, x, y)

    def or_(self, x: ValueOrInt, y: ValueOrInt) -> Value:
        """x | y"""
        return self.binary(Op.OR, x, y)

    def xor(self, x: ValueOrInt, y: ValueOrInt) -> Value:
        """x ^ y"""
        return self.binary(Op.XOR, x, y)

    def shl(self, x: ValueOrInt, y: ValueOrInt) -> Value:
        """x << (y & 63)"""
        return self.binary(Op.SHL, x, y)

    def lshr(self, x: ValueOrInt, y: ValueOrInt) -> Value:
        """x >> (y & 63), zeros from the left"""
        return self.binary(Op.LSHR, x, y)

    def ashr(self, x: ValueOrInt, y: ValueOrInt) -> Value:
        """x >> (y & 63), copies of the sign from the left"""
        return self.binary(Op.ASHR, x, y)

    def neg(self, x: ValueOrInt) -> Value:
        """-x"""
        value = self._value(x)
        if value.op == Op.CONST:
            return self.function.const(-value.imm)
        return self._emit(Op.NEG, [value], SCALAR)

    def not_(self, x: ValueOrInt) -> Value:
        """~x"""
        return self.binary(Op.XOR, x, -1)

    def ext(self, x: ValueOrInt, bits: int, signed: bool) -> Value:
        """The low `bits` of x, sign- or zero-extended to 64."""
        value = self._value(x)
        if bits >= 64:
            return value
        if value.op == Op.CONST:
            return self.function.const(fold.fold_ext(value.imm, bits, signed))
        op = Op.SEXT if signed else Op.ZEXT
        if value.op == op and value.width <= bits:
            return value
        return self._emit(op, [value], SCALAR, width=bits)

    def opaque(self, x: Value) -> Value:
        """The bits of x as a number of which the verifier knows nothing, not even that x is a pointer."""
        return self._emit(Op.OPAQUE, [x], SCALAR)

    def byteswap(self, x: ValueOrInt, bits: int) -> Value:
        """The low 16, 32 or 64 bits of x with their bytes reversed, zero-extended."""
        value = self._value(x)
        if value.op == Op.CONST:
            return self.function.const(fold.fold_bswap(value.imm, bits))
        return self._emit(Op.BSWAP, [value], SCALAR, width=bits)

    def cmp(self, cond: int, x: ValueOrInt, y: ValueOrInt) -> Value:
        """1 if `x cond y`, else 0."""
        left, right = self._value(x), self._value(y)
        if left.op == Op.CONST:
            if right.op == Op.CONST:
                return self.function.const(int(fold.compare(cond, left.imm, right.imm)))
            left, right, cond = right, left, SWAPPED[cond]
        return self._emit(Op.CMP, [left, right], SCALAR, imm=cond)

    def logical_not(self, x: ValueOrInt) -> Value:
        """1 if x is 0, else 0."""
        value = self._value(x)
        if value.op == Op.CMP and NEGATED[value.imm] >= 0:
            return self._emit(Op.CMP, list(value.args), SCALAR, imm=NEGATED[value.imm])
        return self.cmp(Cond.EQ, value, 0)

    def select(self, c: ValueOrInt, x: ValueOrInt, y: ValueOrInt) -> Value:
        """x if c is not 0, else y."""
        condition, left, right = self._value(c), self._value(x), self._value(y)
        if condition.op == Op.CONST:
            return left if condition.imm else right
        if left is right:
            return left
        kind = max(left.kind, right.kind)
        return self._emit(Op.SELECT, [condition, left, right], kind)

    # --- memory ------------------------------------------------------------------------------------------

    def ptr_add(self, pointer: Value, x: ValueOrInt) -> Value:
        """pointer + x bytes; a variable x must be one the verifier can bound."""
        offset = self._value(x)
        if offset.op == Op.CONST:
            if offset.imm == 0:
                return pointer
            if pointer.op in (Op.FRAME_ADDR, Op.MAP_VALUE):
                return self.function.float_value(pointer.op, pointer.imm + offset.imm, pointer.aux)
        return self._emit(Op.PTR_ADD, [pointer, offset], POINTER)

    def load(
        self,
        size: int,
        pointer: Value,
        offset: int = 0,
        signed: bool = False,
        volatile: bool = True,
        pointer_result: bool = False,
    ) -> Value:
        """`size` bytes at pointer + offset, extended to 64 bits.

        `volatile=False` promises that equal loads in one block with no store, atomic or call between give
        equal values. `pointer_result`: what is loaded (8 bytes, or 4 of a context) is a pointer.
        """
        kind = POINTER if pointer_result else SCALAR
        return self._emit(Op.LOAD, [pointer], kind, offset, (signed and size < 8, volatile), size * 8)

    def store(self, size: int, pointer: Value, value: ValueOrInt, offset: int = 0) -> None:
        """Store the low `size` bytes of value at pointer + offset."""
        self._emit(Op.STORE, [pointer, self._value(value)], NO_RESULT, offset, None, size * 8)

    def atomic_add(self, size: int, pointer: Value, value: ValueOrInt, offset: int = 0) -> None:
        """Atomically add to the 4 or 8 bytes at pointer + offset."""
        self.atomic("add", size, pointer, value, offset=offset)

    def atomic(
        self, op: str, size: int, pointer: Value, *values: ValueOrInt, offset: int = 0, fetch: bool = False
    ) -> Value:
        """An atomic "add", "and", "or", "xor", "xchg" or "cmpxchg" (values: expected, new) on 4 or 8 bytes.

        The result is the old value with `fetch` (always for xchg and cmpxchg), and must not be used without.
        """
        fetch = fetch or op in ("xchg", "cmpxchg")
        args = [pointer, *(self._value(v) for v in values)]
        return self._emit(Op.ATOMIC, args, SCALAR if fetch else NO_RESULT, offset, (op, fetch), size * 8)

    # --- calls -------------------------------------------------------------------------------------------

    def call(self, helper: int, *args: ValueOrInt, pointer: bool = False, pure: bool = False) -> Value:
        """Call a helper by its id; `pointer`: the result is one.

        `pure` promises that equal calls in one run of the program give equal results and have no effect
        (current pid, say): they are made once, or not at all when unused.
        """
        return self._call(Op.CALL, helper, "pure" if pure else None, args, pointer)

    def call_function(self, function: Function, *args: ValueOrInt) -> Value:
        """Call a subprogram."""
        return self._call(Op.CALL_FUNC, 0, function, args, False)

    def call_kfunc(self, name: str, btf_id: int, *args: ValueOrInt, pointer: bool = False) -> Value:
        """Call a kernel function, which has this id in the BTF of vmlinux."""
        return self._call(Op.CALL_KFUNC, btf_id, name, args, pointer)

    def _call(self, op: int, imm: int, aux: object, args: tuple[ValueOrInt, ...], pointer: bool) -> Value:
        if len(args) > 5:
            raise ValueError(f"a BPF call takes at most 5 arguments, not {len(args)}")
        values = [self._value(a) for a in args]
        return self._emit(op, values, POINTER if pointer else SCALAR, imm, aux)

    # --- control -----------------------------------------------------------------------------------------

    def _terminate(self, op: int, args: list[Value], targets: list[Block], imm: int = 0) -> None:
        if self.current.term is not None:
            self._open_unreachable()
        term = self.function.new_value(op, args, NO_RESULT, imm, tag=self.tag)
        term.block = self.current
        term.targets = targets
        self.current.term = term
        for target in targets:
            if target in self._sealed:
                raise ValueError(f"{target.name} is sealed: it cannot get another predecessor")
            target.preds.append(self.current)

    def jump(self, target: Block) -> None:
        """Go to target."""
        self._terminate(Op.JUMP, [], [target])

    def branch(self, condition: ValueOrInt, then: Block, orelse: Block) -> None:
        """Go to `then` if condition is not 0, else to `orelse`."""
        value = self._value(condition)
        if value.op == Op.CMP:
            self.branch_cmp(value.imm, value.args[0], value.args[1], then, orelse)
        else:
            self.branch_cmp(Cond.NE, value, 0, then, orelse)

    def branch_cmp(self, cond: int, x: ValueOrInt, y: ValueOrInt, then: Block, orelse: Block) -> None:
        """Go to `then` if `x cond y`, else to `orelse`."""
        left, right = self._value(x), self._value(y)
        if then is orelse:
            self.jump(then)
        elif left.op == Op.CONST and right.op == Op.CONST:
            self.jump(then if fold.compare(cond, left.imm, right.imm) else orelse)
        elif left.op == Op.CONST:
            self._terminate(Op.BRANCH_CMP, [right, left], [then, orelse], SWAPPED[cond])
        else:
            self._terminate(Op.BRANCH_CMP, [left, right], [then, orelse], cond)

    def may_goto(self, exhausted: Block, following: Block) -> None:
        """Go to `following`, or to `exhausted` when the kernel's budget of iterations is used up."""
        self._terminate(Op.MAY_GOTO, [], [exhausted, following])

    def ret(self, value: ValueOrInt = 0) -> None:
        """Leave the function."""
        self._terminate(Op.RET, [self._value(value)], [])

    # --- variables ---------------------------------------------------------------------------------------

    def write_var(self, key: Hashable, value: ValueOrInt) -> None:
        """From here on the variable `key` is `value`."""
        if self.current.term is not None:
            self._open_unreachable()
        definition = self._value(value)
        self._kinds[key] = definition.kind
        self._defs.setdefault(key, {})[self.current] = definition

    def read_var(self, key: Hashable) -> Value:
        """The value of the variable `key` here; 0 on paths that never wrote it."""
        todo: list[tuple[Block, Hashable, Value]] = []
        value = self._read(key, self.current, todo)
        self._fill(todo)
        return resolve(value)

    def _read(self, key: Hashable, start: Block, todo: list[tuple[Block, Hashable, Value]]) -> Value:
        defs = self._defs.setdefault(key, {})
        block = start
        most = len(self.function.blocks)
        passed: list[Block] = []
        while (found := defs.get(block)) is None:
            passed.append(block)
            if block not in self._sealed:
                found = self._new_phi(key, block)
                self._incomplete.setdefault(block, []).append((key, found))
                break
            if len(block.preds) == 1 and len(passed) <= most:  # more: a ring that nothing enters
                block = block.preds[0]
                continue
            if not block.preds or len(passed) > most:
                found = self.function.const(0)
                break
            found = self._new_phi(key, block)
            todo.append((block, key, found))
            break
        found = resolve(found)
        for block in passed:
            defs[block] = found
        return found

    def _new_phi(self, key: Hashable, block: Block) -> Value:
        phi = self.function.new_value(Op.PHI, [], self._kinds.get(key, SCALAR), tag=self.tag)
        phi.block = block
        block.phis.append(phi)
        return phi

    def _fill(self, todo: list[tuple[Block, Hashable, Value]]) -> None:
        while todo:
            block, key, phi = todo.pop()
            phi.args = [self._read(key, pred, todo) for pred in block.preds]
            others = {resolve(a) for a in phi.args} - {phi}
            if len(others) == 1:
                phi.fwd = others.pop()

    def seal(self, block: Block) -> None:
        """State that all jumps to `block` have been made."""
        if block in self._sealed:
            return
        self._sealed.add(block)
        self._fill([(block, key, phi) for key, phi in self._incomplete.pop(block, ())])

    def finish(self) -> None:
        """Seal what is still open and drop replaced phis; compiling calls it."""
        for block in self.function.blocks:
            self.seal(block)
        for value in self.function.values():
            value.args = [a if a.fwd is None else resolve(a) for a in value.args]
        for block in self.function.blocks:
            block.phis = [phi for phi in block.phis if phi.fwd is None]
