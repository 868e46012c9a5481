"""Comparing one string with many constants at once: `strequals`, `strstarts`, `strends`.

The constants become a tree of decisions over words of eight bytes. At each place of the string one word is read;
shorter constants are compared with as much of it as they have, longer ones are found by halves, and go on with the next
word. So a hundred constants take a few comparisons more than one. Strings are zero behind their end, so a NUL behind a
constant makes it the whole string. From behind it is the same, with words that end where the string ends.
"""

from kernscope.catalog.base import CheckContext, Function, LowerContext
from kernscope.catalog.functions.checks import literal_text, string_limit
from kernscope.catalog.functions.search import capacity, copy_text, scan, wants_text
from kernscope.diagnostics import error
from kernscope.ssa import Cond
from kernscope.syntax.ast import Call, Expr
from kernscope.types import BOOL, UINT64, Array, Pointer, String, Type, align_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kernscope.ssa import Block, Builder, Value

__all__ = ["FUNCTIONS", "contains_one"]

_WORD = 8
_FEW = 3
"""So many constants are compared one by one; more are halved."""


class _Matching(Function):
    arity = (2, None)
    what = ""

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        wants_text(cx, call, call.args[0])
        for arg in call.args[1:]:
            literal_text(cx, call, arg, "a text")
        return BOOL

    @staticmethod
    def constants(lo: LowerContext, call: Call) -> "list[bytes]":
        """Each once; what contains a NUL is in no string."""
        texts = [lo.constant_string(arg) or "" for arg in call.args[1:]]
        return [b for b in dict.fromkeys(t.encode("utf-8", "surrogateescape") for t in texts) if 0 not in b]


class _FromStart(_Matching):
    end = b""
    """What stands behind a constant."""

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        text = _in_memory(lo, call.args[0])
        wanted = [constant + self.end for constant in self.constants(lo, call)]
        wanted = [constant for constant in wanted if len(constant) <= text.room]
        decided = _Decision(lo)
        decided.from_start(text, wanted, 0, decided.no)
        return decided.result()


class _StrEquals(_FromStart):
    name = "strequals"
    usage = ("strequals(STRING, TEXT, ...)",)
    doc = "Whether a string is one of the constant texts. Many are as fast as few."
    end = b"\0"


class _StrStarts(_FromStart):
    name = "strstarts"
    usage = ("strstarts(STRING, PREFIX, ...)",)
    doc = "Whether a string begins with one of the constant texts. Many are as fast as few."


class _StrEnds(_Matching):
    name = "strends"
    usage = ("strends(STRING, SUFFIX, ...)",)
    doc = "Whether a string ends with one of the constant texts."

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        text = _in_memory(lo, call.args[0])
        wanted = [constant for constant in self.constants(lo, call) if len(constant) < text.room]
        decided = _Decision(lo)
        decided.from_end(text, wanted)
        return decided.result()


class _StrMask(Function):
    name = "strmask"
    usage = ("strmask(STRING, TEXT, BITS, ...)",)
    doc = (
        "The bits of all constant texts that a string fits, or-ed: `=abc` if it is abc, `^abc` if it begins with it, "
        '`$abc` if it ends with it: `strmask($path, "^/etc/", 1, "$.conf", 2)`. All are compared at once.'
    )
    arity = (3, None)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        wants_text(cx, call, call.args[0])
        if len(call.args) % 2 == 0:
            cx.report(error("wrong-arguments", "`strmask()` wants a number behind each text", call.span))
            return UINT64
        for text, bits in zip(call.args[1::2], call.args[2::2]):
            literal = literal_text(cx, call, text, "a text")
            if literal is not None and literal[:1] not in ("=", "^", "$"):
                cx.report(
                    error("wrong-arguments", "the texts of `strmask()` begin with `=`, `^` or `$`", text.span)
                )
            cx.type_of(bits)
            if cx.constant(bits) is None:
                cx.report(
                    error("constant-needed", "the bits are a number that is known when compiling", bits.span)
                )
        return UINT64

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        text = _in_memory(lo, call.args[0])
        start: dict[bytes, int] = {}
        end: dict[bytes, int] = {}
        for one, bits in zip(call.args[1::2], call.args[2::2]):
            wanted = (lo.constant_string(one) or "").encode("utf-8", "surrogateescape")
            kind, constant = wanted[:1], wanted[1:]
            if b"\0" in constant:
                continue
            constant += b"\0" if kind == b"=" else b""
            if len(constant) <= text.room:
                found = end if kind == b"$" else start
                found[constant] = found.get(constant, 0) | (lo.constant(bits) or 0)
        return _Bits(lo, text).of(start, end)


def contains_one(lo: LowerContext, call: Call) -> "Value":
    """Whether one of several constants is in a string. At each place a table of first bytes tells most often that none
    begins there.
    """
    b = lo.b
    wanted = _Matching.constants(lo, call)
    if b"" in wanted:
        lo.value(call.args[0])  # for what it does besides
        return b.const(1)
    size = align_up(capacity(lo.type_of(call.args[0]), string_limit(lo)), _WORD)
    wanted = [constant for constant in wanted if len(constant) < size]
    hay = copy_text(lo, call.args[0], max([_WORD, *(align_up(len(constant), _WORD) for constant in wanted)]))
    firsts = bytearray(256)
    for constant in wanted:
        firsts[constant[0]] = 1
    table = lo.global_address(lo.constant_table(bytes(firsts)))

    def begins_at(i: "Value") -> "Value":
        start, decided = b.ptr_add(hay.address, i), _Decision(lo)
        perhaps = b.block("perhaps", likely=False)
        first = b.load(1, b.ptr_add(table, b.load(1, start)))
        b.branch_cmp(Cond.NE, first, 0, perhaps, decided.no)
        b.seal(perhaps)
        b.position(perhaps)
        decided.from_start(_Text(start, hay.size), wanted, 0, decided.no)
        return decided.result()

    return b.cmp(Cond.ULT, scan(lo, hay.length, hay.size + 1, begins_at), hay.size + 1)


class _Text:
    """A string in memory of our own: `room` bytes, a multiple of eight, zero behind the string's end."""

    __slots__ = ("address", "room")

    def __init__(self, address: "Value", room: int) -> None:
        self.address, self.room = address, room


def _in_memory(lo: LowerContext, expr: Expr) -> _Text:
    t = lo.type_of(expr)
    if isinstance(t, String) and t.size % _WORD == 0:
        return _Text(lo.value(expr), t.size)
    size = capacity(t, string_limit(lo))
    room = align_up(size + isinstance(t, Array), _WORD)
    place = lo.scratch(room)
    lo.clear(place, room)
    if isinstance(t, String):
        lo.into(expr, place, t)
    else:
        space = t.space if isinstance(t, Pointer) else "kernel"
        lo.read_string(lo.value(expr), space, place, size)
    return _Text(place, room)


class _Choosing:
    """Code that finds the constant that a word is."""

    def __init__(self, lo: LowerContext) -> None:
        self.b: Builder = lo.b

    def _go(self, block: "Block") -> None:
        self.b.seal(block)
        self.b.position(block)

    def _choose(
        self, word: "Value", numbers: "list[int]", leaf: "Callable[[int], None]", failed: "Block"
    ) -> None:
        """Emit `leaf` for the number that a word is; the code ends with jumps."""
        b = self.b
        if len(numbers) > _FEW:
            middle = len(numbers) // 2
            below, above = b.block("below"), b.block("above")
            b.branch_cmp(Cond.ULT, word, numbers[middle], below, above)
            for block, half in ((below, numbers[:middle]), (above, numbers[middle:])):
                self._go(block)
                self._choose(word, half, leaf, failed)
            return
        for number in numbers:
            same, other = b.block("same"), b.block("other")
            b.branch_cmp(Cond.EQ, word, number, same, other)
            self._go(same)
            leaf(number)
            self._go(other)
        b.jump(failed)

    def _same_before(self, start: "Value", constant: bytes, differs: "Block") -> None:
        """Go on where the bytes at an address are these."""
        b = self.b
        at = 0
        while at < len(constant):
            width = next(w for w in (8, 4, 2, 1) if len(constant) - at >= w)
            same = b.block("same")
            word = _number(constant[at : at + width])
            b.branch_cmp(Cond.EQ, b.load(width, start, at), word, same, differs)
            self._go(same)
            at += width


class _Bits(_Choosing):
    """Code that gathers the bits of all constants that fit a string."""

    def __init__(self, lo: LowerContext, text: _Text) -> None:
        super().__init__(lo)
        self.lo, self.text, self.found = lo, text, object()

    def of(self, start: "dict[bytes, int]", end: "dict[bytes, int]") -> "Value":
        b = self.b
        b.write_var(self.found, 0)
        begun, done = b.block("begun"), b.block("bits")
        self._from_start(start, 0, begun)
        self._go(begun)
        self._from_end(end, done)
        self._go(done)
        # Each way here has other bits: the verifier would follow all of them further if it knew.
        return self.lo.unforeseen(b.read_var(self.found))

    def _add(self, bits: int) -> None:
        self.b.write_var(self.found, self.b.or_(self.b.read_var(self.found), bits))

    def _from_start(self, wanted: "dict[bytes, int]", at: int, done: "Block") -> None:
        b = self.b
        for constant, bits in wanted.items():
            if len(constant) == at:
                self._add(bits)
        longer = {constant: bits for constant, bits in wanted.items() if len(constant) > at}
        if not longer:
            b.jump(done)
            return
        word = b.load(_WORD, self.text.address, at)
        short = {c[at:]: bits for c, bits in longer.items() if len(c) - at < _WORD}
        self._short(word, short, _low)
        groups: dict[int, dict[bytes, int]] = {}
        for constant, bits in longer.items():
            if len(constant) - at >= _WORD:
                groups.setdefault(_number(constant[at : at + _WORD]), {})[constant] = bits
        self._choose(word, sorted(groups), lambda n: self._from_start(groups[n], at + _WORD, done), done)

    def _short(
        self, word: "Value", wanted: "dict[bytes, int]", part: "Callable[[Builder, Value, int], Value]"
    ) -> None:
        for length in sorted({len(constant) for constant in wanted}):
            bits = {_number(c): bits for c, bits in wanted.items() if len(c) == length}
            following = self.b.block("longer")

            def leaf(number: int, bits: "dict[int, int]" = bits, following: "Block" = following) -> None:
                self._add(bits[number])
                self.b.jump(following)

            self._choose(part(self.b, word, length), sorted(bits), leaf, following)
            self._go(following)

    def _from_end(self, wanted: "dict[bytes, int]", done: "Block") -> None:
        b = self.b
        self._add(wanted.pop(b"", 0))
        if not wanted:
            b.jump(done)
            return
        some = b.block("some")
        b.branch_cmp(Cond.NE, b.load(_WORD, self.text.address), 0, some, done)
        self._go(some)
        length = _length(b, self.text)
        word = _last_word(b, self.text, length)
        self._short(word, {c: bits for c, bits in wanted.items() if len(c) < _WORD}, _high)
        groups: dict[int, dict[bytes, int]] = {}
        for constant, bits in wanted.items():
            if len(constant) >= _WORD:
                groups.setdefault(_number(constant[-_WORD:]), {})[constant[:-_WORD]] = bits

        def leaf(number: int) -> None:
            self._before(length, groups[number])
            b.jump(done)

        self._choose(word, sorted(groups), leaf, done)

    def _before(self, length: "Value", wanted: "dict[bytes, int]") -> None:
        """What is to stand in front of the last word."""
        b = self.b
        for constant, bits in wanted.items():
            long_enough, following = b.block("long_enough"), b.block("shorter")
            whole = len(constant) + _WORD
            b.branch_cmp(Cond.UGE, length, whole, long_enough, following)
            self._go(long_enough)
            self._same_before(b.ptr_add(self.text.address, b.sub(length, whole)), constant, following)
            self._add(bits)
            b.jump(following)
            self._go(following)


class _Decision(_Choosing):
    """Code that goes to `yes` or `no`."""

    def __init__(self, lo: LowerContext) -> None:
        super().__init__(lo)
        self.yes, self.no = self.b.block("match"), self.b.block("no_match")

    def result(self) -> "Value":
        """1 or 0, where both ways meet."""
        b, result, done = self.b, object(), self.b.block("matched")
        for block, value in ((self.yes, 1), (self.no, 0)):
            self._go(block)
            b.write_var(result, value)
            b.jump(done)
        self._go(done)
        return b.read_var(result)

    def from_start(self, text: _Text, wanted: "Iterable[bytes]", at: int, failed: "Block") -> None:
        """Constants of which the bytes before `at` have matched. The code ends with jumps."""
        b = self.b
        wanted = list(wanted)
        if any(len(constant) == at for constant in wanted):
            b.jump(self.yes)
            return
        if not wanted:
            b.jump(failed)
            return
        word = b.load(_WORD, text.address, at)
        groups: dict[int, list[bytes]] = {}
        for constant in wanted:
            piece = constant[at : at + _WORD]
            if len(piece) == _WORD:
                groups.setdefault(_number(piece), []).append(constant)
        self._short(word, {constant[at:] for constant in wanted if len(constant) - at < _WORD}, _low)

        def leaf(number: int) -> None:
            self.from_start(text, groups[number], at + _WORD, failed)

        self._choose(word, sorted(groups), leaf, failed)

    def from_end(self, text: _Text, wanted: "list[bytes]") -> None:
        b = self.b
        if b"" in wanted or not wanted:
            b.jump(self.yes if wanted else self.no)
            return
        some = b.block("some")
        b.branch_cmp(Cond.NE, b.load(_WORD, text.address), 0, some, self.no)
        self._go(some)
        length = _length(b, text)
        word = _last_word(b, text, length)
        groups: dict[int, list[bytes]] = {}
        for constant in wanted:
            if len(constant) >= _WORD:
                groups.setdefault(_number(constant[-_WORD:]), []).append(constant[:-_WORD])
        self._short(word, {constant for constant in wanted if len(constant) < _WORD}, _high)
        self._choose(word, sorted(groups), lambda number: self._before(text, length, groups[number]), self.no)

    def _before(self, text: _Text, length: "Value", wanted: "list[bytes]") -> None:
        """What is to stand in front of the last word, one after the other."""
        b = self.b
        if b"" in wanted:
            b.jump(self.yes)
            return
        for constant in wanted:
            long_enough, following = b.block("long_enough"), b.block("shorter")
            whole = len(constant) + _WORD
            b.branch_cmp(Cond.UGE, length, whole, long_enough, following)
            self._go(long_enough)
            self._same_before(b.ptr_add(text.address, b.sub(length, whole)), constant, following)
            b.jump(self.yes)
            self._go(following)
        b.jump(self.no)

    def _short(
        self, word: "Value", wanted: "set[bytes]", part: "Callable[[Builder, Value, int], Value]"
    ) -> None:
        """Constants of less than a word; the code goes on where none matches."""
        for length in sorted({len(constant) for constant in wanted}):
            numbers = sorted(_number(constant) for constant in wanted if len(constant) == length)
            following = self.b.block("longer")
            self._choose(part(self.b, word, length), numbers, lambda _: self.b.jump(self.yes), following)
            self._go(following)


def _number(piece: bytes) -> int:
    return int.from_bytes(piece, "little")


def _low(b: "Builder", word: "Value", length: int) -> "Value":
    return b.and_(word, (1 << 8 * length) - 1)


def _high(b: "Builder", word: "Value", length: int) -> "Value":
    return b.lshr(word, 8 * (_WORD - length))


def _is_some(b: "Builder", number: "Value") -> "Value":
    """1 if a number is not 0, without a branch."""
    return b.lshr(b.or_(number, b.neg(number)), 63)


def _length(b: "Builder", text: _Text) -> "Value":
    """The length of a string whose first word is not zero; at most `room`.

    All behind its end is zero, so its last word is found by halves. There are no branches, each of which would double
    what the verifier goes through: it knows that each step adds so much at most.
    """
    last: Value = b.const(0)
    left = text.room // _WORD - 1
    while left:
        half = (left + 1) // 2
        word = b.load(_WORD, b.ptr_add(text.address, b.shl(last, 3)), _WORD * half)
        last = b.add(last, b.mul(_is_some(b, word), half))
        left -= half
    word = b.load(_WORD, b.ptr_add(text.address, b.shl(last, 3)))
    more: Value = b.const(0)
    for step in (4, 2, 1):
        rest = b.lshr(word, b.shl(b.add(more, step), 3))
        more = b.add(more, b.mul(_is_some(b, rest), step))
    return b.add(b.add(b.shl(last, 3), more), 1)


def _last_word(b: "Builder", text: _Text, length: "Value") -> "Value":
    """The eight bytes before the end; of a shorter string its bytes, behind zeros."""
    result, short, long, done = object(), b.block("short"), b.block("long"), b.block("last_word")
    b.branch_cmp(Cond.UGE, length, _WORD, long, short)
    b.seal(long)
    b.position(long)
    b.write_var(result, b.load(_WORD, b.ptr_add(text.address, b.sub(length, _WORD))))
    b.jump(done)
    b.seal(short)
    b.position(short)
    b.write_var(result, b.shl(b.load(_WORD, text.address), b.sub(64, b.shl(length, 3))))
    b.jump(done)
    b.seal(done)
    b.position(done)
    return b.read_var(result)


FUNCTIONS = (_StrEquals(), _StrStarts(), _StrEnds(), _StrMask())
