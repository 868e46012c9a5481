"""Types of expressions: the rules of the language, with 64 bits where bpftrace chooses narrower ones."""

import pytest
from checking import check, type_of

from kernscope.types import NamedTuple

INTEGERS = {
    # Literals have 64 bits, unsigned only where the value needs it.
    "1": "int64",
    "-1": "int64",
    "300": "int64",
    "9223372036854775807": "int64",
    "9223372036854775808": "uint64",
    "0xffffffffffffffff": "uint64",
    "-9223372036854775808": "int64",
    "5s": "int64",
    "1 + 1": "int64",
    "1 << 63": "uint64",
    "~1": "uint64",
    # Built-ins as the kernel has them.
    "pid": "uint32",
    "tid": "uint32",
    "nsecs": "uint64",
    "elapsed": "uint64",
    "cpu": "uint32",
    # Unsigned with a literal that is not negative stays unsigned, with anything signed it becomes signed.
    "pid + 1": "uint64",
    "pid * 2": "uint64",
    "pid & 3": "uint64",
    "pid + -1": "int64",
    "-1 + pid": "int64",
    "nsecs / 2": "uint64",
    "cpu + cpu": "uint64",
    "(int32)1 + pid": "uint64",
    "(int32)pid + pid": "int64",
    "(int32)pid * (int64)pid": "int64",
    # A difference can be negative, whatever its operands.
    "pid - 1": "int64",
    "nsecs - nsecs": "int64",
    "(uint8)pid - (uint8)pid": "int64",
    # Shifts have the sign of what is shifted.
    "pid << 3": "uint64",
    "(int8)pid << 3": "int64",
    "(int8)pid >> pid": "int64",
    "1 << pid": "int64",
    "-pid": "int64",
    "-nsecs": "uint64",
    "~pid": "uint64",
    "~(int8)pid": "int64",
    # Casts.
    "(int8)pid": "int8",
    "(uint16)pid": "uint16",
    "(bool)pid": "bool",
    "(uint64)-1": "uint64",
    # Booleans count as unsigned numbers.
    "true + 1": "int64",
    "(pid == 1) + pid": "uint64",
    "true": "bool",
    "pid == 1": "bool",
    '"a" == "b"': "bool",
    "pid && 2": "bool",
    "!pid": "bool",
    '(1, "a") == (1, "abc")': "bool",
    # Both sides of a choice.
    "pid ? 2 : 300": "int64",
    "pid ? pid : (uint8)pid": "uint32",
    "pid ? (int8)pid : (uint8)pid": "int16",
    "pid ? (uint64)pid : (int8)pid": "int64",
    "pid ? true : false": "bool",
    "sizeof(uint16)": "uint64",
}

OTHERS = {
    '"abc"': "string[4]",
    '""': "string[1]",
    "comm": "string[16]",
    '(1, "abc", true)': "(int64,string[4],bool)",
    "(1, (pid, comm)).1": "(uint32,string[16])",
    "(1, (pid, comm)).1.0": "uint32",
    'pid ? "abc" : "defghi"': "string[7]",
    'pid ? (1, "a") : (2, "bcd")': "(int64,string[4])",
    "{ let $x = 5; $x + 1 }": "int64",
    "probe": "probe",
    "username": "username",
    'str("abcdef", 3)': "string[4]",
    "str(comm)": "string[16]",
    "curtask": "struct task_struct *",
}


@pytest.mark.parametrize(("expression", "wanted"), (INTEGERS | OTHERS).items())
def test_type(expression: str, wanted: str) -> None:
    assert str(type_of(expression)) == wanted


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ((), "int64"),
        (("5",), "int64"),
        (("-5",), "int64"),
        (("0xffffffffffffffff",), "uint64"),
        (("hello",), "string[6]"),
    ],
)
def test_positional_parameters(parameters: tuple[str, ...], wanted: str) -> None:
    assert str(type_of("$1", parameters=parameters)) == wanted


@pytest.mark.parametrize(
    ("assignments", "wanted"),
    [
        ("$x = (int8)pid;", "int8"),
        ("$x = (int8)pid; $x = (int32)pid;", "int32"),
        ("$x = (uint8)pid; $x = (int8)pid;", "int16"),
        ("$x = (uint32)pid; $x = -1;", "int64"),
        ("$x = (int64)pid; $x = (uint64)pid;", "int64"),
        ("$x = true; $x = (uint8)pid;", "uint8"),
        ("$x = (int8)pid; $x++;", "int64"),
        ("$x = (uint32)pid; $x += 1;", "uint64"),
        ("$x = pid; $x -= 1;", "int64"),
        ("let $x: int8; $x = 5;", "int8"),
        ("let $x: int8 = 1; $x++;", "int8"),
        ("let $x: uint8 = 200; $x += 100;", "uint8"),
        ('$x = "a"; $x = "abcd";', "string[5]"),
        ('$x = (1, "a"); $x = (2, "abc");', "(int64,string[4])"),
    ],
)
def test_a_variable_holds_all_that_is_assigned_to_it(assignments: str, wanted: str) -> None:
    assert str(type_of("$x", assignments)) == wanted


def test_a_use_before_the_widening_assignment_sees_the_wide_type() -> None:
    loop = "$x = (int8)pid; for ($i : 0..2) { @seen = $x; $x = (int64)pid; }"
    assert str(type_of("$x", loop)) == "int64"


@pytest.mark.parametrize(
    ("program", "wanted"),
    [
        ("begin { @m = 5; }", "@m[None]: int64"),
        ("begin { @m = (uint8)pid; }", "@m[None]: int64"),
        ("begin { @m = nsecs; }", "@m[None]: uint64"),
        ("begin { @m = nsecs; @m = 1; }", "@m[None]: int64"),
        ("begin { @m++; }", "@m[None]: int64"),
        ("begin { @m = true; }", "@m[None]: bool"),
        ("begin { @m[pid] = 1; }", "@m[int64]: int64"),
        ("begin { @m[nsecs] = 1; }", "@m[uint64]: int64"),
        ("begin { @m[nsecs] = 1; @m[-1] = 1; }", "@m[int64]: int64"),
        ('begin { @m[1, "a"] = comm; }', "@m[(int64,string[2])]: string[16]"),
        ('begin { @m[(1, "a")] = 1; @m[2, "abc"] = 1; }', "@m[(int64,string[4])]: int64"),
        ('begin { @m["a"] = (pid, "x"); @m["b"] = (nsecs, "xyz"); }', "@m[string[2]]: (int64,string[4])"),
        ("begin { @m[pid] = count(); }", "@m[int64]: count_t"),
        ("begin { @m = lhist(1, 0, 10, 2); }", "@m[None]: lhist_t"),
        ("begin { @c[1] = count(); @m[@c[1]] = 1; }", "@m[int64]: int64"),
        ("begin { @m[probe] = count(); }", "@m[probe]: count_t"),
        # A clause that comes first may read what only a later one assigns.
        ('begin { print(@m["a"]); } end { @m["bcd"] = true; }', "@m[string[4]]: bool"),
    ],
)
def test_maps(program: str, wanted: str) -> None:
    info = check(program).maps["m"]
    assert f"@m[{info.key}]: {info.value}" == wanted


@pytest.mark.parametrize(
    ("argument", "signed"),
    [("pid", False), ("-1", True), ("5", True), ("nsecs", False), ("(int8)pid", True), ("pid - 1", True)],
)
def test_the_sign_of_an_aggregation_is_that_of_its_argument(argument: str, signed: bool) -> None:
    value = check(f"begin {{ @m = sum({argument}); }}").maps["m"].value
    assert value is not None and value.signed is signed  # type: ignore[attr-defined]


def test_an_aggregation_of_both_signs_is_signed() -> None:
    value = check("begin { @m = min(pid); @m = min(-1); }").maps["m"].value
    assert value is not None and value.signed  # type: ignore[attr-defined]


def test_members_of_args_come_from_the_format() -> None:
    probe = "tracepoint:syscalls:sys_enter_openat"
    assert str(type_of("args.flags", probe=probe)) == "int32"  # eight bytes wide in the format
    assert str(type_of("args.filename", probe=probe)) == "int8 *"
    assert str(type_of("args.ret", probe="tracepoint:syscalls:sys_exit_openat")) == "int64"
    assert str(type_of("args.prev_comm", probe="tracepoint:sched:sched_switch")) == "string[16]"
    assert str(type_of("args.prev_pid", probe="tracepoint:sched:sched_switch")) == "int32"


def test_all_args_are_a_record() -> None:
    checked = check("tracepoint:sched:sched_process_exec { print(args); @a[args] = count(); }")
    names = ("filename", "pid", "old_pid")
    assert isinstance(checked.maps["a"].key, NamedTuple) and checked.maps["a"].key.names == names
