"""Reading the command line."""

import pytest

from kernscope.cli.options import Option, UsageError, nanoseconds, parse, positive, seconds

OPTIONS = [
    Option("-d --duration", "SECONDS", "", convert=seconds),
    Option("-n --top", "N", "", convert=positive),
    Option("--by", "KEY", "", choices=("syscall", "pid"), default="syscall"),
    Option("-q --quiet", "", ""),
    Option("-v --verbose", "", ""),
    Option("-e", "PROGRAM", ""),
]


def test_values_flags_words_and_rest() -> None:
    got = parse(["-d", "2", "--top=5", "word", "-q", "--", "ls", "-l", "--by"], OPTIONS)
    assert got.number("duration") == 2.0 and got.integer("top") == 5
    assert got.flag("quiet") and not got.flag("verbose")
    assert got.text("by") == "syscall" and not got.given("e") and got.text("e") == ""
    assert got.words == ["word"] and got.rest == ["ls", "-l", "--by"]


def test_short_forms() -> None:
    got = parse(["-d2", "-qv", "-n=3"], OPTIONS)
    assert got.number("duration") == 2.0 and got.flag("quiet") and got.flag("verbose")
    assert got.integer("top") == 3
    assert parse(["-e", "-x"], OPTIONS).text("e") == "-x"


def test_rest_is_none_without_dashes() -> None:
    assert parse(["a"], OPTIONS).rest is None
    assert parse(["--"], OPTIONS).rest == []
    assert parse(["-"], OPTIONS).words == ["-"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tpo", "5"], "unknown option `--tpo`; did you mean `--top`?"),
        (["-x"], "unknown option `-x`"),
        (["-d"], "`-d` needs a value: SECONDS"),
        (["--quiet=1"], "`--quiet` takes no value"),
        (["--by", "pud"], "`--by` is one of syscall, pid, not `pud`; did you mean `pid`?"),
        (["-n", "0"], "`-n 0`: must be above 0"),
        (["-n", "x"], "`-n x`: not a whole number"),
        (["-d", "soon"], "`-d soon`: not a number of seconds"),
        (["-d", "nan"], "`-d nan`: must be more than 0 seconds"),
    ],
)
def test_mistakes(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(arguments, OPTIONS)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("0.5", 0.5),
        ("500ms", 0.5),
        ("2m", 120),
        ("3s", 3),
        ("1.5s", 1.5),
        ("1h", 3600),
        ("250us", 0.00025),
        ("3µs", 0.000003),
        ("7ns", 7e-9),
    ],
)
def test_seconds(text: str, value: float) -> None:
    assert seconds(text) == value
    assert nanoseconds(text) == round(value * 1e9)


@pytest.mark.parametrize(
    "text", ["", "s", "-1s", "0", "0ms", "1d", "inf", "nan", "1e400", "1_s", "5 minutes", "m5"]
)
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="seconds"):
        seconds(text)
