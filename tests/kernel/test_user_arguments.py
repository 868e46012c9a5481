"""Typed arguments of functions in user space, by debug information: what the program passed is what is read."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from command_line import kernscope, needs_tracing

from kernscope.kernel import Kernel

pytestmark = [
    needs_tracing,
    pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc, to build the programs that are traced"),
    pytest.mark.skipif(Kernel().arch.machine != "x86_64", reason="the values lie where x86-64 puts them"),
    pytest.mark.skipif(not Kernel().has_feature("uprobe"), reason="this kernel has no uprobes"),
]

SOURCE = r"""
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
struct inner { short a; unsigned b : 3; unsigned c : 5; int : 0; unsigned long long d : 33; };
struct large { long words[4]; };
struct odd { char bytes[12]; };
enum color { RED = 1, GREEN = -2 };
union number { int as_int; unsigned char as_bytes[4]; };
typedef struct file {
    int x;
    const char *name;
    struct inner in;
    union { int as_int; char as_char; };
    char text[16];
    uint8_t raw[4];
    struct file *next;
    int grid[2][3];
    enum color color;
    bool ok;
} file_t;
#define HERE __attribute__((noipa))
HERE int plain(const char *name, file_t *p, enum color c, bool flag, int8_t small, unsigned short us,
               long long seventh, signed char eighth) { __asm__ volatile("" ::: "memory"); return p->x + c; }
HERE int by_value(struct inner in, int after, struct large l, double d, struct odd o)
{ __asm__ volatile("" ::: "memory"); return in.a + after; }
HERE struct large hidden_result(unsigned a) { struct large l = {{a}}; __asm__ volatile("" ::: "memory"); return l; }
HERE int of_union(union number n, uint8_t *bytes) { __asm__ volatile("" ::: "memory"); return n.as_int; }
HERE int nothing(void) { __asm__ volatile("" ::: "memory"); return 3; }
int main(int count, char **arguments)
{
    int n = count > 1 ? atoi(arguments[1]) : 1, sum = 0;
    char name[16];
    strcpy(name, "some name"); /* a constant may not be in memory yet when a probe wants to read it */
    file_t f = {.x = 5, .name = name, .in = {.a = -3, .b = 5, .c = 17, .d = 0x1fffffff1}, .as_int = 65, .text = "hello",
                .raw = {1, 2, 3, 255}, .grid = {{1, 2, 3}, {4, 5, -6}}, .color = GREEN, .ok = true};
    f.next = &f;
    struct large l = {{1, 2, 3, -4}};
    struct odd o = {"twelve bytes"};
    union number u = {.as_int = 0x04030201};
    for (int i = 0; i < n; i++) {
        sum += plain(name, &f, GREEN, i % 2, -i, 65535 - i, (1LL << 40) + i, -8) + by_value(f.in, i, l, 2.5, o);
        sum += hidden_result(i).words[0] + of_union(u, f.raw) + nothing();
    }
    return sum > 1 << 30;
}
"""


@pytest.fixture(scope="module", params=["-gdwarf-5 -O1", "-gdwarf-4 -O0", "-gdwarf-5 -O2 -gz"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("arguments")
    (folder / "t.c").write_text(SOURCE)
    options = request.param.split()
    subprocess.run(["gcc", *options, "-w", "-o", folder / "t", folder / "t.c"], check=True, timeout=120)
    return str(folder / "t")


def printed(program: str, function: str, action: str, rounds: int = 1) -> list[str]:
    text = f"uprobe:{program}:{function} {{ {action} }}"
    done = kernscope("run", "-q", "-e", text, "-c", f"{program} {rounds}")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()


def test_scalars(program: str) -> None:
    action = """print((args.c, args.flag, args.small, args.us, args.seventh, args.eighth));
        print(str(args.name));"""
    assert printed(program, "plain", action, rounds=3) == [
        "(GREEN, false, 0, 65535, 1099511627776, -8)",
        "some name",
        "(GREEN, true, -1, 65534, 1099511627777, -8)",
        "some name",
        "(GREEN, false, -2, 65533, 1099511627778, -8)",
        "some name",
    ]


def test_members_behind_pointers(program: str) -> None:
    action = """print((args.p.x, args.p->in.a, args.p->in.b, args.p->in.c, args.p->in.d, args.p->as_char));
        print(args.p->text); print(args.p->raw[3]); print(args.p->grid[1][2]); print(args.p->color); print(args.p->ok);
        print(str(args.p->next->next->name)); print(args.p.in); print(args.p->grid);"""
    assert printed(program, "plain", action) == [
        "(5, -3, 5, 17, 8589934577, 65)", "hello", "255", "-6", "GREEN", "true", "some name",
        "{ .a = -3, .b = 5, .c = 17, .d = 8589934577 }", "[[1,2,3],[4,5,-6]]",
    ]  # fmt: skip


def test_structs_by_value_in_registers_and_on_the_stack(program: str) -> None:
    action = """print(args.in); print(args.in.d); print(args.after); print(args.l.words); print(args.l.words[3]);
        print(args.o.bytes);"""
    value = "{ .a = -3, .b = 5, .c = 17, .d = 8589934577 }"
    rest = ["[1,2,3,-4]", "-4", "twelve bytes"]
    found = printed(program, "by_value", action, rounds=2)
    assert found == [value, "8589934577", "0", *rest, value, "8589934577", "1", *rest]


def test_where_a_large_result_goes_is_no_argument(program: str) -> None:
    assert printed(program, "hidden_result", "print(args.a)", rounds=3) == ["0", "1", "2"]


def test_unions(program: str) -> None:
    action = "print(args.n.as_int); print(args.n.as_bytes[2]); print(args.bytes[3]);"
    assert printed(program, "of_union", action) == ["67305985", "3", "255"]


def test_counts_are_exact(program: str) -> None:
    lines = printed(program, "plain", "@[args.us] = count(); @sum = sum(args.small);", rounds=40)
    found = dict(re.findall(r"^(@.*): (-?\d+)$", "\n".join(lines), re.MULTILINE))
    assert found == {f"@[{65535 - i}]": "1" for i in range(40)} | {"@sum": str(-sum(range(40)))}


def test_the_programs_own_types_in_casts(program: str) -> None:
    """`struct file` is also one of the kernel: in a program's probe the program's is meant."""
    action = """$p = (struct file *)arg1; print($p->next->x); print(((file_t *)arg1)->in.c); print((enum color)arg2);
        print((sizeof(struct inner), sizeof(struct file), offsetof(struct file, text)));
        print(((struct task_struct *)curtask)->pid == tid);"""
    assert printed(program, "plain", action) == ["5", "17", "GREEN", "(16, 96, 36)", "true"]
    text = f"uretprobe:{program}:plain {{ print(sizeof(struct file)); exit(); }}"
    assert kernscope("run", "-q", "-e", text, "-c", program).stdout.strip() == "96"


def test_listing(program: str) -> None:
    done = kernscope("list", "-v", f"uprobe:{program}:plain")
    assert done.stdout.splitlines() == [
        f"uprobe:{program}:plain", "    const char* name", "    file_t* p", "    enum color c", "    _Bool flag",
        "    int8_t small", "    short unsigned int us", "    long long int seventh", "    signed char eighth",
    ]  # fmt: skip
    done = kernscope("list", "-v", f"uprobe:{program}:by_value")
    assert "    double d" in done.stdout.splitlines()


@pytest.mark.parametrize(
    ("target", "action", "words"),
    [
        ("uprobe:PROGRAM:by_value", "print(args.d)", "floating-point"),
        ("uprobe:PROGRAM:plain", "print(args.nam)", "did you mean `args.name`?"),
        ("uprobe:PROGRAM:nothing", "print(args.x)", "it has no fields"),
        ("uprobe:PROGRAM:_start", "print(args.x)", "has no `args`"),
        ("uprobe:PROGRAM:plain", "print(args.p->nosuch)", "has no member `nosuch`"),
        ("uretprobe:PROGRAM:plain", "print(args.name)", "has no `args`"),
    ],
)
def test_errors(program: str, target: str, action: str, words: str) -> None:
    done = kernscope("run", "-e", f"{target.replace('PROGRAM', program)} {{ {action} }}")
    assert done.returncode == 1 and words in done.stderr


def test_debug_information_in_a_file_beside_it(program: str, tmp_path: Path) -> None:
    if not shutil.which("objcopy"):
        pytest.skip("needs objcopy (binutils)")
    stripped, beside = tmp_path / "t", tmp_path / "t.debug"
    subprocess.run(["objcopy", "--only-keep-debug", program, beside], check=True)
    subprocess.run(
        ["objcopy", "--strip-debug", f"--add-gnu-debuglink={beside}", program, stripped], check=True
    )
    assert printed(str(stripped), "plain", "print(args.p->text)") == ["hello"]
    beside.unlink()
    text = f"uprobe:{stripped}:plain {{ print(args.p->text); }}"
    assert "has no `args`" in kernscope("run", "-e", text).stderr
