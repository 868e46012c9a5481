"""Static probes: every place of a probe is seen, each argument is read where that place has it, semaphores count."""

import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from command_line import Tracer, eventually, kernscope, needs_tracing
from traced import WaitingProgram

from kernscope.elf import ElfFile
from kernscope.elf.usdt import read_usdt_notes
from kernscope.kernel import Kernel
from kernscope.kernel.mappings import read_mappings, read_memory

pytestmark = [
    needs_tracing,
    pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc, to build the programs that are traced"),
    pytest.mark.skipif(Kernel().arch.machine != "x86_64", reason="the program has places of x86-64"),
    pytest.mark.skipif(not Kernel().has_feature("usdt"), reason="this kernel has no static user probes"),
]

SOURCE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define PROBE(provider, name, semaphore, arguments, ...) __asm__ volatile( \
    "990: nop\n" \
    ".pushsection .note.stapsdt, \"\", \"note\"\n.balign 4\n" \
    ".4byte 992f-991f, 994f-993f, 3\n" \
    "991: .asciz \"stapsdt\"\n992: .balign 4\n" \
    "993: .8byte 990b\n.8byte _.stapsdt.base\n.8byte " semaphore "\n" \
    ".asciz \"" provider "\"\n.asciz \"" name "\"\n.asciz \"" arguments "\"\n994: .balign 4\n.popsection\n" \
    ".ifndef _.stapsdt.base\n.pushsection .stapsdt.base, \"aG\", \"progbits\", .stapsdt.base, comdat\n" \
    ".weak _.stapsdt.base\n.hidden _.stapsdt.base\n_.stapsdt.base: .space 1\n" \
    ".size _.stapsdt.base, 1\n.popsection\n.endif\n" :: __VA_ARGS__)
#define HERE __attribute__((noipa))

volatile unsigned short app_watched_semaphore __attribute__((section(".probes")));
int app_counter = -9;
long app_table[4] = {100, 101, 102, 103};

HERE void step(int i, unsigned char byte, const char *text)
{
    app_counter = -9 - i;
    PROBE("app", "step", "0", "-4@%[i] 1@%b[byte] 8@%[text] -8@(%[table],%[index],8) -4@$-7 -4@app_counter(%%rip)",
          [i] "r"(i), [byte] "r"(byte), [text] "r"(text), [table] "r"(app_table), [index] "r"((long)i & 3) : "memory");
}
HERE void other_place(long n, const char *text)
{
    const char *volatile kept = text;
    PROBE("app", "step", "0", "-8@%[n] 1@$200 8@%[kept]", [n] "r"(n), [kept] "m"(kept) : "memory");
    PROBE("second", "step", "0", "-2@%w[n]", [n] "r"(n));
}
HERE void fraction(double d) { PROBE("app", "fraction", "0", "8@%[d] -4@$5", [d] "x"(d)); }
HERE int watched(int i)
{
    if (!app_watched_semaphore)
        return 0;
    PROBE("app", "watched", "app_watched_semaphore", "-4@%[i]", [i] "r"(i));
    PROBE("app", "watched", "app_watched_semaphore", "-4@$-1", );
    return 1;
}
static int work(int rounds)
{
    char text[16];
    int enabled = 0;
    strcpy(text, "some text"); /* a constant may not be in memory yet when a probe wants to read it */
    for (int i = 0; i < rounds; i++) {
        step(i, 250, text);
        other_place(-i, text);
        fraction(i);
        enabled += watched(i);
    }
    return enabled;
}
int main(int count, char **arguments)
{
    char line[64];
    if (count > 1)
        return work(atoi(arguments[1])) > 1 << 30;
    while (fgets(line, sizeof line, stdin)) {
        printf("%d\n", work(atoi(line)));
        fflush(stdout);
    }
    return 0;
}
"""


def build(folder: Path) -> str:
    (folder / "app.c").write_text(SOURCE)
    subprocess.run(["gcc", "-O1", "-w", "-o", folder / "app", folder / "app.c"], check=True, timeout=120)
    return str(folder / "app")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build(tmp_path_factory.mktemp("usdt"))


class Waiting(WaitingProgram):
    """The program, which works when asked to."""

    def work(self, rounds: int) -> int:
        """In how many of the rounds it saw that it is watched."""
        return int(self.ask(rounds))

    def __enter__(self) -> Self:
        self.work(0)  # it has begun
        return self


@pytest.fixture
def waiting(program: str) -> Iterator[Waiting]:
    with Waiting(program) as running:
        yield running


def counts(text: str) -> dict[str, int]:
    return {key: int(number) for key, number in re.findall(r"^(@.*): (-?\d+)$", text, re.MULTILINE)}


def traced(text: str, program: str, rounds: int, *options: str) -> str:
    done = kernscope("run", "-q", *options, "-e", text, "-c", f"{program} {rounds}")
    assert done.returncode == 0, done.stderr
    return done.stdout


WAYS = [pytest.param((), id="as here"), pytest.param(("--no-feature", "uprobe_multi"), id="one by one")]


@pytest.mark.parametrize("options", WAYS)
def test_each_place_has_its_own_arguments(program: str, options: tuple[str, ...]) -> None:
    text = f"""usdt:{program}:app:step {{
        @n = count(); @first[arg0] = count(); @second[arg1] = count(); @text[str(arg2)] = count();
        @element[arg3] = count(); @constant[arg4] = count(); @variable[arg5] = count(); }}"""
    found = counts(traced(text, program, 5, *options))
    expected = {"@n": 10, "@second[250]": 5, "@second[200]": 5, "@text[some text]": 10}
    expected |= {f"@first[{n}]": 1 for n in (-4, -3, -2, -1, 1, 2, 3, 4)} | {"@first[0]": 2}
    # the second place has three arguments: the others are 0 there
    expected |= {
        "@element[100]": 2,
        "@element[101]": 1,
        "@element[102]": 1,
        "@element[103]": 1,
        "@element[0]": 5,
    }
    expected |= {"@constant[-7]": 5, "@constant[0]": 5}
    expected |= {f"@variable[{-9 - i}]": 1 for i in range(5)} | {"@variable[0]": 5}
    assert found == expected


@pytest.mark.parametrize("options", WAYS)
def test_names_patterns_and_providers(program: str, options: tuple[str, ...]) -> None:
    text = f"""usdt:{program}:step {{ @any[probe] = count(); }} U:{program}:second:st* {{ @second[arg0] = count(); }}
        usdt:{program}::fraction {{ @fraction[probe, probetype, arg1] = count(); }}
        usdt:{program}:*:* {{ @all[probe] = count(); }}"""
    name = f"usdt:{program}"
    found = counts(traced(text, program, 3, *options))
    assert found == {
        f"@any[{name}:app:step]": 6,
        f"@any[{name}:second:step]": 3,
        "@second[0]": 1,
        "@second[-1]": 1,
        "@second[-2]": 1,
        f"@fraction[{name}:app:fraction, usdt, 5]": 3,
        f"@all[{name}:app:step]": 6,
        f"@all[{name}:second:step]": 3,
        f"@all[{name}:app:fraction]": 3,
        f"@all[{name}:app:watched]": 6,
    }


def test_only_one_process(program: str, waiting: Waiting) -> None:
    with Waiting(program) as other:
        for target in (f"usdt:{program}:app:step", "usdt:*:app:step", "usdt:app:app:step"):
            with Tracer("-p", str(waiting.pid), "-e", f"{target} {{ @[pid] = count(); }}") as tracer:
                other.work(7)
                waiting.work(4)
                done = tracer.stop()
            assert counts(done.out) == {f"@[{waiting.pid}]": 8}, target


@pytest.mark.parametrize("options", WAYS)
def test_the_program_knows_that_it_is_watched(
    program: str, waiting: Waiting, options: tuple[str, ...]
) -> None:
    text = f"usdt:{program}:watched {{ @[arg0] = count(); }}"
    assert waiting.work(3) == 0
    with Tracer(*options, "-e", text) as tracer:
        assert waiting.work(3) == 3
        with Waiting(program) as later:  # started while it is traced
            assert later.work(2) == 2
        done = tracer.stop()
    assert counts(done.out) == {"@[-1]": 5, "@[0]": 2, "@[1]": 2, "@[2]": 1}
    assert waiting.work(3) == 0
    with Tracer(*options, "-e", f"usdt:{program}:app:step {{ @ = count(); }}"):
        assert waiting.work(3) == 0  # another probe


def test_only_the_traced_process_is_watched(program: str, waiting: Waiting) -> None:
    with (
        Waiting(program) as other,
        Tracer("-p", str(waiting.pid), "-e", f"usdt:{program}:watched {{ @ = count(); }}") as tracer,
    ):
        assert waiting.work(2) == 2
        assert other.work(2) == 0
        assert counts(tracer.stop().out) == {"@": 4}


def _code(pid: int, program: str) -> set[bytes]:
    """The first byte of each place, as it is in a process's memory."""
    elf = ElfFile(Path(program).read_bytes())
    found = set()
    for note in read_usdt_notes(elf):
        place = elf.offset_of(note.address)
        assert place is not None
        for m in read_mappings(pid):
            if m.path == program and m.offset <= place < m.offset + m.end - m.start:
                found.add(read_memory(pid, m.start + place - m.offset, 1))
    return found


@pytest.mark.parametrize("killed", [False, True])
def test_nothing_stays(program: str, waiting: Waiting, killed: bool) -> None:
    nop, breakpoint = b"\x90", b"\xcc"
    assert _code(waiting.pid, program) == {nop}
    with Tracer("-e", f"usdt:{program}:*:* {{ @[probe] = count(); }}") as tracer:
        assert waiting.work(1) == 1
        assert _code(waiting.pid, program) == {breakpoint}
        tracer.stop(signal.SIGKILL if killed else signal.SIGINT)
    assert eventually(lambda: _code(waiting.pid, program) == {nop})
    assert waiting.work(5) == 0


def test_in_other_namespaces(program: str, tmp_path: Path) -> None:
    """A program that only its own mount namespace shows, in a pid namespace of its own."""
    folder = tmp_path / "container"
    folder.mkdir()
    script = f"mount -t tmpfs none {folder} && cp {program} {folder}/inside && exec {folder}/inside"
    try:
        container = Waiting("unshare", "--mount", "--pid", "--fork", "sh", "-c", script)
    except FileNotFoundError:
        pytest.skip("needs unshare (util-linux)")
    with container:
        children = Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text().split()
        pid = children[0]
        assert not (folder / "inside").exists()
        by_root = f"usdt:/proc/{pid}/root{folder}/inside:app:step {{ @[arg0] = count(); }}"
        with Tracer("-e", by_root) as tracer:
            container.work(2)
            done = tracer.stop()
        assert counts(done.out) == {"@[0]": 2, "@[1]": 1, "@[-1]": 1}, done.err
        by_process = f"usdt:{folder}/inside:watched {{ @[probe] = count(); }}"
        with Tracer("-p", pid, "-e", by_process) as tracer:
            assert container.work(3) == 3
            done = tracer.stop()
        assert counts(done.out) == {f"@[usdt:{folder}/inside:app:watched]": 6}, done.err


def test_variables_of_the_program(program: str) -> None:
    text = f"""usdt:{program}:second:step {{ @[*(int32 *)uaddr("app_counter")] = count(); }}"""
    assert counts(traced(text, program, 3)) == {"@[-9]": 1, "@[-10]": 1, "@[-11]": 1}
    done = kernscope("run", "-e", f"""usdt:{program}:app:step {{ print(uaddr("app_counter")); }}""")
    assert done.returncode == 1 and "error[not-available-here]" in done.stderr  # two places


def test_listing(program: str) -> None:
    names = [f"usdt:{program}:{name}" for name in ("app:fraction", "app:step", "app:watched", "second:step")]
    assert kernscope("list", f"usdt:{program}:*").stdout.split() == names
    assert kernscope("list", f"U:{program}:second:*").stdout.split() == names[3:]
    assert kernscope("list", f"usdt:{program}:*st*").stdout.split() == [names[1], names[3]]
    assert kernscope("list", "-v", f"usdt:{program}:app:step").stdout.splitlines() == [
        names[1], "    int32 arg0", "    uint8 arg1", "    uint64 arg2", "    int64 arg3", "    int32 arg4",
        "    int32 arg5",
    ]  # fmt: skip


def test_with_functions_in_one_action(program: str) -> None:
    text = f"uprobe:{program}:step, usdt:{program}:second:step {{ @[probe, (int32)arg0] = count(); }}"
    assert counts(traced(text, program, 2)) == {
        f"@[uprobe:{program}:step, 0]": 1,
        f"@[uprobe:{program}:step, 1]": 1,
        f"@[usdt:{program}:second:step, 0]": 1,
        f"@[usdt:{program}:second:step, -1]": 1,
    }


@pytest.mark.parametrize(
    ("target", "action", "code", "words"),
    [
        ("usdt:PROGRAM:stepp", "exit()", "unknown-probe", "did you mean `step`?"),
        ("usdt:PROGRAM:ap:step", "exit()", "unknown-probe", "did you mean `app:step`?"),
        ("usdt:PROGRAM:zzz*", "exit()", "unknown-probe", "has no static probe `zzz*`"),
        ("usdt:/bin/sh:x", "exit()", "unknown-probe", "has no static probes"),
        ("usdt:PROGRAM:", "exit()", "bad-target", "does not name a static probe"),
        ("usdt:PROGRAM", "exit()", "bad-target", "does not name a static probe"),
        ("usdt:/nowhere/at/all:x", "exit()", "unknown-probe", "there is no file"),
        ("usdt:PROGRAM:fraction", "print(arg0)", "unreadable-argument", "floating-point"),
        ("usdt:PROGRAM:second:step", "print(arg1)", "not-available-here", "end at `arg0`"),
        ("usdt:PROGRAM:second:step", "print(args.x)", "not-available-here", "has no `args`"),
        ("usdt:PROGRAM:second:step", "print(retval)", "not-available-here", "has no `retval`"),
    ],
)
def test_errors(program: str, target: str, action: str, code: str, words: str) -> None:
    done = kernscope("run", "-e", f"{target.replace('PROGRAM', program)} {{ {action} }}")
    assert done.returncode == 1 and f"error[{code}]" in done.stderr and words in done.stderr


def test_an_argument_that_some_places_cannot_give_is_told(program: str) -> None:
    done = kernscope(
        "run", "-q", "-e", f"usdt:{program}:app:* {{ @[probe, arg0] = count(); }}", "-c", f"{program} 1"
    )
    assert done.returncode == 0 and "warning[unreadable-argument]" in done.stderr
    assert f"@[usdt:{program}:app:fraction, 0]: 1" in done.stdout
