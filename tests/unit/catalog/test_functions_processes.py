"""Built-ins and functions about processes and probes, and `find`, in the user-space machine."""

import pytest
from vm_output import errors_of, output_of

UNSAFE = {"unsafe": True}


def test_find_assigns_only_where_there_is_an_entry() -> None:
    program = (
        'begin { @m[2] = (1, "hello"); let $v; if (find(@m, 2, $v)) { print($v); } '
        'if (find(@m, 3, $v)) { print("no"); } else { print($v); } exit(); }'
    )
    assert output_of(program).splitlines()[:2] == ["(1, hello)", "(1, hello)"]


def test_find_in_a_map_of_counts() -> None:
    program = (
        'begin { @c["a"] = count(); @c["a"] = count(); let $n; print(find(@c, "a", $n)); print($n); exit(); }'
    )
    assert output_of(program).splitlines()[:2] == ["true", "2"]


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("@m[1] = 5; find(@m, 1, $v);", "undefined-variable"),
        ("@m = 5; let $v; find(@m, 1, $v);", "map-key-mismatch"),
        ("@m[1] = 5; let $v; find(@m[1], 1, $v);", "wrong-arguments"),
        ("@m[1] = 5; find(@m, 1, 5);", "wrong-arguments"),
        ("@m[1] = 5; find(@m, 1);", "wrong-arguments"),
        ('@m[1] = 5; let $v; $v = "a"; find(@m, 1, $v);', "type-mismatch"),
        ("print(pid(bad));", "wrong-arguments"),
        ("print(ppid(1));", "type-mismatch"),
        ('print(comm("a"));', "type-mismatch"),
        ('print(reg("ip"));', "not-available-here"),
        ('unwatch("a");', "type-mismatch"),
        ("override(5);", "not-available-here"),
        ("signal(9);", "unsafe-function"),
    ],
)
def test_wrong_arguments(program: str, code: str) -> None:
    assert code in errors_of(f"begin {{ {program} exit(); }}")


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ('signal("SIGNO")', "wrong-arguments"),
        ("signal(65)", "wrong-arguments"),
        ("signal(comm)", "type-mismatch"),
    ],
)
def test_wrong_signals(call: str, code: str) -> None:
    probe = "tracepoint:syscalls:sys_enter_openat"
    assert code in errors_of(f"{probe} {{ {call}; }}", settings=UNSAFE)
    assert (
        errors_of(f'{probe} {{ signal("SIGUSR1"); signal_thread("USR1"); signal(9); }}', settings=UNSAFE)
        == []
    )


def test_the_kind_of_probe() -> None:
    program = 'begin { print(probetype); if (probetype == "special") { print(1); } exit(); } end { print(probetype); }'
    assert output_of(program) == "special\n1\nspecial\n"


def test_registers_only_where_there_are_some() -> None:
    assert errors_of('profile:hz:99 { @[reg("ip")] = count(); }') == []
    assert errors_of('profile:hz:99 { @[reg("nope")] = count(); }') == ["wrong-arguments"]
    assert errors_of('profile:hz:99, begin { @[reg("ip")] = count(); }') == ["not-available-here"]


def test_the_command() -> None:
    assert output_of("begin { print(has_cpid); print(cpid); exit(); }") == "false\n0\n"


def test_the_default_length() -> None:
    assert output_of("config = { max_strlen = 48 } begin { print(default_str_length); exit(); }") == "48\n"
