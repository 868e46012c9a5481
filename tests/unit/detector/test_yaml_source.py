"""YAML with places, and files that mean harm."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernscope.detector.check import check_rules
from kernscope.detector.listing import states_text
from kernscope.detector.yaml_source import YamlMap, YamlMissing, YamlScalar, decode, read_yaml
from kernscope.diagnostics import Source

pytest.importorskip("yaml", reason="rules are YAML")


def problems(text: str) -> list[tuple[int, int, str]]:
    """Line, column and message."""
    found = []
    for problem in read_yaml(Source("f.yaml", text)).diagnostics:
        assert problem.code == "bad-yaml" and problem.span is not None
        found.append((*problem.span.source.position(problem.span.start), problem.message))
    return found


def test_values_know_their_place() -> None:
    source = Source("f.yaml", "# ä\n- list: 'ü'\n  items: [a, b]\n")
    (item,) = read_yaml(source).items
    assert isinstance(item, YamlMap)
    name = item.entries["list"]
    assert isinstance(name, YamlScalar) and (name.value, name.plain, name.span.text) == ("ü", False, "'ü'")
    assert source.position(item.keys["items"].start) == (3, 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("# nothing\n", []),
        ("a: 1\n", [(1, 1, "a rule file is a list")]),
        ("text\n", [(1, 1, "a rule file is a list")]),
        ("- a: 1\n  a: 2\n", [(2, 3, "the key `a` is given twice")]),
        ("- ? [a]\n  : 1\n", [(1, 5, "a key is a word")]),
        ("- !own {}\n", [(1, 3, "the tag `!own` is not allowed in rules")]),
        (
            "- !!python/name:a {}\n",
            [(1, 3, "the tag `tag:yaml.org,2002:python/name:a` is not allowed in rules")],
        ),
        ("- *x\n", [(1, 3, "the alias `*x` is not defined")]),
        ("- &x [*x]\n", [(1, 7, "the alias `*x` contains itself")]),
        ("- a\x01b\n", [(1, 4, "a control character cannot stand in YAML")]),
    ],
)
def test_errors(text: str, expected: list[tuple[int, int, str]]) -> None:
    assert problems(text) == expected


def test_bytes_that_are_not_utf8() -> None:
    document = read_yaml(decode("f.yaml", b"- list: a\n  items: [\xff]\n- list: b\n  items: [x]\n"))
    assert [str(d) for d in document.diagnostics] == [
        "f.yaml:2:11: error[bad-yaml]: the byte 0xff is not UTF-8"
    ]
    assert len(document.items) == 1


def test_a_bomb_of_aliases() -> None:
    lines = ["- &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"- &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 20)]
    started = time.process_time()
    found = problems("\n".join(lines))
    assert any(
        "values when aliases are written out" in message or "not defined" in message for *_, message in found
    )
    assert time.process_time() - started < 5


def test_deep_nesting() -> None:
    assert "nest" in problems("- " + "[" * 100_000)[0][2]
    assert "more than 32" in problems("- " + "[" * 40 + "]" * 40 + "\n- b")[0][2]


def test_a_large_file() -> None:
    assert problems("#" * (5 << 20)) == [(1, 1, "`f.yaml` is larger than 4 MiB")]


@pytest.mark.parametrize("line", ["- a\n", "- [\n", "- {a: 1, a: 2}\n"])
def test_a_file_of_many_items(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernscope.detector.yaml_source.MOST_NODES", 2000)
    monkeypatch.setattr("kernscope.detector.yaml_source._MOST_ITEMS_APART", 500)
    document = read_yaml(Source("f.yaml", line * 3000))
    assert 1 <= len(document.diagnostics) <= 101
    assert document.diagnostics[-1].message == "too much is wrong here: the rest of the file is not read"
    assert len(document.items) <= 501


def test_the_rest_of_a_broken_file_is_read() -> None:
    text = "- list: a\n  items: [x]\n- list: b\n  items: [x\n- list: c\n  items: [y]\n- list: 'd\n"
    document = read_yaml(Source("f.yaml", text))
    names = [item.entries["list"].value for item in document.items if isinstance(item, YamlMap)]  # type: ignore[union-attr]
    assert names == ["a", "c"]
    assert len(document.diagnostics) == 2


def test_missing_library(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(YamlMissing, match=r"kernscope\[detect\]"):
        read_yaml(Source("f.yaml", "- a"))


GOOD = """\
- list: shells
  items: [bash, sh]
- macro: spawned
  condition: evt.type in (execve, execveat)
- rule: shell
  desc: d
  condition: spawned and proc.name in (shells)
  output: "%proc.name"
  priority: notice
  exceptions:
    - name: e
      fields: [proc.name, proc.pname]
      values: [[a, b]]
"""


PIECES = ["", "[", "]", "{", "'", '"', "&a", "*a", "- ", ":", "\n", "|", "%", "(", "\t", "append: true"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_file_gives_errors_not_exceptions(data: st.DataObject) -> None:
    text = GOOD
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 8)))
        piece = data.draw(st.sampled_from(PIECES) | st.text(max_size=3))
        text = text[:start] + piece + text[end:]
    states_text(check_rules([Source("f.yaml", text)]))
