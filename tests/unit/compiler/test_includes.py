"""Headers, from files that are a dictionary."""

from collections.abc import Sequence

import pytest

from kernscope.compiler.includes import with_includes
from kernscope.diagnostics import CompileError, Source
from kernscope.syntax import parse
from kernscope.syntax.ast import CEnum, CStruct, Define, HeaderTypes
from kernscope.syntax.parse_header import parse_header


def _names(
    text: str, files: dict[str, str], dirs: Sequence[str] = (), includes: Sequence[str] = (), name: str = "p"
) -> list[str]:
    def read(path: str) -> bytes:
        if path not in files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return files[path].encode()

    whole = with_includes(parse(Source(name, text)), dirs, includes, read)
    assert all(isinstance(node, Define | CStruct | CEnum | HeaderTypes) for node in whole.c_definitions)
    return [str(node.name) for node in whole.c_definitions if isinstance(node, Define | CStruct | CEnum)]


def test_headers_stand_where_the_directive_stood() -> None:
    files = {"a.h": "#define A 1\n", "b.h": "struct b { int x; };\n"}
    text = '#define FIRST 1\n#include "a.h"\nstruct own { int x; };\n#include "b.h"\nbegin { }'
    assert _names(text, files) == ["FIRST", "A", "own", "b"]


def test_each_header_once_also_in_a_ring() -> None:
    files = {"a.h": '#include "b.h"\n#define A 1\n', "b.h": '#include "a.h"\n#define B 1\n'}
    assert _names('#include "a.h"\n#include "b.h"\nbegin { }', files) == ["B", "A"]


def test_where_headers_are_looked_up() -> None:
    files = {
        "/src/beside.h": "#define BESIDE 1\n",
        "/i/one.h": "#define ONE 1\n",
        "/j/one.h": "#define OTHER 1\n",
        "/j/two.h": "#define TWO 1\n",
        "/usr/include/sys.h": "#define SYS 1\nstruct left_out { int x; };\n",
    }
    text = '#include "beside.h"\n#include <one.h>\n#include "two.h"\n#include <sys.h>\nbegin { }'
    assert _names(text, files, ["/i", "/j"], name="/src/p.bt") == ["BESIDE", "ONE", "TWO", "SYS"]


def test_headers_of_the_command_line_come_first() -> None:
    files = {"/i/a.h": "#define A 1\n", "b.h": "#define B 1\n"}
    assert _names("#define C 1\nbegin { }", files, ["/i"], ["a.h", "b.h"]) == ["A", "B", "C"]


HEADER = """
#ifndef GUARD
#define GUARD
#define LIMIT 5
extern int errno;
struct first { int a; char b[LIMIT]; };
static inline struct first make(int x) { struct first f = { .a = x, }; if (x) { f.a = '{'; } return f; }
struct first many[3] = { { 1 }, { 2 } };
#if __has_include(<nothing.h>) && __GNUC__ >= 4
struct never { int x; };
#endif
struct odd { int (*call[2])(void); _Alignas(8) int y; };
int function(struct first *f, int (*g)(void)) __attribute__((pure));
typedef struct { unsigned short x; } pair_t;
typedef int (*handler)(int, "\\"");
enum { RED = 2, GREEN };
union both { struct first f; long l; } __attribute__((packed));
#endif
"""


def test_headers_that_were_not_written_for_us() -> None:
    found = [node for node in parse_header(Source("h.h", HEADER)) if not isinstance(node, Define)]
    names = [getattr(node, "name", None) for node in found]
    assert [name for name in names if name in ("first", "pair_t", "both", "never")] == [
        "first",
        "pair_t",
        "both",
    ]
    assert any(isinstance(node, CEnum) for node in found)


@pytest.mark.parametrize(
    "text", ["struct {", "typedef", "}", "(((", '"', "#if", "enum x", "struct a b c;", "#define"]
)
def test_headers_that_are_no_c(text: str) -> None:
    parse_header(Source("h.h", text))


def test_names_of_the_kernel_that_no_header_here_has() -> None:
    assert {"AF_INET", "TASK_RUNNING"} <= set(_names("#include <net/sock.h>\nbegin { }", {}))
    assert "AF_INET" not in _names("#include <own.h>\nbegin { }", {})


def test_headers_of_the_system_may_be_missing_or_unreadable() -> None:
    files = {"/usr/include/code.h": "static inline int f(void) { return 1; }\n"}
    assert _names("#include <none.h>\n#include <code.h>\nbegin { }", files) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('#include "none.h"\nbegin { }', "there is no header `none.h`"),
        ('#include "bad.h"\nbegin { }', "never closed"),
        ("#include none.h\nbegin { }", "stands in quotes"),
    ],
)
def test_what_cannot_be_included(text: str, message: str) -> None:
    with pytest.raises(CompileError) as caught:
        _names(text, {"bad.h": "struct {"})
    assert any(message in finding.message for finding in caught.value.diagnostics)
