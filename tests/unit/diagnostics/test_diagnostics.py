import json

import pytest

from kernscope.diagnostics import (
    CompileError,
    Diagnostic,
    Source,
    Span,
    error,
    note,
    render_text,
    suggest,
    to_json,
    warning,
)
from kernscope.diagnostics.display import clean, display_width, wrap
from kernscope.diagnostics.suggest import edit_distance


def at(source: Source, text: str) -> Span:
    start = source.text.index(text)
    return Span(source, start, start + len(text))


def render(diagnostic: Diagnostic, width: int = 100) -> list[str]:
    return render_text([diagnostic], width=width).split("\n")


def test_positions() -> None:
    source = Source("x", "ab\n\ncd\r\ne")
    assert [source.position(offset) for offset in range(len(source.text) + 1)] == [
        (1, 1),
        (1, 2),
        (1, 3),
        (2, 1),
        (3, 1),
        (3, 2),
        (3, 3),
        (3, 4),
        (4, 1),
        (4, 2),
    ]
    assert [source.line_text(line) for line in (1, 2, 3, 4)] == ["ab", "", "cd", "e"]
    assert source.line_count == 4
    assert Source("x", "").position(0) == (1, 1)


def test_spans_compare_by_place() -> None:
    source = Source("x", "abc")
    assert Span(source, 0, 1) == Span(source, 0, 1)
    assert Span(source, 0, 1) != Span(Source("x", "abc"), 0, 1)
    assert len({Span(source, 0, 1), Span(source, 0, 1), Span(source, 0, 2)}) == 2
    assert Span(source, 0, 1).to(Span(source, 2, 3)).text == "abc"


def test_the_style_of_an_error() -> None:
    # The example of the style guide, where the line is short enough to stand whole.
    text = 'tracepoint:syscalls:sys_exit_openat { printf("Returned fd=%d\\n", args.fd); }'
    source = Source("<command line>", text)
    start = text.index("fd)")
    diagnostic = error(
        "unknown-field",
        "`tracepoint:syscalls:sys_exit_openat` has no field `fd`",
        Span(source, start, start + 2),
        label="not one of its fields",
        notes="its fields are: `__syscall_nr` (int), `ret` (long)",
        help="the new file descriptor is the return value: `args.ret`",
    )
    assert render_text([diagnostic], width=120) == (
        "error[unknown-field]: `tracepoint:syscalls:sys_exit_openat` has no field `fd`\n"
        "  --> <command line>:1:71\n"
        "   |\n"
        ' 1 | tracepoint:syscalls:sys_exit_openat { printf("Returned fd=%d\\n", args.fd); }\n'
        "   | " + " " * 70 + "^^ not one of its fields\n"
        "   |\n"
        "   = note: its fields are: `__syscall_nr` (int), `ret` (long)\n"
        "   = help: the new file descriptor is the return value: `args.ret`\n"
    )
    lines = render(diagnostic, width=70)
    assert lines[3] == ' 1 | ... printf("Returned fd=%d\\n", args.fd); }'
    assert lines[4] == "   |                                     ^^ not one of its fields"


@pytest.mark.parametrize("width", [40, 41, 50, 60, 77, 78, 79, 80, 100, 250])
@pytest.mark.parametrize("where", ["first", "mid", "last"])
def test_marks_stay_under_their_text_in_shortened_lines(width: int, where: str) -> None:
    words = [f"word{number}" for number in range(30)]
    words[{"first": 0, "mid": 15, "last": 29}[where]] = "TARGET"
    source = Source("x", " ".join(words))
    lines = render(error("c", "m", at(source, "TARGET"), label="here"), width)
    assert all(len(line) <= width for line in lines)
    column = lines[4].index("^")
    assert lines[3][column : column + 6] == "TARGET"
    assert lines[4].endswith("^^^^^^ here")


def test_a_span_wider_than_the_line_is_cut() -> None:
    source = Source("x", "a" * 500)
    lines = render(error("c", "m", Span(source, 0, 500)), 60)
    assert len(lines[3]) <= 60 and len(lines[4]) <= 60
    assert lines[3].endswith(" ...")


def test_labels_on_one_line_hang_below() -> None:
    source = Source("x", "f(a, b)")
    diagnostic = error(
        "c", "m", at(source, "b"), label="main", labels=[(at(source, "f"), "of"), (at(source, "a"), "one")]
    )
    assert render(diagnostic)[3:] == [
        " 1 | f(a, b)",
        "   | - -  ^ main",
        "   | | |",
        "   | | one",
        "   | of",
        "",
    ]


def test_a_label_that_does_not_fit_beside_its_mark_hangs_below() -> None:
    source = Source("x", "a" * 50 + " BAD")
    lines = render(error("c", "m", at(source, "BAD"), label="this text is longer than what is left"), 60)
    assert lines[4:] == [
        "   | " + " " * 51 + "^^^",
        "   | " + " " * 51 + "|",
        "   | " + " " * 18 + "this text is longer than what is left",
        "",
    ]
    lines = render(error("c", "m", at(source, "BAD"), label="word " * 20 + "end"), 60)
    assert all(len(line) <= 60 for line in lines)
    assert " ".join(line.removeprefix("   | ") for line in lines[6:8]) == "word " * 20 + "end"


def test_places_within_the_main_one_stay_visible() -> None:
    source = Source("x", "abc == 12")
    labels = [(at(source, "abc"), "a string"), (at(source, "12"), "a number")]
    assert render(error("c", "m", Span(source, 0, 9), labels=labels))[4:] == [
        "   | ---^^^^-- a number",
        "   | |",
        "   | a string",
        "",
    ]


def test_labels_on_other_lines() -> None:
    source = Source("x", "one\ntwo\nthree\nfour\n" + "x\n" * 7 + "twelve\n")
    diagnostic = error(
        "c", "m", at(source, "twelve"), labels=[(at(source, "one"), "first"), (at(source, "two"), "second")]
    )
    assert render(diagnostic) == [
        "error[c]: m",
        "   --> x:12:1",
        "    |",
        "  1 | one",
        "    | --- first",
        "  2 | two",
        "    | --- second",
        "   ...",
        " 12 | twelve",
        "    | ^^^^^^",
        "",
    ]


def test_labels_in_another_source() -> None:
    source, other = Source("x", "abc"), Source("y", "\ndef")
    lines = render(error("c", "m", at(source, "b"), labels=[(at(other, "e"), "from here")]))
    assert lines[5:] == ["  ::: y:2:2", "   |", " 2 | def", "   |  - from here", ""]


def test_a_label_on_the_main_place_is_its_text() -> None:
    source = Source("x", "abc")
    lines = render(error("c", "m", at(source, "b"), labels=[(at(source, "b"), "text")]))
    assert lines[4] == "   |  ^ text"


def test_a_place_over_several_lines_is_marked_to_the_end_of_the_first() -> None:
    source = Source("x", "a {\n  b\n}")
    lines = render(error("c", "m", Span(source, 2, 9)))
    assert lines[3:5] == [" 1 | a {", "   |   ^"]


def test_an_empty_place_at_the_end() -> None:
    source = Source("x", "abc\n")
    assert render(error("c", "m", Span(source, 4, 4)))[1:5] == ["  --> x:2:1", "   |", " 2 |", "   | ^"]
    source = Source("x", "")
    assert render(error("c", "m", Span(source, 0, 0)))[3:5] == [" 1 |", "   | ^"]


def test_wide_and_combining_characters_and_tabs() -> None:
    # 한 and 글 take two columns each, the combining accent none, the tab goes on to a multiple of four.
    source = Source("x", "한글e\u0301\tX")
    lines = render(error("c", "m", at(source, "X")))
    assert lines[3] == " 1 | 한글e\u0301   X"
    assert lines[4] == "   |         ^"
    lines = render(error("c", "m", at(source, "글")))
    assert lines[4] == "   |   ^^"


def test_control_characters_are_shown_as_escapes() -> None:
    source = Source("na\x1bme", "a\x1b[31m\u202eb\udcff\u200bX")
    text = render_text([error("c", "bad `\x07`", at(source, "X"), notes="\x9b1m", help="\r", label="\x00")])
    assert "\x1b" not in text and "\u202e" not in text and "\x9b" not in text and "\r" not in text
    lines = text.split("\n")
    assert lines[0] == "error[c]: bad `\\x07`"
    assert lines[1] == "  --> na\\x1bme:1:11"
    assert lines[3] == " 1 | a\\x1b[31m\\u202eb\\xff\\u200bX"
    assert lines[4].index("^") == lines[3].index("X")


def test_color() -> None:
    source = Source("x", "abc")
    text = render_text([warning("c", "m", at(source, "b"))], color=True)
    assert text.startswith("\x1b[1;33mwarning[c]\x1b[0m: m\n")
    assert render_text([warning("c", "m", at(source, "b"))]).startswith("warning[c]: m\n")


def test_without_a_place() -> None:
    assert render_text([note("c", "m", None, help=["one", "two"])]) == (
        "note[c]: m\n   = help: one\n   = help: two\n"
    )


def test_long_remarks_are_wrapped_between_words_but_not_within_code() -> None:
    assert wrap("aa bb cc", 5) == ["aa bb", "cc"]
    assert wrap("see `a b c d` now", 8) == ["see", "`a b c d`", "now"]
    assert wrap("한글 한글", 6) == ["한글", "한글"]
    lines = render(error("c", "m", None, notes="word " * 20 + "end"), width=40)
    assert all(len(line) <= 40 for line in lines)
    assert lines[2].startswith("           word")


def test_several_diagnostics_are_apart() -> None:
    assert render_text([error("a", "m", None), error("b", "m", None)]) == "error[a]: m\n\nerror[b]: m\n"


def test_json_has_every_field() -> None:
    source = Source("x", "ab\ncd")
    diagnostic = error(
        "c", "m", at(source, "d"), label="l", labels=[(at(source, "a"), "t")], notes=["n"], help="h"
    )
    assert json.loads(to_json([diagnostic])) == [
        {
            "code": "c",
            "severity": "error",
            "message": "m",
            "span": {
                "source": "x",
                "start": {"offset": 4, "line": 2, "column": 2},
                "end": {"offset": 5, "line": 2, "column": 3},
            },
            "label": "l",
            "labels": [
                {
                    "span": {
                        "source": "x",
                        "start": {"offset": 0, "line": 1, "column": 1},
                        "end": {"offset": 1, "line": 1, "column": 2},
                    },
                    "text": "t",
                }
            ],
            "notes": ["n"],
            "help": ["h"],
        }
    ]
    assert json.loads(to_json([error("c", "m", None)]))[0]["span"] is None


def test_compile_error_can_be_read_alone() -> None:
    source = Source("x", "ab\ncd")
    problem = CompileError([error("c", "first", at(source, "d")), error("e", "second", None)])
    assert str(problem) == "x:2:2: error[c]: first\nerror[e]: second"
    assert [diagnostic.code for diagnostic in problem.diagnostics] == ["c", "e"]


@pytest.mark.parametrize(
    ("left", "right", "distance"),
    [
        ("", "", 0),
        ("abc", "abc", 0),
        ("", "abc", 3),
        ("kitten", "sitting", 3),
        ("abcd", "acbd", 1),
        ("filename", "filenmae", 1),
        ("flaw", "lawn", 2),
    ],
)
def test_edit_distance(left: str, right: str, distance: int) -> None:
    assert edit_distance(left, right, 9) == distance
    assert edit_distance(right, left, 9) == distance


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("filenam", "filename"),
        ("flienames", "filename"),
        ("FD", "fd"),
        ("fg", "fd"),
        ("x", None),
        ("completely", None),
        ("mode", None),
        ("", None),
    ],
)
def test_suggest(name: str, expected: str | None) -> None:
    assert suggest(name, ["filename", "fd", "flags", "mode"]) == expected


def test_width_of_text() -> None:
    assert display_width("abc") == 3
    assert display_width("한글") == 4
    assert display_width("\x1b") == 4
    assert clean("a\nb\x1b") == "a\nb\\x1b"


def test_lazily_loaded_functions_stay_functions() -> None:
    # A submodule of the same name would take the function's place once it is loaded.
    import kernscope.diagnostics as diagnostics
    import kernscope.syntax as syntax

    for _ in range(2):
        assert diagnostics.suggest("pdi", ["pid"]) == "pid"
        assert diagnostics.explain("unclosed-string").startswith("# unclosed-string")
        assert "unclosed-string" in diagnostics.code_names()
        assert diagnostics.to_json([]) == "[]"
        assert diagnostics.render_text([]) == ""
        tree = syntax.parse(Source("x", ""))
        assert syntax.dump(tree) == "Program\n"
        assert syntax.print_program(tree) == "\n"
