"""The layout of C structs against a C compiler, where there is one, and against ctypes."""

import ctypes
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernscope.sema.c_layout import CMember, lay_out
from kernscope.types import INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64, Array, Integer, Struct

_C: dict[Integer, Any] = {
    INT8: ctypes.c_int8,
    UINT8: ctypes.c_uint8,
    INT16: ctypes.c_int16,
    UINT16: ctypes.c_uint16,
    INT32: ctypes.c_int32,
    UINT32: ctypes.c_uint32,
    INT64: ctypes.c_int64,
    UINT64: ctypes.c_uint64,
}

Member = tuple[Integer, int, int]
"""Type, number of elements (0: no array), width of the bit-field (0: none)."""

_integers = st.sampled_from(list(_C))
_members = st.lists(st.tuples(_integers, st.sampled_from([0, 0, 1, 3]), st.just(0)), min_size=1, max_size=8)


def _ours(members: list[Member], union: bool, packed: bool = False) -> Struct:
    made = []
    for i, (t, count, width) in enumerate(members):
        made.append(CMember(f"m{i}", Array(t, count) if count else t, width or None))
    return lay_out("struct s", union, made, packed)


@settings(max_examples=200, deadline=None)
@given(_members, st.booleans(), st.booleans())
def test_like_ctypes(members: list[Member], union: bool, packed: bool) -> None:
    fields = [(f"m{i}", _C[t] * count if count else _C[t]) for i, (t, count, _) in enumerate(members)]
    body: dict[str, Any] = {"_pack_": 1, "_fields_": fields} if packed else {"_fields_": fields}
    theirs: Any = type("S", (ctypes.Union if union else ctypes.Structure,), body)
    ours = _ours(members, union, packed)
    assert (ours.size, ours.align) == (ctypes.sizeof(theirs), ctypes.alignment(theirs))
    assert [f.offset for f in ours.fields.values()] == [
        getattr(theirs, f"m{i}").offset for i in range(len(members))
    ]


def _random_members(rng: random.Random) -> list[Member]:
    members = []
    for _ in range(rng.randint(1, 8)):
        t = rng.choice(list(_C))
        width = rng.randint(1, t.bits) if rng.random() < 0.6 else 0
        members.append((t, rng.choice([0, 0, 0, 2, 3]) if not width else 0, width))
    return members


def _c_text(index: int, members: list[Member], union: bool, packed: bool) -> str:
    """C that prints size, alignment and, per member, the struct's bytes with all bits of the member set."""
    lines = [f"{'union' if union else 'struct'} {'__attribute__((packed))' if packed else ''} s{index} {{"]
    for i, (t, count, width) in enumerate(members):
        lines.append(f"{t}_t m{i}{f'[{count}]' if count else ''}{f' : {width}' if width else ''};")
    lines.append(f"}}; static void f{index}(void) {{ {'union' if union else 'struct'} s{index} v;")
    lines.append('printf("%zu %zu", sizeof v, _Alignof(v));')
    for i, (_, count, _) in enumerate(members):
        target = f"memset(v.m{i}, 255, sizeof v.m{i});" if count else f"v.m{i} = -1;"
        lines.append(f"memset(&v, 0, sizeof v); {target} dump(&v, sizeof v);")
    lines.append('printf("\\n"); }')
    return "\n".join(lines)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_like_gcc(tmp_path: Path) -> None:
    rng = random.Random(7)
    cases = [(_random_members(rng), rng.random() < 0.2, rng.random() < 0.25) for _ in range(150)]
    text = "#include <stdint.h>\n#include <stdio.h>\n#include <string.h>\n"
    text += "static void dump(void *p, size_t n) { unsigned char *b = p;\n"
    text += 'printf(" "); while (n--) printf("%02x", *b++); }\n'
    text += "".join(_c_text(i, *case) + "\n" for i, case in enumerate(cases))
    text += f"int main(void) {{ {' '.join(f'f{i}();' for i in range(len(cases)))} }}\n"
    source = tmp_path / "layout.c"
    source.write_text(text, encoding="ascii")
    subprocess.run(["gcc", "-w", "-o", tmp_path / "layout", source], check=True, timeout=60)
    output = subprocess.run(
        [tmp_path / "layout"], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    for (members, union, packed), line in zip(cases, output.splitlines(), strict=True):
        size, align, *images = line.split()
        ours = _ours(members, union, packed)
        assert (ours.size, ours.align) == (int(size), int(align)), (members, union, packed)
        for field, image in zip(ours.fields.values(), images, strict=True):
            shift, width = field.bits or (0, 8 * field.type.size)
            bits = ((1 << width) - 1) << (8 * field.offset + shift)
            assert bits == int.from_bytes(bytes.fromhex(image), "little"), (members, field.name)


def test_nested_and_anonymous() -> None:
    inner = lay_out("struct in", False, [CMember("a", UINT8), CMember("b", UINT64)])
    choice = lay_out("union u", True, [CMember("whole", UINT32), CMember("half", UINT16)])
    outer = lay_out("struct out", False, [CMember("c", UINT8), CMember("in", inner), CMember(None, choice)])
    assert {name: field.offset for name, field in outer.fields.items()} == {
        "c": 0,
        "in": 8,
        "whole": 24,
        "half": 24,
    }
    assert (inner.size, choice.size, outer.size, outer.align) == (16, 4, 32, 8)


def test_width_zero_ends_the_unit() -> None:
    made = lay_out(
        "struct s", False, [CMember("a", UINT32, 3), CMember(None, UINT32, 0), CMember("b", UINT32, 3)]
    )
    assert [(f.offset, f.bits) for f in made.fields.values()] == [(0, (0, 3)), (4, (0, 3))]
