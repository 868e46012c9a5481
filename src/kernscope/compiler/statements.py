"""Statements, among them loops; a loop over a map becomes a callback function of its own."""

from collections.abc import Callable

from kernscope.bundle import UserMap
from kernscope.catalog.aggregations import AGGREGATIONS
from kernscope.catalog.base import LowerContext, StringSource
from kernscope.catalog.functions import FUNCTIONS
from kernscope.sema.model import Clause, Inlined
from kernscope.sema.model import Variable as VariableInfo
from kernscope.sema.rules import is_scalar
from kernscope.ssa import Block as SsaBlock
from kernscope.ssa import Builder, Cond, Function, Module, Value
from kernscope.syntax.ast import (
    Assign,
    Block,
    BlockExpr,
    Break,
    Call,
    Continue,
    Discard,
    Expr,
    ExprStatement,
    ForEach,
    ForRange,
    If,
    IfExpr,
    Let,
    MapRef,
    Node,
    Return,
    Statement,
    Unroll,
    Update,
    Variable,
    While,
    walk,
)
from kernscope.tables.helpers import HELPER_IDS
from kernscope.types import INT64, Aggregate, Integer, Tuple, Type

from .memory import FunctionState
from .records import RecordSender
from .variable_places import is_used_in, variable_offsets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["RESULT", "Statements"]

RESULT = "result"
"""The builder's variable for what a program returns, where that means something."""

_LOOP_LIMIT = 1000
"""Rounds of a loop on kernels without may_goto (before 6.9), where the verifier walks through every one."""


_LEFT, _ENDED = 1, 2
"""What a loop over a map tells its caller: that the function is left, that the whole action is over."""


class _Loop:
    """Where `break` and `continue` go."""

    __slots__ = ("break_to", "continue_to")

    def __init__(self, break_to: SsaBlock, continue_to: SsaBlock) -> None:
        self.break_to, self.continue_to = break_to, continue_to


class Statements(RecordSender):
    """Emits the statements of one clause."""

    module: Module

    loops: list[_Loop]
    decisions: set[int]
    """What the program returns for the verdicts in it."""
    _counted: Clause | None = None
    _settings: dict[VariableInfo, int]
    """How often each variable of the clause `_counted` is set."""
    path_callbacks: dict[int, Function]
    """The rounds of walks along paths that the program has, by the room for the path."""
    result_from_loop = False
    """Whether its result may come out of a loop over a map, and so out of memory."""

    @property
    def lowering(self) -> LowerContext:
        return self

    def place_variables(self) -> None:
        """Give the clause's variables that do not fit a register, or must have an address, their memory: in the
        scratch area, which the callbacks of loops over maps reach too.
        """
        self.loops = []
        self.places = {}
        sizes = {
            variable: variable.type.size
            for variable in dict.fromkeys(self.clause.variables.values())
            if variable.type is not None and (variable.addressed or not is_scalar(variable.type))
        }
        if sizes:
            offsets, needed = variable_offsets(self.clause.block, self.clause.variables, sizes)
            area = self.scratch_offset(needed)
            self.places = {v: self._scratch_place(area + offset) for v, offset in offsets.items()}
        self.restless = {
            self.clause.variables[assign.target]
            for block in walk(self.clause.block)
            if isinstance(block, BlockExpr | IfExpr)
            for assign in walk(block)
            if isinstance(assign, Assign) and isinstance(assign.target, Variable)
        }

    def _scratch_place(self, offset: int) -> Callable[[], Value]:
        return lambda: self.scratch_at(offset)

    # --- blocks --------------------------------------------------------------------------------------------

    def block(self, block: Block) -> None:
        """Emit a block's statements."""
        for statement in block.statements:
            mark = self.mark()
            self.b.at(statement.span)
            _STATEMENTS[type(statement)](self, statement)
            self.release(mark)

    def block_value(self, block: Block) -> Value:
        """Emit a block and its result."""
        self._open_block(block)
        return self.value(block.result) if block.result is not None else self.b.const(0)

    def block_into(self, block: Block, destination: Value, t: Type) -> None:
        """Emit a block whose result is kept in memory."""
        self._open_block(block)
        if block.result is not None:
            self.into(block.result, destination, t)

    def _open_block(self, block: Block) -> None:
        """Statements whose variables the block's result may use: their memory stays until the end of the whole."""
        for statement in block.statements:
            self.b.at(statement.span)
            _STATEMENTS[type(statement)](self, statement)

    def inlined_value(self, node: Inlined) -> Value:
        """Emit a function's body; a `return` in it goes to its end, where its result is read."""
        b = self.b
        done = b.block("returned")
        state = self.state
        outer, state.leave = state.leave, done
        state.outside.append(outer)
        self._open_block(node.block)
        b.jump(done)
        state.outside.pop()
        state.leave = outer
        b.seal(done)
        b.position(done)
        return self.value(node.block.result) if node.block.result is not None else b.const(0)

    def leave(self) -> None:
        """Go to the end of the action (or stop the loop over a map, and then go there)."""
        self.b.jump(self.state.leave)

    def _return(self, node: Return) -> None:
        if node.value is not None:
            value = self.value(node.value)
            if self.targets[0].kind.on_demand and is_scalar(self.type_of(node.value)):
                self.b.write_var(RESULT, value)
        self.leave()

    def decide(self, value: int, errno: int) -> None:
        """End the action with a verdict."""
        self.targets[0].kind.prepare_refusal(self, errno)
        self.decisions.add(value)
        self.b.write_var(RESULT, value)
        self.end_action()

    def end_action(self) -> None:
        """Go to the end of the action, also out of a function."""
        self.b.jump((self.state.outside or [self.state.leave])[0])

    def count_verdict(self, verdict: str) -> None:
        """Count a verdict in the probes of this section."""
        probe = ", ".join(target.name for target in self.targets)
        self.count(self.storage.verdict_counter(probe, verdict))

    def _break(self, node: Break) -> None:
        self.b.jump(self.loops[-1].break_to)

    def _continue(self, node: Continue) -> None:
        self.b.jump(self.loops[-1].continue_to)

    # --- assignment ----------------------------------------------------------------------------------------

    def _expression(self, node: ExprStatement | Discard) -> None:
        self.value(node.expr if isinstance(node, ExprStatement) else node.value)

    def _let(self, node: Let) -> None:
        variable = self.clause.variables[node]
        if variable.type is None:
            return  # declared, but never assigned
        if node.value is not None:
            self._set(variable, node.value)
        elif is_scalar(variable.type):
            self.write_variable(variable, self.b.const(0))
        else:
            self.clear(self._variable_place(variable), variable.type.size)

    def assign(self, node: Assign) -> None:
        """Evaluate and assign."""
        if node.op is not None:
            self._compound(node, node.op)
        elif isinstance(node.target, Variable):
            self._set(self.clause.variables[node.target], node.value)
        elif isinstance(node.target, MapRef):
            value = node.value
            if isinstance(value, Call) and value.name in AGGREGATIONS:
                self.aggregate(node.target, value)
            else:
                self.map_assign(node.target, value)

    def _set(self, variable: VariableInfo, value: Expr) -> None:
        t = variable.type
        assert t is not None
        if is_scalar(t):
            known = self.known_pointer(value) if self._is_set_once(variable) else None
            if known is not None:
                self.known_variables[variable] = self.state.function, known
                self.write_variable(variable, self.b.opaque(known.value))
            else:
                self.write_variable(variable, self.narrow(self.number(value), variable.declared))
            return
        if not variable.addressed and not is_used_in(variable, value, self.clause.variables):
            self.into(value, self._variable_place(variable), t)
            return
        aside = self.place(t)
        self.into(value, aside, t)
        self.copy(self._variable_place(variable), aside, t.size)

    def _is_set_once(self, variable: VariableInfo) -> bool:
        """Whether the assignment that declares a variable is the only one."""
        clause = self.clause
        if self._counted is not clause:
            self._counted, self._settings = clause, {}
            for node in walk(clause.block):
                key: object = node
                if isinstance(node, Assign | Update):
                    key = node.target
                elif not isinstance(node, Let | ForRange | ForEach):
                    continue
                found = clause.variables.get(key)
                if found is not None:
                    self._settings[found] = self._settings.get(found, 0) + 1
        return self._settings.get(variable) == 1

    def _variable_place(self, variable: VariableInfo) -> Value:
        """The address of a variable that does not fit a register."""
        return self.places[variable]()

    def _compound(self, node: Assign, op: str) -> None:
        b = self.b
        target = node.target
        if isinstance(target, MapRef):
            if op in ("+", "-"):
                amount = self.number(node.value)
                self.map_add(target, amount if op == "+" else b.neg(amount), want_old=True)
                return
            t = self.user_map(target).value
            meet = self._types(target, node.value)
            operand, key = self.number(node.value), self.key_once(target)
            new = self.operate(op, self.map_read(target, key), operand, meet, t, node.value)
            self.map_store(target, self.narrow(new, t), key)
            return
        assert isinstance(target, Variable)
        variable = self.clause.variables[target]
        assert variable.type is not None
        new = self.arithmetic(op, target, node.value, node.value)
        self.write_variable(variable, self.narrow(new, variable.type))

    # --- branches and loops --------------------------------------------------------------------------------

    def _if(self, node: If) -> None:
        b = self.b
        chosen = self.clause.kept.get(node)
        if chosen is not None:
            if chosen or node.orelse is not None:
                self.block(node.then if chosen or node.orelse is None else node.orelse)
            return
        then, done = b.block("then"), b.block("endif")
        orelse = b.block("else") if node.orelse is not None else done
        b.branch(self.truth(node.cond), then, orelse)
        b.seal(then)
        b.position(then)
        self.block(node.then)
        b.jump(done)
        if node.orelse is not None:
            b.seal(orelse)
            b.position(orelse)
            self.block(node.orelse)
            b.jump(done)
        b.seal(done)
        b.position(done)

    def _while(self, node: While) -> None:
        self._loop(lambda: self.truth(node.cond), node.body, lambda: None, node)

    def _for_range(self, node: ForRange) -> None:
        b = self.b
        variable = self.clause.variables[node]
        hidden = object()  # the loop goes on from here whatever the body does to the variable
        start, end = self.number(node.start), self.number(node.end)
        signed = isinstance(variable.type, Integer) and variable.type.signed
        b.write_var(hidden, start)
        self.write_variable(variable, start)
        limit = object()
        b.write_var(limit, end)

        def more() -> Value:
            i = self.unforeseen(b.read_var(hidden))
            b.write_var(hidden, i)
            self.write_variable(variable, i)
            return b.cmp(Cond.SLT if signed else Cond.ULT, i, b.read_var(limit))

        def step() -> None:
            b.write_var(hidden, b.add(b.read_var(hidden), 1))

        self._loop(more, node.body, step, node)

    def _loop(
        self, condition: Callable[[], Value], body: Block, step: Callable[[], None], node: Statement
    ) -> None:
        """A loop that the verifier accepts whatever its condition: the kernel, or a counter, bounds it."""
        b = self.b
        head, test, inside = b.block("head"), b.block("test"), b.block("loop")
        following, done = b.block("next"), b.block("done")
        exhausted = b.block("exhausted", likely=False)
        rounds = object()
        b.write_var(rounds, 0)
        b.jump(head)
        b.position(head)
        if "may_goto" in self.module.features:
            b.may_goto(exhausted, test)
        else:
            done_rounds = b.read_var(rounds)
            b.write_var(rounds, b.add(done_rounds, 1))
            b.branch_cmp(Cond.ULT, done_rounds, _LOOP_LIMIT, test, exhausted)
        b.seal(test)
        b.position(test)
        if "may_goto" in self.module.features:
            for variable in self._changed_in(node):
                b.write_var(variable, self.unforeseen(b.read_var(variable)))
        b.branch(condition(), inside, done)
        b.seal(inside)
        b.position(inside)
        self.loops.append(_Loop(done, following))
        self.block(body)
        self.loops.pop()
        b.jump(following)
        b.seal(following)
        b.position(following)
        step()
        b.jump(head)
        b.seal(head)
        b.seal(exhausted)
        b.position(exhausted)
        self.run_time_error_at("the loop was ended by the kernel's limit on the length of loops", node)
        b.jump(done)
        b.seal(done)
        b.position(done)

    def unforeseen(self, value: Value) -> Value:
        """The same value, but nothing that the verifier can foresee.

        It walks through a loop whose counter it knows round by round, up to its limit, even where may_goto bounds
        the loop. What one round hands to the next is therefore made unknown in every round (a test such as
        `$i == 0` may have told what it is): then a round soon looks like an earlier one.
        """
        return self._unknown(value) if "may_goto" in self.module.features else value

    def _unknown(self, value: Value) -> Value:
        return self.b.add(value, self.b.load(8, self.global_address(self.storage.zeros(8))))

    def _changed_in(self, node: Node) -> list[VariableInfo]:
        """Register variables from outside a loop that it assigns."""
        targets = [
            n.target for n in walk(node) if isinstance(n, Assign | Update) and isinstance(n.target, Variable)
        ]
        declared = {self.clause.variables[n] for n in walk(node) if isinstance(n, Let | ForRange | ForEach)}
        found = dict.fromkeys(self.clause.variables[target] for target in targets)
        return [v for v in found if v not in declared and v.type is not None and v not in self.places]

    def run_time_error_at(self, text: str, node: Node) -> None:
        """Report something that went wrong at a statement."""
        self.send_control(self.record("error", (), text=text, span=node.span), ())

    def unwound_stack(self, frames: int, *, mark_depth: bool) -> tuple[Value, Value]:
        """The process's stack by its unwind tables: where its words are, and their size in bytes."""
        from .unwinding import unwound_stack  # few programs want it

        return unwound_stack(self, frames, mark_depth=mark_depth)

    def walked_path(self, path: Value, size: int) -> StringSource:
        """The path of a file, from a copy of its `struct path`; of `size` bytes at most."""
        from .path_walk import walked_path

        return walked_path(self, path, size)

    def _unroll(self, node: Unroll) -> None:
        count = self.constant(node.count)
        assert count is not None
        b = self.b
        done = b.block("unrolled")
        for _ in range(count):
            following = b.block("round")
            self.loops.append(_Loop(done, following))
            self.block(node.body)
            self.loops.pop()
            b.jump(following)
            b.seal(following)
            b.position(following)
        b.jump(done)
        b.seal(done)
        b.position(done)

    # --- loops over maps -----------------------------------------------------------------------------------

    def _for_each(self, node: ForEach) -> None:
        """bpf_for_each_map_elem() calls back for each entry. The variables that the body uses travel in a
        struct on the caller's stack, which the callback reads at its start and writes at its end.
        """
        assert isinstance(node.iterable, MapRef)
        b = self.b
        user_map = self.user_map(node.iterable)
        shared: list[VariableInfo | str] = [*self._captured(node)]
        if any(_gives_result(n) for n in walk(node.body)):
            self.result_from_loop = True
            shared.append(RESULT)
        slots = b.frame(8 * (len(shared) + 2))
        struct = b.frame_addr(slots)
        for i, variable in enumerate(shared):
            b.store(8, struct, b.read_var(variable), 8 * i)
        stopped, context = 8 * len(shared), 8 * len(shared) + 8
        b.store(8, struct, 0, stopped)
        b.store(8, struct, self.context, context)
        callback = self._callback(node, user_map, shared, stopped, context)
        b.call(
            HELPER_IDS["for_each_map_elem"],
            b.map_fd(user_map.kernel_map),
            b.function_ref(callback),
            struct,
            0,
        )
        for i, variable in enumerate(shared):
            b.write_var(variable, b.load(8, struct, 8 * i))
        following = b.block("after")
        if self.state.outside and any(_decides(n) for n in walk(node.body)):
            left = b.block("left")
            b.branch_cmp(Cond.EQ, b.load(8, struct, stopped), _ENDED, self.state.outside[0], left)
            b.seal(left)
            b.position(left)
        b.branch_cmp(Cond.EQ, b.load(8, struct, stopped), 0, following, self.state.leave)
        b.seal(following)
        b.position(following)

    def _captured(self, node: ForEach) -> list[VariableInfo]:
        """Register variables from outside that the body uses."""
        inside: set[VariableInfo] = {
            self.clause.variables[n]
            for n in walk(node)
            if isinstance(n, Let | ForRange | ForEach) and n in self.clause.variables
        }
        # a variable first assigned in the body belongs to the body; sema keyed those by their assignment
        inside |= {
            self.clause.variables[n]
            for n in walk(node)
            if isinstance(n, Assign) and n in self.clause.variables
        }
        found: dict[VariableInfo, None] = {}
        for n in walk(node.body):
            variable = self.clause.variables.get(n) if isinstance(n, Variable) else None
            if variable is None or variable in inside or variable.type is None:
                continue
            if variable not in self.places:
                found[variable] = None
        return list(found)

    def _callback(
        self,
        node: ForEach,
        user_map: UserMap,
        shared: list[VariableInfo | str],
        stopped: int,
        context: int,
    ) -> Function:
        outer_state, outer_loops, outer_context, outer_event = (
            self.state,
            self.loops,
            self.context,
            self.event,
        )
        function = self.module.new_function(f"each_{len(self.module.functions)}", params=4)
        b = Builder(function)
        stop, goon, leave = b.block("stop"), b.block("goon"), b.block("leave")
        self.state = FunctionState(function, b, leave)
        exits = [(goon, 0, 0), (stop, 1, 0), (leave, 1, _LEFT)]
        if any(_decides(n) for n in walk(node.body)):
            end = b.block("end")
            self.state.outside.append(end)
            exits.append((end, 1, _ENDED))
        self.loops = [_Loop(stop, goon)]
        _, key, value, struct = (b.param(i, pointer=True) for i in range(4))
        changed = self._changed_in(node)
        for i, variable in enumerate(shared):
            handed = b.load(8, struct, 8 * i)
            b.write_var(variable, self._unknown(handed) if variable in changed else handed)
        self.context = b.load(8, struct, context, pointer_result=True)
        self.open_setup()
        if self.clause.needs_args or self.clause.needs_probe or self.parts:
            kind = self.targets[0].kind
            self.event = kind.begin_program(self, leave)
            # It is one of the targets, as outside; the verifier has to be told again.
            kind.enter_clause(self, self.event, self.targets, leave)
        self._bind_entry(node, user_map, key, value)
        self.block(node.body)
        b.jump(goon)
        self.close_setup()
        for block, result, reason in exits:
            b.seal(block)
            b.position(block)
            if reason:
                b.store(8, struct, reason, stopped)
            for i, variable in enumerate(shared):
                b.store(8, struct, b.read_var(variable), 8 * i)
            b.ret(result)
        self.state, self.loops, self.context, self.event = (
            outer_state,
            outer_loops,
            outer_context,
            outer_event,
        )
        return function

    def _bind_entry(self, node: ForEach, user_map: UserMap, key: Value, value: Value) -> None:
        """The loop's variable: a tuple of the entry's key and value."""
        b = self.b
        variable = self.clause.variables[node]
        pair = variable.type
        assert isinstance(pair, Tuple) and user_map.key is not None
        place = self._variable_place(variable)
        self.copy(b.ptr_add(place, pair.offsets[0]), key, user_map.key.size)
        destination = b.ptr_add(place, pair.offsets[1])
        if isinstance(user_map.value, Aggregate):
            number = self.fold(user_map, lambda cpu: self._lookup_percpu(user_map, key, cpu), True)
            b.store(INT64.size, destination, number)
        else:
            self.copy(destination, value, user_map.value.size)

    def map_length(self, ref: MapRef) -> Value:
        """The number of entries that the kernel went over, with a callback that does nothing.

        A callback that counted them itself would be followed by the verifier through every entry.
        """
        b = self.b
        user_map = self.user_map(ref)
        name = "skip_entry"
        callback = next((f for f in self.module.functions if f.name == name), None)
        if callback is None:
            callback = self.module.new_function(name, params=4)
            Builder(callback).ret(0)
        return b.call(
            HELPER_IDS["for_each_map_elem"], b.map_fd(user_map.kernel_map), b.function_ref(callback), 0, 0
        )


def _decides(node: Node) -> bool:
    """Whether it is a verdict, which ends the whole action."""
    entry = FUNCTIONS.get(node.name) if isinstance(node, Call) else None
    return entry is not None and entry.decides


def _gives_result(node: Node) -> bool:
    """Whether it sets what the program returns: a verdict, or `return` with a value."""
    return _decides(node) or (isinstance(node, Return) and node.value is not None)


_STATEMENTS: "dict[type, Callable[[Any, Any], None]]" = {
    ExprStatement: Statements._expression,
    Discard: Statements._expression,
    Let: Statements._let,
    Assign: Statements.assign,
    If: Statements._if,
    While: Statements._while,
    Unroll: Statements._unroll,
    ForRange: Statements._for_range,
    ForEach: Statements._for_each,
    Break: Statements._break,
    Continue: Statements._continue,
    Return: Statements._return,
}
