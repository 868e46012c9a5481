"""Conditions: text to tree to text, places of errors, and texts that are none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernscope.detector.conditions import (
    OPERATORS,
    TRANSFORMERS,
    And,
    Call,
    Check,
    Condition,
    ConditionError,
    Field,
    Items,
    Macro,
    Not,
    Or,
    Reference,
    Word,
    parse_condition,
    print_condition,
    same,
)
from kernscope.detector.placed_text import PlacedText

PLACE = PlacedText("")


def parse(text: str) -> Condition:
    return parse_condition(PlacedText(text))


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("proc.name=bash", "proc.name = bash"),
        ("proc.name == bash", "proc.name = bash"),
        ("a and b or c", "a and b or c"),
        ("a and (b or not(c))", "a and (b or not c)"),
        ("((a))", "a"),
        ("not not a", "not not a"),
        ("proc.aname[2] in (a,'b c' , \"d\")", 'proc.aname[2] in (a, "b c", "d")'),
        ("proc.name in (shells)", "proc.name in (shells)"),
        ("proc.name in shells", "proc.name in (shells)"),
        ("fd.name pmatch ()", "fd.name pmatch ()"),
        ("proc.pname exists", "proc.pname exists"),
        ("container.mount.dest[/proc*] exists", "container.mount.dest[/proc*] exists"),
        ('proc.env["a]b"] = x', 'proc.env["a]b"] = x'),
        ("tolower(proc.name) = val(proc.pname)", "tolower(proc.name) = val(proc.pname)"),
        ("proc.name = tolower(basename(proc.pname))", "proc.name = tolower(basename(proc.pname))"),
        ("fd.name glob /proc/*/environ", "fd.name glob /proc/*/environ"),
        ("proc.pname in (runc:[0:PARENT], exe)", "proc.pname in (runc:[0:PARENT], exe)"),
        ("evt.dir = <", "evt.dir = <"),
        ("proc.cmdline contains -o=x", "proc.cmdline contains -o=x"),
        ("fd.num>=0", "fd.num >= 0"),
        (r'fd.name regex "\.ssh\\x\"y"', r'fd.name regex "\\.ssh\\x\"y"'),
        ("proc.name = and", "proc.name = and"),
        ("andy and notes", "andy and notes"),
    ],
)
def test_printing(text: str, printed: str) -> None:
    assert print_condition(parse(text)) == printed


def test_precedence() -> None:
    tree = parse("a or b and not c")
    assert isinstance(tree, Or) and isinstance(tree.parts[1], And)
    assert isinstance(tree.parts[1].parts[1], Not)


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("", "expected a comparison, a macro or `(`, not the end of the condition", 1),
        ("proc.name", "expected an operator behind the field, not the end of the condition", 9),
        ("proc.name is bash", "expected an operator behind the field, not `is`", 11),
        ("a b", "expected `and`, `or` or the end, not `b`", 3),
        ("(a", "expected `)`, not the end of the condition; `(` at character 1 is not closed", 2),
        ("a)", "expected `and`, `or` or the end, not `)`", 2),
        ("a and", "expected a comparison, a macro or `(`, not the end of the condition", 5),
        ("proc.name = ", "expected a value behind `=`, not the end of the condition", 11),
        ("proc.name in (a b)", "expected `,` or `)`, not `b`", 17),
        ("proc.name in (a,)", "expected a value, not `)`", 17),
        ('proc.name = "bash', 'the text that begins with " does not end', 13),
        ("shout(proc.name) = A", "there is no transformer `shout`", 1),
        ("name = bash", "`name` is not a field, so it cannot be compared", 1),
        ("proc.aname[2 = x", "`[` is not closed", 11),
        ("(" * 200 + "a" + ")" * 200, "more than 100 parentheses and `not` are nested here", 102),
        ("not " * 200 + "a", "more than 100 parentheses and `not` are nested here", 405),
    ],
)
def test_errors(text: str, message: str, column: int) -> None:
    with pytest.raises(ConditionError) as caught:
        parse(text)
    diagnostic = caught.value.diagnostic
    assert diagnostic.code == "bad-condition" and diagnostic.message == message
    assert diagnostic.span is not None
    assert diagnostic.span.source.position(diagnostic.span.start)[1] == column


FIELDS = st.sampled_from(["proc.name", "fd.name", "evt.arg.flags", "user.uid"])
FIELD = st.builds(
    lambda name, argument: Field(PLACE, 0, 0, name, argument),
    FIELDS,
    st.none() | st.text(st.characters(codec="utf-8"), max_size=6),
)
OPERAND = st.recursive(
    FIELD,
    lambda inner: st.builds(lambda n, o: Call(PLACE, 0, 0, n, o), st.sampled_from(TRANSFORMERS), inner),
    max_leaves=3,
)
BARE = st.from_regex(r"[A-Za-z0-9/_.:*=<>-]+", fullmatch=True)
WORD = st.builds(
    lambda v: Word(PLACE, 0, 0, v, True), st.text(st.characters(codec="utf-8"), max_size=8)
) | st.builds(lambda v: Word(PLACE, 0, 0, v, False), BARE)
REFERENCE = st.builds(lambda o: Reference(PLACE, 0, 0, o), OPERAND)
ITEMS = st.builds(lambda words: Items(PLACE, 0, 0, words), st.lists(WORD, max_size=4))


def _check(
    operand: Field | Call, operator: str, word: Word, items: Items, reference: Reference, other: bool
) -> Check:
    value: Word | Items | Reference | None = word
    if operator in ("in", "intersects", "pmatch"):
        value = items
    if other:
        value = reference
    return Check(PLACE, 0, 0, operand, operator, None if operator == "exists" else value)


CHECK = st.builds(_check, OPERAND, st.sampled_from(OPERATORS), WORD, ITEMS, REFERENCE, st.booleans())
MACRO = st.builds(
    lambda n: Macro(PLACE, 0, 0, n), st.sampled_from(["shells", "a_b", "note", "ordered", "inner"])
)
CONDITION = st.recursive(
    CHECK | MACRO,
    lambda inner: (
        st.builds(lambda p: Not(PLACE, 0, 0, p), inner)
        | st.builds(lambda p: And(PLACE, 0, 0, p), st.lists(inner, min_size=2, max_size=3))
        | st.builds(lambda p: Or(PLACE, 0, 0, p), st.lists(inner, min_size=2, max_size=3))
    ),
    max_leaves=8,
)


@settings(max_examples=80, deadline=None)
@given(CONDITION)
def test_printing_and_parsing_gives_the_same_tree(tree: Condition) -> None:
    assert same(parse(print_condition(tree)), tree)


PIECES = [
    "and",
    "or",
    "not",
    "(",
    ")",
    "proc.name",
    "in",
    "=",
    '"',
    "'",
    ",",
    "[",
    "]",
    "val(",
    "tolower(",
    "x",
    " ",
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=25).map("".join))
def test_any_text_is_a_condition_or_an_error(text: str) -> None:
    try:
        parse(text)
    except ConditionError as problem:
        assert problem.diagnostic.span is not None
