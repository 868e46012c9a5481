"""Probes on functions of programs and libraries: every call is seen, once, with its arguments; nothing stays behind."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Tracer, eventually, kernscope, needs_tracing
from traced import WaitingProgram

from kernscope.elf import ElfFile
from kernscope.elf.instructions import x86_length
from kernscope.kernel import Kernel
from kernscope.kernel.mappings import read_mappings, read_memory

pytestmark = [
    needs_tracing,
    pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc, to build the programs that are traced"),
    pytest.mark.skipif(not Kernel().has_feature("uprobe"), reason="this kernel has no uprobes"),
]

SOURCE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define HERE __attribute__((noinline))
int counter = 5;
short small = -7;
HERE int add(int a, int b) { __asm__ volatile("" ::: "memory"); return a + b; }
HERE int add_more(int a, const char *text) { __asm__ volatile("" ::: "memory"); return a + (text != 0); }
HERE int factorial(int n) { __asm__ volatile("" ::: "memory"); return n < 2 ? 1 : n * factorial(n - 1); }
HERE static int hidden(int n) { __asm__ volatile("" ::: "memory"); return n - 1; }
static long work(int n)
{
    long sum = 0;
    char text[16];
    strcpy(text, "some text"); /* a constant may not be in memory yet when a probe wants to read it */
    for (int i = 0; i < n; i++)
        sum += add(i, 2) + add_more(i, text) + hidden(i) + getppid() % 2;
    return sum + factorial(5);
}
int main(int count, char **arguments)
{
    char line[64];
    if (count > 1)
        return printf("%ld\n", work(atoi(arguments[1]))) < 0;
    while (fgets(line, sizeof line, stdin)) {
        work(atoi(line));
        puts("done");
        fflush(stdout);
    }
    return 0;
}
"""


def build(folder: Path, name: str, source: str, *options: str, compiler: str = "gcc") -> str:
    text = folder / (name + (".cc" if compiler == "g++" else ".c"))
    text.write_text(source)
    built = folder / name
    command = [compiler, "-O1", "-Wl,--build-id", "-o", str(built), str(text), *options]
    subprocess.run(command, check=True, timeout=120)
    return str(built)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build(tmp_path_factory.mktemp("uprobe"), "calls", SOURCE)


class Waiting(WaitingProgram):
    """The program, which does its work when asked to."""

    def work(self, times: int) -> None:
        assert self.ask(times) == "done\n"


@pytest.fixture
def waiting(program: str) -> Iterator[Waiting]:
    with Waiting(program) as running:
        running.work(0)  # it has begun
        yield running


def counts(text: str) -> dict[str, int]:
    """The lines `@name[key]: number` and `@name: number` of all maps, by what stands before the colon."""
    return {key: int(number) for key, number in re.findall(r"^(@.*): (-?\d+)$", text, re.MULTILINE)}


def traced(text: str, program: str, *arguments: str, options: tuple[str, ...] = ()) -> str:
    """What a program of ours prints about a run of `program`."""
    done = kernscope("run", "-q", *options, "-e", text, "-c", " ".join([program, *arguments]))
    assert done.returncode == 0, done.stderr
    return done.stdout


def code_at(pid: int, program: str, function: str) -> bytes:
    """The first bytes of a function in a process's memory."""
    elf = ElfFile(Path(program).read_bytes())
    place = elf.offset_of(elf.functions().named(function)[0].address)
    assert place is not None
    for mapping in read_mappings(pid):
        if mapping.path == program and mapping.offset <= place < mapping.offset + mapping.end - mapping.start:
            return read_memory(pid, mapping.start + place - mapping.offset, 4)
    raise AssertionError("the program is not mapped")


def test_entry_arguments_and_names(program: str) -> None:
    text = f"""uprobe:{program}:add {{ @n = count(); @sum = sum(arg0); @second[arg1] = count(); @f[func] = count(); }}
        uprobe:{program}:add_more {{ @text[str(arg1)] = count(); @p[probe] = count(); }}"""
    found = counts(traced(text, program, "100"))
    assert found == {
        "@n": 100,
        "@sum": sum(range(100)),
        "@second[2]": 100,
        "@f[add]": 100,
        "@text[some text]": 100,
        f"@p[uprobe:{program}:add_more]": 100,
    }


def test_returns(program: str) -> None:
    text = f"uretprobe:{program}:add {{ @ = sum(retval); @f[func] = count(); }}"
    assert counts(traced(text, program, "100")) == {"@": sum(range(2, 102)), "@f[add]": 100}


def test_returns_of_a_recursive_function(program: str) -> None:
    text = f"""uretprobe:{program}:factorial {{ @[retval] = count(); }}
        uprobe:{program}:factorial {{ @n[arg0] = count(); }}"""
    found = counts(traced(text, program, "0"))
    assert found == {f"@[{n}]": 1 for n in (1, 2, 6, 24, 120)} | {f"@n[{n}]": 1 for n in (1, 2, 3, 4, 5)}


def test_pattern_counts_each_function(program: str) -> None:
    text = f"uprobe:{program}:add*,uprobe:{program}:hidden {{ @[probe, func] = count(); }}"
    found = counts(traced(text, program, "50"))
    assert found == {f"@[uprobe:{program}:{name}, {name}]": 50 for name in ("add", "add_more", "hidden")}


def test_pattern_of_paths(program: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        shutil.copy(program, tmp_path / name)
    text = f"uprobe:{tmp_path}/*:add {{ @[probe] = count(); }}"
    assert counts(traced(text, str(tmp_path / "two"), "7")) == {f"@[uprobe:{tmp_path}/two:add]": 7}


def test_entry_and_return_of_one_action(program: str) -> None:
    text = f"uprobe:{program}:add,uretprobe:{program}:add {{ @[probe] = count(); @f[func] = count(); }}"
    found = counts(traced(text, program, "9"))
    assert found == {f"@[uprobe:{program}:add]": 9, f"@[uretprobe:{program}:add]": 9, "@f[add]": 18}


def test_all_functions_of_a_program(program: str) -> None:
    found = counts(traced(f"uprobe:{program}:* {{ @[func] = count(); }}", program, "3"))
    assert {name: found[f"@[{name}]"] for name in ("main", "add", "hidden", "factorial")} == {
        "main": 1,
        "add": 3,
        "hidden": 3,
        "factorial": 5,
    }


def test_inside_a_function_and_by_address(program: str) -> None:
    elf = ElfFile(Path(program).read_bytes())
    function = elf.functions().named("add")[0]
    start = elf.offset_of(function.address)
    assert start is not None
    first = x86_length(Path(program).read_bytes(), start) if elf.machine == 62 else 4
    text = f"""uprobe:{program}:add+{first} {{ @[probe, func] = count(); }}
        uprobe:{program}:{function.address:#x} {{ @[probe, func] = count(); }}"""
    assert counts(traced(text, program, "6")) == {
        f"@[uprobe:{program}:add+{first}, add]": 6,
        f"@[uprobe:{program}:{function.address}, {function.address:#x}]": 6,
    }


def test_variables(program: str) -> None:
    text = f"""uprobe:{program}:add* {{ @[func, *uaddr("counter"), *(int16 *)uaddr("small")] = count(); }}"""
    if Kernel().has_feature("uprobe_multi"):  # at the return, since the same version of the kernel
        text += f"""uretprobe:{program}:hidden {{ @[func, *uaddr("counter"), 0] = count(); }}"""
    else:
        text += f"""uprobe:{program}:hidden {{ @[func, *uaddr("counter"), 0] = count(); }}"""
    assert counts(traced(text, program, "2")) == {
        "@[add, 5, -7]": 2,
        "@[add_more, 5, -7]": 2,
        "@[hidden, 5, 0]": 2,
    }


def test_a_library_by_its_name(program: str) -> None:
    found = traced("uprobe:libc:getppid { @[probe] = count(); }", program, "25")
    assert re.search(r"^@\[uprobe:/\S*libc\S*:getppid\]: 25$", found, re.MULTILINE)


def test_a_command_by_its_name(program: str) -> None:
    done = kernscope(
        "run", "-q", "-e", f"uprobe:{Path(program).name}:add {{ @ = count(); }}", "-c", f"{program} 4",
        env=os.environ | {"PATH": f"{Path(program).parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert "@: 4" in done.stdout, done.stderr


def test_only_one_process(program: str, waiting: Waiting) -> None:
    text = f"uprobe:{program}:add {{ @[pid] = count(); }} uretprobe:{program}:hidden {{ @r[pid] = count(); }}"
    with Waiting(program) as other, Tracer("-p", str(waiting.pid), "-e", text) as tracer:
        other.work(10)
        waiting.work(20)
        done = tracer.stop()
    assert done.code == 0
    assert counts(done.out) == {f"@[{waiting.pid}]": 20, f"@r[{waiting.pid}]": 20}


def test_a_command_is_traced_alone(program: str) -> None:
    text = f"uprobe:{program}:add {{ @ = count(); }}"
    script = f"{program} 30"
    done = kernscope("run", "-q", "-e", text, "-c", f"sh -c '{script}; exec {script}'")
    assert "@: 30\n" in done.stdout, done.stderr


def test_stacks_and_addresses_by_name(program: str, waiting: Waiting) -> None:
    text = f'uprobe:{program}:add {{ printf("%s|%s\\n", usym(reg("ip")), ustack(1)); }}'
    text = text if os.uname().machine == "x86_64" else text.replace('"ip"', '"pc"')
    with Tracer("-p", str(waiting.pid), "-e", text) as tracer:
        waiting.work(1)
        eventually(lambda: "add+0" in tracer.out)
        done = tracer.stop()
    assert done.out.split() == ["add|", "add+0"]


def test_nothing_stays_when_it_ends_or_is_killed(program: str, waiting: Waiting) -> None:
    before = code_at(waiting.pid, program, "add")
    text = f"uprobe:{program}:add* {{ @ = count(); }} uretprobe:{program}:add {{ @r = count(); }}"
    with Tracer("-e", text) as tracer:
        assert code_at(waiting.pid, program, "add") != before
        tracer.stop()
        assert code_at(waiting.pid, program, "add") == before
    with Tracer("-e", text) as tracer:
        assert code_at(waiting.pid, program, "add") != before
        waiting.work(5)
        os.kill(tracer.process.pid, signal.SIGKILL)
        assert eventually(lambda: code_at(waiting.pid, program, "add") == before)
    waiting.work(5)


def test_the_end_of_the_process_ends_the_run(program: str) -> None:
    with Waiting(program) as running:
        running.work(0)
        with Tracer("-p", str(running.pid), "-e", f"uprobe:{program}:add {{ @ = count(); }}") as tracer:
            running.work(3)
            running.process.kill()
            running.process.wait()
            done = tracer.wait()
    assert done.code == 0 and "@: 3" in done.out


def test_a_program_that_was_deleted(program: str, tmp_path: Path) -> None:
    copy = shutil.copy(program, tmp_path / "gone")
    with Waiting(copy) as running:
        running.work(0)
        os.unlink(copy)
        with Tracer("-p", str(running.pid), "-e", f"uprobe:{copy}:add {{ @ = count(); }}") as tracer:
            running.work(8)
            done = tracer.stop()
    assert "@: 8" in done.out


def test_a_program_that_was_replaced(program: str, tmp_path: Path) -> None:
    copy = str(shutil.copy(program, tmp_path / "calls"))
    compiled = str(tmp_path / "program.ksb")
    done = kernscope("compile", "-o", compiled, "-e", f"uprobe:{copy}:add {{ @ = count(); }}")
    assert done.returncode == 0, done.stderr
    assert "@: 2" in kernscope("run", "-q", compiled, "-c", f"{copy} 2").stdout
    os.unlink(copy)
    build(tmp_path, "calls", SOURCE.replace("counter = 5", "counter = 6").replace("a + b", "a * b + 1"))
    done = kernscope("run", compiled, "-c", f"{copy} 2")
    assert done.returncode == 3 and "was replaced since the program was compiled" in done.stderr


def test_a_program_that_is_replaced_while_it_is_probed(program: str, tmp_path: Path) -> None:
    copy, other = str(shutil.copy(program, tmp_path / "calls")), shutil.copy(program, tmp_path / "new")
    with Tracer(
        "-e", f"uprobe:{copy}:add {{ @ = count(); }} uretprobe:{copy}:add {{ @r = count(); }}"
    ) as tracer:
        subprocess.run([copy, "2"], check=True, stdout=subprocess.DEVNULL)
        os.rename(other, copy)
        subprocess.run([copy, "3"], check=True, stdout=subprocess.DEVNULL)
        done = tracer.stop()
    assert "@: 2\n" in done.out and "@r: 2\n" in done.out
    assert done.err.count(f"`{copy}` was replaced while it was probed") == 1


def test_in_a_container(program: str, tmp_path: Path) -> None:
    """A process whose program lies where only it sees a file, with process ids of its own."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    where = tmp_path / "inside"
    where.mkdir()
    script = f"mount -t tmpfs none {where} && cp {program} {where}/calls && exec {where}/calls"
    try:
        running = Waiting("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", script)
        running.work(0)
    except (AssertionError, BrokenPipeError):
        pytest.skip("no mount and process namespaces can be made here")
    with running:
        child = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()[0]
        text = f"uprobe:{where}/calls:add {{ @[pid] = count(); }} uprobe:libc:getppid {{ @l = count(); }}"
        assert "there is no file" in kernscope("run", "-e", text).stderr
        with Tracer("-p", child, "-e", text) as tracer:
            running.work(12)
            done = tracer.stop()
        os.kill(int(child), signal.SIGKILL)
    assert f"@[{child}]: 12" in done.out and "@l: 12" in done.out, done.out + done.err


def test_a_thousand_functions(tmp_path: Path) -> None:
    """Without links for many, fewer: the kernel takes some 40 ms to remove each probe."""
    count = 1000 if Kernel().has_feature("uprobe_multi") else 40
    here = "__attribute__((noinline))"
    functions = "".join(f"int {here} f{i}(int a) {{ return a + {i}; }}\n" for i in range(count))
    calls = "".join(f"sum += f{i}(sum);" for i in range(0, count, 2))
    main = f"int main(void) {{ volatile int sum = 0; {calls} return 0; }}"
    many = build(tmp_path, "many", functions + main, "-fno-ipa-icf")
    found = counts(traced(f"uprobe:{many}:f[0-9]* {{ @[func] = count(); }}", many))
    assert found == {f"@[f{i}]": 1 for i in range(0, count, 2)}


def test_names_of_cpp(tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    source = """
        #include <string>
        #define HERE __attribute__((noinline))
        namespace ns {
        struct Shape { HERE int area(int a); HERE int area(std::string s); };
        int Shape::area(int a) { __asm__ volatile(""); return a; }
        int Shape::area(std::string s) { __asm__ volatile(""); return s.size(); }
        template <class T> HERE T twice(T t) { __asm__ volatile(""); return t + t; }
        HERE int scale(int a) { __asm__ volatile(""); return a; }
        }
        int main() { ns::Shape s; return (s.area(1) + s.area(std::string("ab")) + ns::twice(3) + ns::scale(2)) & 0; }
    """
    built = build(tmp_path, "shapes", source, compiler="g++")

    def found(target: str) -> dict[str, int]:
        return counts(traced(f"uprobe:{built}:{target} {{ @[func] = count(); }}", built))

    assert found('cpp:"ns::scale"') == {"@[ns::scale(int)]": 1}
    assert found('cpp:"ns::Shape::area(int)"') == {"@[ns::Shape::area(int)]": 1}
    assert len(found('cpp:"ns::Shape::area"')) == 2
    assert found('cpp:"ns::twice"') == {"@[int ns::twice<int>(int)]": 1}
    assert len(found("cpp:ns::*")) == 4
    assert found("_ZN2ns5scaleEi") == {"@[ns::scale(int)]": 1}
    plain = traced(
        f"config = {{ cpp_demangle = false }} uprobe:{built}:_ZN2ns5scaleEi {{ @[func] = count(); }}", built
    )
    assert counts(plain) == {"@[_ZN2ns5scaleEi]": 1}


def test_what_is_missing_may_be_left_out(program: str) -> None:
    text = f"uprobe:{program}:add,uprobe:{program}:nothing {{ @ = count(); }}"
    assert kernscope("run", "-e", text, "-c", f"{program} 1").returncode == 1
    text = f"config = {{ missing_probes = 'ignore' }} {text}".replace("'", '"')
    assert counts(traced(text, program, "2")) == {"@": 2}


def test_without_links_for_many(program: str) -> None:
    """As kernels before 6.6 do it: one perf event for each place, with a cookie each."""
    text = f"uprobe:{program}:add*,uretprobe:{program}:hidden {{ @[probe] = count(); }}"
    found = counts(traced(text, program, "11", options=("--no-feature", "uprobe_multi")))
    assert found == {
        f"@[uprobe:{program}:add]": 11,
        f"@[uprobe:{program}:add_more]": 11,
        f"@[uretprobe:{program}:hidden]": 11,
    }
