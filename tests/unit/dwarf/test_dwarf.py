"""Debug information as compilers write it: parameters and types against the source; damaged bytes end in DwarfError."""

import contextlib
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from damage import damaged

from kernscope.dwarf import Dwarf, DwarfError, Parameter, parameters
from kernscope.elf import ElfFile
from kernscope.types import Enum, Pointer, String, Struct
from kernscope.types.from_dwarf import DwarfTypes

SOURCE = r"""
#include <stdbool.h>
#include <stdint.h>
struct inner { short a; unsigned b : 3; unsigned c : 5; int : 0; unsigned long long d : 33; };
struct large { long words[4]; };
struct pair { double x, y; };
struct mixed { double x; long n; };
struct __attribute__((packed)) tight { char c; int n; };
enum color { RED = 1, GREEN = -2 };
struct opaque;
typedef struct { int only; } nameless_t;
typedef struct foo {
    int x;
    const char *name;
    struct inner in;
    struct { int in_anonymous; };
    union { int as_int; char as_char; };
    char text[16];
    uint8_t raw[4];
    struct foo *next;
    int grid[2][3];
    enum color color;
    bool ok;
    double number;
    void (*call)(int);
    struct opaque *hidden;
    struct tight tight;
} foo_t;
#define NOINLINE __attribute__((noinline, noclone))
NOINLINE int plain(const char *name, foo_t *p, enum color c, bool flag, int8_t small, unsigned short us,
                   long long seventh, int eighth) { __asm__ volatile(""); return p->x + c + flag + small + us; }
NOINLINE int with_double(int a, double b, float c, int d) { __asm__ volatile(""); return a + b + c + d; }
NOINLINE int by_value(struct inner in, int after, struct large l, int last) {
    __asm__ volatile(""); return in.a + after + last; }
NOINLINE int fractions(struct pair p, struct mixed m, int last) { __asm__ volatile(""); return p.x + m.n + last; }
NOINLINE int crowded(int a, int b, int c, int d, int e, struct inner two, int f) {
    __asm__ volatile(""); return a + two.a + f; }
NOINLINE struct large hidden_result(int a) { struct large l = {{a}}; __asm__ volatile(""); return l; }
NOINLINE int packed(struct tight t, int after) { __asm__ volatile(""); return t.n + after; }
NOINLINE int wide(long double a, __int128 b, int c) { __asm__ volatile(""); return a + b + c; }
static NOINLINE int no_parameters(void) { __asm__ volatile(""); return 3; }
nameless_t global;
int main(void) {
    foo_t f = {0}; struct inner in = {0}; struct large l = {{0}}; struct pair p = {0}; struct mixed m = {0};
    struct tight t = {0};
    return plain("x", &f, RED, true, 1, 2, 3, 4) + with_double(1, 2, 3, 4) + by_value(in, 1, l, 2) + fractions(p, m, 1)
        + crowded(1, 2, 3, 4, 5, in, 6) + hidden_result(1).words[0] + packed(t, 1) + wide(1, 2, 3) + no_parameters(); }
"""

COMPILERS = [
    pytest.param(command, id=" ".join(command))
    for command in (
        ["gcc", "-gdwarf-5", "-O1"],
        ["gcc", "-gdwarf-4", "-O1"],
        ["gcc", "-gdwarf-4", "-O0", "-fdebug-types-section"],
        ["gcc", "-gdwarf-5", "-O2", "-gz=zlib"],
        ["clang", "-gdwarf-5", "-O1"],
        ["clang", "-gdwarf-4", "-O1"],
    )
]


class Program:
    """A compiled program and its debug information."""

    def __init__(self, path: Path) -> None:
        self.elf = ElfFile(path.read_bytes())
        self.dwarf = Dwarf(self.elf.content)
        self.types = DwarfTypes(self.dwarf)

    def parameters(self, function: str, machine: str = "x86_64") -> dict[str, Parameter]:
        address, _ = self.elf.symbols().find(function) or (0, 0)
        die = self.dwarf.function_at(address)
        assert die is not None and die.name == function
        return {p.name: p for p in parameters(die, machine)}

    def struct(self, name: str) -> Struct:
        found = self.types.struct("struct", name)
        assert found is not None
        return found


@pytest.fixture(scope="module", params=COMPILERS)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Program:
    command = request.param
    if shutil.which(command[0]) is None:
        pytest.skip(f"needs {command[0]}")
    folder = tmp_path_factory.mktemp("dwarf")
    (folder / "t.c").write_text(SOURCE)
    done = subprocess.run(
        [*command, "-w", "-o", folder / "t", folder / "t.c"], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(done.stderr.splitlines()[0])
    return Program(folder / "t")


def _places(found: dict[str, Parameter]) -> dict[str, object]:
    return {n: p.registers or (p.stack if p.stack >= 0 else "unreadable") for n, p in found.items()}


def test_integers_and_pointers_in_order_then_the_stack(program: Program) -> None:
    assert _places(program.parameters("plain")) == {
        "name": (0,), "p": (1,), "c": (2,), "flag": (3,), "small": (4,), "us": (5,), "seventh": 8, "eighth": 16,
    }  # fmt: skip


def test_fractions_take_no_integer_register(program: Program) -> None:
    found = program.parameters("with_double")
    assert _places(found) == {"a": (0,), "b": "unreadable", "c": "unreadable", "d": (1,)}
    assert "floating-point" in found["b"].problem


def test_structs_by_value(program: Program) -> None:
    assert _places(program.parameters("by_value")) == {"in": (0, 1), "after": (2,), "l": 8, "last": (3,)}
    found = _places(program.parameters("fractions"))
    assert found == {
        "p": "unreadable",
        "m": "unreadable",
        "last": (1,),
    }  # m.n is in the first integer register
    assert _places(program.parameters("packed")) == {"t": 8, "after": (0,)}


def test_a_struct_that_does_not_fit_leaves_its_register_to_the_next(program: Program) -> None:
    assert _places(program.parameters("crowded")) == {
        "a": (0,), "b": (1,), "c": (2,), "d": (3,), "e": (4,), "two": 8, "f": (5,),
    }  # fmt: skip


def test_a_large_result_takes_the_first_register(program: Program) -> None:
    assert _places(program.parameters("hidden_result")) == {"a": (1,)}


def test_wide_numbers(program: Program) -> None:
    assert _places(program.parameters("wide")) == {"a": 8, "b": (0, 1), "c": (2,)}


def test_arm64_has_eight_registers_and_passes_large_structs_by_pointer(program: Program) -> None:
    """By table alone: the description of the types is the same as on x86-64 but for `long double`."""
    arm = "aarch64"
    assert _places(program.parameters("plain", arm)) == {
        "name": (0,), "p": (1,), "c": (2,), "flag": (3,), "small": (4,), "us": (5,), "seventh": (6,), "eighth": (7,),
    }  # fmt: skip
    found = program.parameters("by_value", arm)
    assert _places(found) == {"in": (0, 1), "after": (2,), "l": (3,), "last": (4,)}
    assert found["l"].by_reference and not found["in"].by_reference
    # two doubles are in two floating-point registers; a double and an integer in two of the others
    assert _places(program.parameters("fractions", arm)) == {"p": "unreadable", "m": (0, 1), "last": (2,)}
    assert _places(program.parameters("crowded", arm))["two"] == (5, 6)
    assert _places(program.parameters("hidden_result", arm)) == {"a": (0,)}
    assert "not known" in program.parameters("plain", "riscv64")["p"].problem


def test_functions_without_parameters_and_places_without_functions(program: Program) -> None:
    assert program.parameters("no_parameters") == {}
    address, _ = program.elf.symbols().find("plain") or (0, 0)
    assert program.dwarf.function_at(address + 1) is None
    assert program.dwarf.function_at(0) is None


def test_members(program: Program) -> None:
    foo = program.struct("foo")
    fields = foo.fields
    assert foo.size == 136 and foo.space == "user"
    assert {n: f.offset for n, f in fields.items()} == {
        "x": 0, "name": 8, "in": 16, "in_anonymous": 32, "as_int": 36, "as_char": 36, "text": 40, "raw": 56,
        "next": 64, "grid": 72, "color": 96, "ok": 100, "number": 104, "call": 112, "hidden": 120, "tight": 128,
    }  # fmt: skip
    assert fields["text"].type == String(16)
    assert str(fields["raw"].type) == "uint8[4]"
    assert str(fields["grid"].type) == "int32[2][3]"
    assert isinstance(fields["next"].type, Pointer) and fields["next"].type.target == foo
    color = fields["color"].type
    assert isinstance(color, Enum) and color.names == {1: "RED", -2: "GREEN"} and color.signed
    assert str(fields["ok"].type) == "bool" and str(fields["name"].type) == "int8 *"
    tight = fields["tight"].type
    assert isinstance(tight, Struct) and tight.fields["n"].offset == 1


def test_bit_fields(program: Program) -> None:
    fields = program.struct("inner").fields
    assert {n: (f.offset, f.bits) for n, f in fields.items()} == {
        "a": (0, None), "b": (0, (16, 3)), "c": (0, (19, 5)), "d": (8, (0, 33)),
    }  # fmt: skip


def test_types_by_name(program: Program) -> None:
    types = program.types
    assert types.typedef("foo_t") == program.struct("foo")
    assert str(types.typedef("nameless_t")) == "struct nameless_t"
    assert types.enum("color") is not None
    assert types.struct("struct", "nosuch") is None and types.struct("union", "foo") is None
    hidden = program.struct("foo").fields["hidden"].type
    assert isinstance(hidden, Pointer) and isinstance(hidden.target, Struct)
    assert not hidden.target.fields and not hidden.target.is_mention  # no struct of the kernel is meant


def test_c_text(program: Program) -> None:
    found = program.parameters("plain")
    texts = {name: program.types.c_text(p.type) for name, p in found.items()}
    assert texts["name"] == "const char*" and texts["p"] == "foo_t*" and texts["c"] == "enum color"
    assert texts["small"] == "int8_t"


def test_every_function_is_where_its_symbol_is(program: Program) -> None:
    entries = {address for unit in program.dwarf.units for address in unit.functions()}
    for name in ("plain", "with_double", "by_value", "main", "no_parameters"):
        address, _ = program.elf.symbols().find(name) or (0, 0)
        assert address in entries


def _walk(sections: dict[str, memoryview]) -> None:
    """Read all that can be asked for."""
    dwarf = Dwarf(lambda name: sections.get(name, memoryview(b"")))
    types = DwarfTypes(dwarf)
    for unit in dwarf.units:
        for address in list(unit.functions())[:20]:
            function = dwarf.function_at(address)
            for parameter in parameters(function, "x86_64") if function is not None else ():
                t = types.convert(parameter.type)
                types.c_text(parameter.type)
                if isinstance(t, Pointer) and isinstance(t.target, Struct):
                    str([str(f.type) for f in t.target.fields.values()])
    types.struct("struct", "foo")
    types.typedef("foo_t")


NAMES = (
    ".debug_info", ".debug_abbrev", ".debug_str", ".debug_line_str", ".debug_str_offsets", ".debug_addr",
    ".debug_ranges", ".debug_rnglists", ".debug_aranges", ".debug_types",
)  # fmt: skip


def test_damaged_bytes_end_in_an_error_or_in_less(program: Program) -> None:
    """No other exception, and no loop that does not end: a changed byte, a cut, a piece of 0xff or of zeros."""
    chance = random.Random(5)
    whole = {name: bytes(program.elf.content(name)) for name in NAMES}
    for _ in range(120):
        sections = {name: memoryview(content) for name, content in whole.items()}
        name = chance.choice([n for n in (".debug_info", ".debug_abbrev", *NAMES) if whole[n]])
        sections[name] = memoryview(damaged(whole[name], chance))
        with contextlib.suppress(DwarfError):
            _walk(sections)


CPP = r"""
#include <string>
namespace ns {
struct Plain { long a, b; };
struct Handle { int id; Handle(int i) : id(i) {} Handle(const Handle &o) : id(o.id) {} };
struct Owner { int id; ~Owner() { id = 0; } };
struct Holds { Owner inner; };
struct Defaulted { int id; Defaulted(const Defaulted &) = default; Defaulted() = default; ~Defaulted() = default; };
struct Virtual { int id; virtual int f() { return id; } };
struct Shape : Plain { int width; int area(int scale) const; };
__attribute__((noinline)) int Shape::area(int scale) const { __asm__ volatile("" ::: "memory"); return width * scale; }
__attribute__((noinline)) int take(Plain p, Handle h, Owner o, Holds s, int last)
{ __asm__ volatile("" ::: "memory"); return p.a + h.id + o.id + s.inner.id + last; }
__attribute__((noinline)) int more(Defaulted d, Virtual v, std::string text, int last)
{ __asm__ volatile("" ::: "memory"); return d.id + v.id + text.size() + last; }
__attribute__((noinline)) std::string made(int a) { __asm__ volatile("" ::: "memory"); return std::string(a, 'x'); }
}
int main() {
    ns::Shape s{}; ns::Virtual v; v.id = 1; ns::Owner o{1}; ns::Holds h{{1}};
    return s.area(2) + ns::take({1, 2}, {3}, o, h, 4) + ns::more(ns::Defaulted(), v, "x", 1) + ns::made(3).size();
}
"""


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_objects_of_cpp(compiler: str, tmp_path: Path) -> None:
    """Those that are not copied byte by byte are passed by address, whether the compiler notes it or not."""
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}")
    (tmp_path / "t.cc").write_text(CPP)
    subprocess.run([compiler, "-g", "-O1", "-w", "-o", tmp_path / "t", tmp_path / "t.cc"], check=True)
    program = Program(tmp_path / "t")
    found = {}
    for unit in program.dwarf.units:
        for address in unit.functions():
            function = program.dwarf.function_at(address)
            if function is not None and function.name in ("area", "take", "more", "made"):
                found[function.name] = {p.name: p for p in parameters(function, "x86_64")}
    assert _places(found["area"]) == {"this": (0,), "scale": (1,)}
    assert _places(found["take"]) == {"p": (0, 1), "h": (2,), "o": (3,), "s": (4,), "last": (5,)}
    assert [p.by_reference for p in found["take"].values()] == [False, True, True, True, False]
    assert _places(found["more"]) == {"d": (0,), "v": (1,), "text": (2,), "last": (3,)}
    assert [p.by_reference for p in found["more"].values()] == [False, True, True, False]
    assert _places(found["made"]) == {"a": (1,)}


def test_without_debug_information() -> None:
    dwarf = Dwarf(lambda name: memoryview(b""))
    assert dwarf.empty and dwarf.function_at(4096) is None
    assert DwarfTypes(dwarf).struct("struct", "foo") is None
