"""errorf, warnf, cat, system, assert and the forms of print, in the user-space machine with a real session."""

import io
import json
from pathlib import Path

import pytest
from vm_kernel import VmKernel
from vm_output import errors_of, output_of

from kernscope.compiler import compile_source
from kernscope.diagnostics import Source
from kernscope.output import TextSink
from kernscope.runtime import Session

UNSAFE = {"unsafe": True}


def both(text: str, **options: object) -> tuple[int, str, str]:
    """Exit code, output and messages of a run."""
    kernel = VmKernel()
    bundle = compile_source(Source("test.bt", text), kernel, settings=UNSAFE)  # type: ignore[arg-type]
    out, messages = io.BytesIO(), io.BytesIO()
    sink = TextSink(out, messages, end_lines="", quiet=True, **options)  # type: ignore[arg-type]
    code = Session(bundle, kernel, sinks=[sink], attach=kernel.attach).run()  # type: ignore[arg-type]
    return code, out.getvalue().decode("utf-8", "surrogateescape"), messages.getvalue().decode()


def test_errors_and_warnings_have_their_place() -> None:
    text = 'begin { errorf("bad %d", 5); print(1); warnf("careful %s\\n", comm); exit(); }'
    start, end = text.index("errorf") + 1, text.index("; print") + 1
    start_of_warning = text.index("warnf") + 1
    _, out, messages = both(text)
    assert out == "1\n"
    first, second = messages.splitlines()
    assert first == f"test.bt:1:{start}-{end}: ERROR: bad 5"
    assert second.startswith(f"test.bt:1:{start_of_warning}-") and ": WARNING: careful " in second
    _, _, quiet = both(text, warnings=False)
    assert quiet.splitlines() == [first]


def test_control_characters_of_arguments_do_not_reach_a_terminal() -> None:
    _, _, messages = both('begin { errorf("%s|", "\\x1b[31m"); exit(); }', terminal=True)
    assert messages.endswith("\\x1b[31m|\n")


def test_complaints_as_json() -> None:
    text = 'begin { errorf("a\\n"); warnf("b %d", 2); exit(); }'
    lines = [json.loads(line) for line in output_of(text, json=True).splitlines()]
    place = {"filename": "test.bt", "line": 1}
    assert lines == [
        {"type": "errorf", "msg": "a\n", **place, "col": 9},
        {"type": "warnf", "msg": "b 2", **place, "col": text.index("warnf") + 1},
    ]


def test_a_failed_assertion_ends_the_program() -> None:
    program = 'begin { assert(1, "no"); print(1); assert(0, "100% must be"); print(2); } end { print(3); }'
    code, out, messages = both(program)
    assert (code, out) == (1, "1\n3\n")
    assert messages.endswith(": ERROR: assert failed: 100% must be\n")


def test_cat(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 70)  # a name that does not fit the fixed part of a record
    folder.mkdir()
    (folder / "a").write_bytes(b"caf\xe9\n")
    _, out, messages = both(f'begin {{ $d = "{folder}"; print(1); cat("%s/a", $d); print(2); exit(); }}')
    assert out.encode("utf-8", "surrogateescape") == b"1\ncaf\xe9\n2\n"
    assert messages == ""
    _, out, messages = both('begin { cat("/no/such/file"); print(2); exit(); }')
    assert out == "2\n"
    assert "cannot read `/no/such/file`: No such file or directory" in messages


def test_cat_reads_so_many_bytes(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("0123456789")
    program = f'config = {{ max_cat_bytes = 4 }} begin {{ cat("{file}"); cat("{file}"); exit(); }}'
    assert output_of(program) == "01230123"


def test_system_is_done_in_the_order_of_events() -> None:
    program = 'begin { print(1); system("echo %d %s", 5, "x"); print(2); system("exit 3"); exit(); }'
    _, out, messages = both(program)
    assert out == "1\n5 x\n\n2\n\n"
    assert "the command `exit 3` exited with 3" in messages
    lines = [json.loads(line) for line in output_of(program, json=True, settings=UNSAFE).splitlines()]
    assert {"type": "syscall", "data": "5 x\n"} in lines
    assert errors_of(program) == ["unsafe-function", "unsafe-function"]


def test_one_entry_of_a_map_without_a_single_number() -> None:
    program = 'begin { @s[1, "ab"] = stats(5); @s[1, "ab"] = stats(8); print(@s[1, "ab"]); print(@s[2, "x"]); exit(); }'
    shown = output_of(program).splitlines()
    assert shown[:2] == [
        "{ .count = 2, .average = 6, .total = 13 }",
        "{ .count = 0, .average = 0, .total = 0 }",
    ]
    assert json.loads(output_of(program, json=True).splitlines()[0]) == {
        "type": "value",
        "data": {"count": 2, "average": 6, "total": 13},
    }
    assert errors_of("begin { @h[1] = hist(5); print(@h[1]); exit(); }") == ["type-mismatch"]


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("errorf(1)", "constant-needed"),
        ('warnf("%d")', "format-arguments"),
        ("cat()", "wrong-arguments"),
        ("cat(comm)", "constant-needed"),
        ("assert(1)", "wrong-arguments"),
        ("assert(1, comm)", "constant-needed"),
        ('assert("a", "b")', "type-mismatch"),
    ],
)
def test_wrong_arguments(program: str, code: str) -> None:
    assert code in errors_of(f"begin {{ {program}; exit(); }}")
