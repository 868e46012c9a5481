"""Functions on strings that are read already: lengths, comparing, searching."""

from kernscope.catalog.base import CheckContext, Function, LowerContext
from kernscope.catalog.functions.checks import literal_text, string_limit, wants_integer
from kernscope.catalog.functions.matching import contains_one
from kernscope.catalog.functions.search import SLACK_BYTES, Text, capacity, copy_text, scan, wants_text
from kernscope.diagnostics import error
from kernscope.ssa import Cond
from kernscope.syntax.ast import Call, Expr
from kernscope.types import BOOL, INT64, NONE, UINT64, Array, String, Type, align_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kernscope.ssa import Value

__all__ = ["FUNCTIONS"]

_WALKED_STEPS = 1025 * 65
"""Steps of two nested loops that a verifier without may_goto can be made to walk through."""

_INLINE_NEEDLE_BYTES = 64
"""Constants up to here are compared as words at each place."""


class _Strlen(Function):
    name = "strlen"
    usage = ("strlen(STRING)",)
    doc = "Length of a string in bytes."
    arity = (1, 1)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        wants_text(cx, call, call.args[0])
        return UINT64

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        known = lo.constant_string(call.args[0])
        if known is not None:
            return lo.b.const(len(_content(known)))
        return copy_text(lo, call.args[0]).length


class _Strcap(Function):
    name = "strcap"
    usage = ("strcap(STRING)",)
    doc = "How many bytes a string's place has, its NUL included; of a pointer, its string's length."
    arity = (1, 1)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        wants_text(cx, call, call.args[0])
        return INT64

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        t = lo.type_of(call.args[0])
        size = t.shown_size if isinstance(t, String) else capacity(t, 0)
        return lo.b.const(size) if size else copy_text(lo, call.args[0]).length


class _Strncmp(Function):
    name = "strncmp"
    usage = ("strncmp(STRING, STRING, LENGTH)",)
    doc = "0 if the first LENGTH bytes of two strings are the same, else 1."
    arity = (3, 3)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        for arg in call.args[:2]:
            wants_text(cx, call, arg)
        wants_integer(cx, call, call.args[2])
        length = cx.constant(call.args[2])
        if length is None or length < 0:
            cx.report(
                error(
                    "constant-needed" if length is None else "wrong-arguments",
                    "`strncmp()` wants a length that is known when compiling, 0 or more",
                    call.args[2].span,
                )
            )
        return INT64

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        b = lo.b
        wanted = lo.constant(call.args[2]) or 0
        size = min(wanted, *(capacity(lo.type_of(arg), string_limit(lo)) for arg in call.args[:2]))
        if size == 0:
            for arg in call.args[:2]:
                lo.value(arg)  # for what it does besides
            return b.const(0)
        places = []
        for arg in call.args[:2]:
            # cut to `size` bytes and zero behind their end, so that comparing whole words decides
            room = align_up(size + 1, 8)
            text = copy_text(lo, arg, 0)
            place = lo.scratch(room)
            lo.clear(place, room)
            lo.read_string(text.address, "kernel", place, size + 1)
            places.append(place)
        return b.logical_not(lo.equal_bytes(places[0], places[1], align_up(size, 8)))


class _Find(Function):
    """Searching one string in another."""

    arity: tuple[int, int | None] = (2, 2)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        for arg in call.args:
            wants_text(cx, call, arg)
        hay, needle = (cx.type_of(arg) for arg in call.args)
        if hay is None or needle is None or cx.constant_string(call.args[1]) is not None:
            return self.result
        steps = capacity(hay, string_limit(cx)) * capacity(needle, string_limit(cx))
        if steps > _WALKED_STEPS and not cx.kernel.has_feature("may_goto"):
            cx.report(
                error(
                    "string-too-long",
                    "this kernel cannot search strings of this size in each other",
                    call.span,
                    notes="it has no may_goto (Linux 6.9), so the work must have a bound that is known",
                    help="read shorter strings, `str(pointer, 64)`, or search a constant string",
                )
            )
        return self.result

    result: Type = INT64

    def place(self, lo: LowerContext, call: Call) -> "tuple[Value, int]":
        """Where the needle is, and the number that stands for nowhere."""
        hay, needle = call.args
        known = lo.constant_string(needle)
        if known is not None and len(_content(known)) <= _INLINE_NEEDLE_BYTES:
            return _find_constant(lo, hay, _content(known))
        return _find_text(lo, hay, needle)


class _Strstr(_Find):
    name = "strstr"
    usage = ("strstr(STRING, WANTED)",)
    doc = "Where WANTED begins in a string, counted from 0; -1 where it is not in it."

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        b = lo.b
        where, nowhere = self.place(lo, call)
        return b.select(b.cmp(Cond.ULT, where, nowhere), where, -1)


class _Strcontains(_Find):
    name = "strcontains"
    usage = ("strcontains(STRING, WANTED)", "strcontains(STRING, TEXT, ...)")
    doc = "Whether WANTED is in a string, or one of several constant texts, which are looked for at once."
    arity = (2, None)
    result = BOOL

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        if len(call.args) == 2:
            return super().check(cx, call)
        wants_text(cx, call, call.args[0])
        for arg in call.args[1:]:
            literal_text(cx, call, arg, "a text")
        return BOOL

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        if len(call.args) > 2:
            return contains_one(lo, call)
        where, nowhere = self.place(lo, call)
        return lo.b.cmp(Cond.ULT, where, nowhere)


def _content(text: str) -> bytes:
    """A constant string's bytes, up to its first NUL."""
    return text.encode("utf-8", "surrogateescape").split(b"\0", 1)[0]


def _places(lo: LowerContext, hay: Text, length: "Value | int") -> "Value":
    """How many places there are for a string of `length` bytes."""
    b = lo.b
    end = b.add(hay.length, 1)
    return b.select(b.cmp(Cond.UGE, end, length), b.sub(end, length), 0)


def _find_constant(lo: LowerContext, expr: Expr, needle: bytes) -> "tuple[Value, int]":
    hay = copy_text(lo, expr, align_up(len(needle), 8) + SLACK_BYTES)
    nowhere = hay.size + 1
    b = lo.b

    def test(i: "Value") -> "Value":
        start = b.ptr_add(hay.address, i)
        same: Value = b.const(1)
        at = 0
        for width in (8, 4, 2, 1):
            while len(needle) - at >= width:
                word = int.from_bytes(needle[at : at + width], "little")
                same = b.and_(same, b.cmp(Cond.EQ, b.load(width, start, at), word))
                at += width
        return same

    return scan(lo, _places(lo, hay, len(needle)), nowhere, test), nowhere


def _find_text(lo: LowerContext, hay_expr: Expr, needle_expr: Expr) -> "tuple[Value, int]":
    t = lo.type_of(needle_expr)
    needle_bytes = capacity(t, string_limit(lo)) + isinstance(t, Array)
    hay = copy_text(lo, hay_expr, align_up(needle_bytes, 8) + SLACK_BYTES)
    needle = copy_text(lo, needle_expr)
    nowhere = hay.size + 1
    places = lo.unforeseen(_places(lo, hay, needle.length))
    comparing = _byte_by_byte if lo.kernel.has_feature("may_goto") else _masked_words
    same_at = comparing(lo, needle)
    return scan(lo, places, nowhere, lambda i: same_at(lo.b.ptr_add(hay.address, i))), nowhere


def _byte_by_byte(lo: LowerContext, needle: Text) -> "Callable[[Value], Value]":
    """Whether the needle is at an address, by a loop that ends at the first difference."""
    b = lo.b
    length = lo.unforeseen(needle.length)

    def same(start: "Value") -> "Value":
        def differs(j: "Value") -> "Value":
            return b.cmp(Cond.NE, b.load(1, b.ptr_add(start, j)), b.load(1, b.ptr_add(needle.address, j)))

        return b.cmp(Cond.UGE, scan(lo, length, needle.size, differs), length)

    return same


def _masked_words(lo: LowerContext, needle: Text) -> "Callable[[Value], Value]":
    """The same without branches, so that a verifier which walks through the outer loop has one path to walk.

    For each word a mask of the bytes that belong to the needle is kept in memory.
    """
    b = lo.b
    words = range(0, align_up(needle.size, 8), 8)
    masks = lo.scratch(align_up(needle.size, 8))
    for at in words:
        rest = b.sub(needle.length, at)
        some = b.sub(b.shl(1, b.and_(b.shl(rest, 3), 63)), 1)
        whole = b.select(b.cmp(Cond.SGE, rest, 8), -1, some)
        b.store(8, masks, b.select(b.cmp(Cond.SGT, rest, 0), whole, 0), at)

    def same(start: "Value") -> "Value":
        different: Value = b.const(0)
        for at in words:
            word = b.xor(b.load(8, start, at), b.load(8, needle.address, at))
            different = b.or_(different, b.and_(word, b.load(8, masks, at)))
        return b.cmp(Cond.EQ, different, 0)

    return same


class _AssertStr(Function):
    name = "assert_str"
    usage = ("assert_str(VALUE)",)
    doc = "Refuse to compile where VALUE is no string."
    arity = (1, 1)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        wants_text(cx, call, call.args[0])
        return NONE

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        return None


FUNCTIONS = (_Strlen(), _Strcap(), _Strncmp(), _Strstr(), _Strcontains(), _AssertStr())
