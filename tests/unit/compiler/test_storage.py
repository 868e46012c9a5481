"""Where maps, variables and records lie, and what programs do when there is no room."""

from itertools import pairwise

import pytest
from checking import assembly, bundle_of, findings
from vm_kernel import VmKernel
from vm_session import run

from kernscope.bundle.globals_layout import CELLS_MAP, COUNTERS, GLOBALS_MAP
from kernscope.tables.bpf import MapType


@pytest.mark.parametrize(
    ("program", "storage"),
    [
        ("begin { @m = 5; }", "global"),
        ("begin { @m++; }", "global"),
        ('begin { @m = (1, "a"); }', "global"),
        ("begin { @m[1] = 5; }", "hash"),
        ('begin { @m["a", 1] = comm; }', "hash"),
        ("begin { @m = count(); }", "cells"),
        ("begin { @m = hist(pid); }", "cells"),
        ("begin, end { @m[probe] = count(); }", "cells"),
        ("begin { @m[pid] = count(); }", "percpu_hash"),
        # What programs ask of keys needs a hash.
        ("begin, end { @m[probe] = count(); print(len(@m)); }", "percpu_hash"),
        ("begin { @m[probe] = count(); for ($kv : @m) { } }", "percpu_hash"),
        # User space resets cells by remembering what they held, which programs would not see.
        ("begin { @m = count(); clear(@m); }", "cells"),
        ("begin { @m = count(); clear(@m); print((int64)@m); }", "percpu_hash"),
        # An array of cells for each key would be too large.
        ("begin { @m[probe] = lhist(1, 0, 1000, 1); }", "cells"),
    ],
)
def test_how_a_map_is_stored(program: str, storage: str) -> None:
    assert [m.storage for m in bundle_of(program).user_maps] == [storage]


@pytest.mark.parametrize(
    ("declaration", "assignment", "map_type"),
    [
        ("hash(5)", "@m[1] = 1;", MapType.HASH),
        ("lruhash(5)", "@m[1] = 1;", MapType.LRU_HASH),
        ("percpuhash(5)", "@m[1] = count();", MapType.PERCPU_HASH),
        ("percpulruhash(5)", "@m[1] = count();", MapType.LRU_PERCPU_HASH),
    ],
)
def test_declared_maps(declaration: str, assignment: str, map_type: int) -> None:
    spec = bundle_of(f"let @m = {declaration}; begin {{ {assignment} }}").maps[-1]
    assert (spec.type, spec.max_entries) == (map_type, 5)


def test_a_declaration_must_suit_the_values() -> None:
    assert [code for code, _ in findings("let @m = percpuhash(5); begin { @m[1] = 1; }")] == [
        "bad-map-declaration"
    ]


def test_cells_of_two_cpus_share_no_cache_line() -> None:
    bundle = bundle_of("begin { @a = count(); @b = sum(1); }")
    a, b = bundle.user_maps
    assert a.stride == b.stride and a.stride % 128 == 0
    assert a.offset != b.offset and max(a.offset + 8, b.offset + 16) <= a.stride
    cells = next(spec for spec in bundle.maps if spec.name == CELLS_MAP)
    assert cells.value_size >= 2 * a.stride


def test_globals_of_different_maps_do_not_overlap() -> None:
    bundle = bundle_of('begin { @a = 1; @b = "abcdefghijk"; @c = (1, true); }')
    places = sorted((m.offset, m.offset + (m.value.size + 7) // 8 * 8 + 8) for m in bundle.user_maps)
    assert places[0][0] >= COUNTERS
    assert all(end <= start for (_, end), (start, _) in pairwise(places))
    spec = next(spec for spec in bundle.maps if spec.name == GLOBALS_MAP)
    assert places[-1][1] <= spec.value_size


def test_strings_that_are_known_are_stored_once() -> None:
    text = "x" * 200
    twice = bundle_of(f'begin {{ print("{text}"); print("{text}"); }}')
    once = bundle_of(f'begin {{ print("{text}"); }}')
    sizes = [next(m.value_size for m in b.maps if m.name == GLOBALS_MAP) for b in (once, twice)]
    assert sizes[0] == sizes[1]


def test_programs_that_share_a_map_add_atomically() -> None:
    alone = bundle_of("rawtracepoint:sys_enter { @m = count(); }")
    shared = bundle_of("rawtracepoint:sys_enter { @m = count(); } rawtracepoint:sys_exit { @m = count(); }")
    assert "lock" not in assembly(alone.programs[0])
    assert all("lock" in assembly(program) for program in shared.programs)


def test_a_full_map_is_reported_and_keeps_what_it_has() -> None:
    text = "config = { max_map_keys = 2 } begin { for ($i : 0..5) { @m[$i] = $i; @c[$i] = count(); } @m[1] = 9; }"
    result = run(text)
    assert result.maps == {"@m": {0: 0, 1: 9}, "@c": {0: 1, 1: 1}}
    assert "`@m` is full" in result.messages and "`@c` is full" in result.messages


def test_an_lru_map_makes_room() -> None:
    result = run("let @m = lruhash(2); begin { for ($i : 0..5) { @m[$i] = $i; } }")
    assert len(result.maps["@m"]) == 2 and 4 in result.maps["@m"] and result.messages == ""


def test_a_value_too_large_for_the_kernel_is_refused_before_it_is_loaded() -> None:
    text = (
        "config = { max_strlen = 20000 }"
        "tracepoint:syscalls:sys_enter_openat { @ = (str(args.filename), str(args.filename)); }"
    )
    assert [code for code, _ in findings(text)] == ["too-much-memory"]


def test_gaps_in_keys_do_not_tell_keys_apart() -> None:
    # What is left of another temporary in the same memory must not become part of a key.
    text = (
        'begin { for ($i : 0..3) { $t = (0x1111111111111111, "zzzzzz", true); @t = $t;'
        ' @m[(1, "a"), true, ("b", (true, 2))] = count(); @n[(true, "ab"), 3]++; } }'
    )
    maps = run(text).maps
    assert maps["@m"] == {((1, "a"), True, ("b", (True, 2))): 3}
    assert maps["@n"] == {((True, "ab"), 3): 3}


def test_strings_of_different_sizes_are_the_same_key() -> None:
    text = 'begin { @m["ab"] = 1; @m["abcdefgh"] = 2; $s = "ab"; $s = "abcdefghijklmnop"; $s = "ab"; @m[$s] += 5; }'
    assert run(text).maps["@m"] == {"ab": 6, "abcdefgh": 2}


def test_a_division_by_zero_says_where_and_gives_one() -> None:
    result = run(
        "begin { $z = pid - pid; print(5 / $z); print(-7 % $z); print(7 / ($z - 2)); print(-7 / ($z + 2)); }"
    )
    assert result.text == "1\n1\n-3\n-3\n"
    assert result.messages.count("division by zero") == 2


def test_division_by_a_zero_that_the_compiler_finds() -> None:
    result = run("begin { $z = 0; print(5 / $z); }")
    assert result.text == "1\n" and "division by zero" in result.messages


def test_the_event_ring_is_large_only_where_events_come_fast() -> None:
    quiet, busy = (
        next(m.max_entries for m in bundle_of(text).maps if m.name == "events")
        for text in ("begin { print(1); }", "rawtracepoint:sys_enter { print(1); }")
    )
    assert quiet < busy


def test_process_ids_are_those_of_the_namespace() -> None:
    from kernscope.asm.vm import Environment

    environment = Environment(
        pid=501, tgid=500, cpus=2, cpu=1, pid_namespace=(7, 42), namespace_pid=12, namespace_tgid=11
    )
    kernel = VmKernel(environment, pid_namespace=(7, 42))
    assert run("begin { print((pid, tid)); }", kernel).text == "(11, 12)\n"
    assert run("begin { print((pid, tid)); }", VmKernel(environment)).text == "(500, 501)\n"
