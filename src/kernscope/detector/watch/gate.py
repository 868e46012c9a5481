"""The part of conditions that the kernel decides: an expression of our language that is true wherever a condition is.

It may be true where no condition is (what the kernel cannot tell passes), never the other way round. For that every
comparison becomes two: what is perhaps true and what is surely true, and `not` swaps them. What a comparison is for the
one event type asked about, and on a plain host, is known before and folds away; how the kernel knows the rest is in
`gate_fields`. A value that the kernel sometimes does not know (a relative path) makes two gates: one as if it knew, and
one without the value, which counts where it does not.
"""

from __future__ import annotations

from kernscope.detector.conditions import And, Check, Condition, Field, Not, Or
from kernscope.detector.evaluate import compile_condition
from kernscope.detector.folding import fold
from kernscope.detector.watch.calls import watched_call
from kernscope.detector.watch.gate_fields import Place, check_bounds, succeeded
from kernscope.detector.watch.gate_logic import (
    FALSE,
    TRUE,
    Test,
    Truth,
    all_of,
    any_of,
    inverse,
    program_form,
)
from kernscope.detector.watch.gate_text import Bounds, both, bounds, either, negated
from kernscope.detector.watch.live_event import LiveEvent
from kernscope.detector.watch.processes import ProcessTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ALWAYS", "NEVER", "decided", "gate", "remainder"]

ALWAYS, NEVER = TRUE.text, FALSE.text

_BY_TYPE = frozenset(
    (
        *("evt.type", "syscall.type", "evt.category", "evt.dir", "evt.source", "evt.is_async", "evt.count"),
        *("evt.is_io", "evt.is_io_read", "evt.is_io_write", "evt.io_dir", "evt.count.exit"),
    )
)
"""Fields that are the same in all events of a type."""


def gate(conditions: Sequence[Condition], event_type: str, names: Mapping[str, str]) -> str:
    """An expression that is true for every event of `event_type` for which one of the (expanded) conditions is.

    "1": all events of this type are wanted; "0": none, so that nothing need be attached for the type.

    `names` says what stands for a value in the program's text at the place of the gate, where the call's arguments are
    `$a0` … `$a5`; what is not in it is not decided in the kernel. Keys, and what the expression must be:

    | key | type | value |
    | --- | --- | --- |
    | `path` | string | `fs.path.name`; with `mode` also `fd.name`: absolute, "" where missing |
    | `source`, `target` | string | `fs.path.source`, `fs.path.target` |
    | `comm`, `pcomm` | string | `proc.name`, `proc.pname` |
    | `pid`, `tid`, `uid`, `gid` | number | the field of that name |
    | `res` | number | `evt.rawres`, signed |
    | `flags` | number | of `open…`: the kernel's flags (O_…) |
    | `mode` | number | `i_mode` of the file, 0 where missing |
    | `family` | number | AF_… of the socket, 0 where it is none |
    | `protocol` | number | IPPROTO_… of the socket |
    | `sip`, `cip`, `lip`, `rip` | number | IPv4 address in host order, else 0 |
    | `sport`, `cport`, `lport`, `rport` | number | the port in host order |
    | `…_unknown` | truth | with `path_unknown` and so on: whether the field may be something else than the expression;
    parts joined by ` && ` |

    Without its `…_unknown` a path is not known where it is "", an address or port where it is 0.
    """
    return program_form(decided(conditions, event_type, names))


def decided(conditions: Sequence[Condition], event_type: str, names: Mapping[str, str]) -> Truth:
    """The same for people: its `text` has each comparison by itself."""
    sure = {key: text for key, text in names.items() if not key.endswith(_UNKNOWN)}
    unknown: dict[str, Truth] = {}
    for key in sure:
        default = f"{key}{_UNKNOWN}" in names or key not in _DEFAULTS
        text = names.get(f"{key}{_UNKNOWN}", "0") if default else _DEFAULTS[key].replace("VALUE", sure[key])
        if text != FALSE.text:
            unknown[key] = all_of([_test(part, sure) for part in text.split(" && ")])
    known = _Gate(event_type, sure).truth(conditions)
    if not unknown or known == TRUE:
        return known
    # What is not known is asked about once, where it matters at all.
    others = {key: text for key, text in sure.items() if key not in unknown}
    without = _Gate(event_type, others).truth(conditions)
    return any_of([known, all_of([without, any_of(unknown.values())])])


def remainder(condition: Condition, event_type: str, names: Mapping[str, str]) -> list[Condition]:
    """The parts of a condition, all of which must be true, that the gate does not decide for good."""
    sure = {key: text for key, text in names.items() if not key.endswith(_UNKNOWN)}
    made = _Gate(event_type, sure)
    parts = condition.parts if isinstance(condition, And) else [condition]
    found = [(part, made.bounds(part)) for part in parts]
    return [part for part, known in found if known.perhaps != known.sure]


def _test(text: str, names: Mapping[str, str]) -> Truth:
    """A part of what says that a value is not known; that the call failed is a test that rules make too."""
    if text == f"{names.get('res')} < 0":
        return inverse(succeeded(names["res"]))
    return Test(f"({text})", _UNKNOWN_COST)


_UNKNOWN = "_unknown"
_UNKNOWN_COST = 1000
_NO_TEXT, _NO_NUMBER = 'strequals(VALUE, "")', "(VALUE) == 0"
_DEFAULTS = dict.fromkeys(("path", "source", "target"), _NO_TEXT) | dict.fromkeys(
    (f"{end}{what}" for end in "sclr" for what in ("ip", "port")), _NO_NUMBER
)


class _Gate:
    def __init__(self, event_type: str, names: Mapping[str, str]) -> None:
        self.place = Place(event_type, names, watched_call(event_type))
        event = LiveEvent(event_type, ProcessTree(lambda pid: None), None, 0)
        event.call = self.place.call
        self.event = event
        self.known: dict[int, Bounds] = {}  # macros' trees are shared

    def truth(self, conditions: Sequence[Condition]) -> Truth:
        return any_of([self.bounds(condition).perhaps for condition in conditions])

    def bounds(self, node: Condition) -> Bounds:
        found = self.known.get(id(node))
        if found is None:
            found = self.known[id(node)] = self._make(node)
        return found

    def _make(self, node: Condition) -> Bounds:
        match node:
            case And():
                return both([self.bounds(part) for part in node.parts])
            case Or():
                return either([self.bounds(part) for part in node.parts])
            case Not():
                return negated(self.bounds(node.part))
            case Check():
                return self._check(node)
        raise AssertionError("macros are expanded before")

    def _check(self, node: Check) -> Bounds:
        if isinstance(node.operand, Field) and self._is_constant(node.operand):
            return bounds(TRUE if compile_condition(node, [])(self.event) else FALSE)
        truth, _ = fold(node)
        if truth is not None:
            return bounds(TRUE if truth else FALSE)
        return check_bounds(node, self.place)

    @staticmethod
    def _is_constant(field: Field) -> bool:
        return field.key in _BY_TYPE or field.key.startswith("evt.type.is.")
