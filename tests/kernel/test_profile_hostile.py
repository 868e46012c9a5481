"""`kernscope profile` looks at programs that want it to fail: odd names, memory of nonsense, ends at any time."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from browser import driven, open_page, with_script
from command_line import KERNSCOPE, Tracer, eventually, kernscope, needs_tracing
from test_bad_luck import alive, objects_of

from kernscope.kernel import Kernel
from kernscope.profiler import Profile, read_profile
from kernscope.tables.cpython import LAYOUTS

pytestmark = needs_tracing
needs_walking = pytest.mark.skipif(
    not all(Kernel().has_feature(name) for name in ("bpf_loop", "task_btf")),
    reason="this kernel cannot walk Python's frames",
)

ODD = "\x1b[2J\x1b]0;owned\x07;a\n<img src=x onerror=document.title='owned'></script>\u202e\udcff{{x}} 42"

# Busy in generated code, in a function of Python, and in a C program's function, which all have the odd name.
ODD_NAMES = """
import ctypes, mmap, os, subprocess, sys, time
name = sys.argv[1]
raw = os.fsencode(name)
ctypes.CDLL(None).prctl(15, raw[:15])
loop = bytes.fromhex("554889e548ffcf75fb5dc3")  # push rbp; mov rbp, rsp; dec rdi; jnz; pop rbp; ret
memory = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
memory.write(loop)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
with open(f"/tmp/perf-{os.getpid()}.map", "wb") as file:
    file.write(b"%x %x jit" % (address, len(loop)) + raw.replace(b"\\n", b" ") + b"\\n")
generated = ctypes.CFUNCTYPE(None, ctypes.c_uint64)(address)
def python(end):
    while time.process_time() < end:
        sum(range(1000))
odd = name + "python"
python.__code__ = python.__code__.replace(co_name=odd, co_qualname=odd, co_filename="/x/" + name + ".py")
print("ready", flush=True)
if len(sys.argv) > 2:
    native = subprocess.Popen(sys.argv[2:])
end = time.monotonic() + float(os.environ.get("SECONDS", "4"))
while time.monotonic() < end:
    generated(300_000_000)
    python(time.process_time() + 0.1)
os.unlink(f"/tmp/perf-{os.getpid()}.map")
if len(sys.argv) > 2:
    native.wait()
"""

SPINNING = """
#include <time.h>
__attribute__((noinline)) void placeholder_of_forty_bytes_for_the_name(void) {
    for (volatile int i = 0; i < 10000000; i++) { }
}
int main(void) {
    for (time_t end = time(0) + 4; time(0) < end;) placeholder_of_forty_bytes_for_the_name();
    return 0;
}
"""


def spinning(folder: Path) -> list[str]:
    """A C program whose function has an odd name in its symbol table."""
    if shutil.which("gcc") is None:
        return []
    (folder / "s.c").write_text(SPINNING)
    program = folder / "spin\x1b[2J;<b>"
    subprocess.run(["gcc", "-O1", "-o", program, folder / "s.c"], check=True)
    name = b"\x1b[2J;\n<b>\xff\xe2\x80\xae native"
    old = b"placeholder_of_forty_bytes_for_the_name"
    program.write_bytes(program.read_bytes().replace(old, name.ljust(len(old), b"_")))
    return [str(program)]


def harmless(text: str) -> bool:
    """Whether a terminal shows it as it is, but for our own colours and cursor movements."""
    own = r"\x1b\[(\?25[lh]|[KJ]|\d+A|0m|48;5;\d+m|38;5;16m)|\r?\n|\r"
    return re.sub(own, "", text).isprintable()


@needs_walking
def test_odd_names_in_every_format(tmp_path: Path) -> None:
    formats = {
        name: tmp_path / f"p.{name}"
        for name in ("json", "html", "svg", "collapsed", "perf", "speedscope.json", "firefox.json", "pb.gz")
    }
    outputs = [word for path in formats.values() for word in ("-o", str(path))]
    command = [sys.executable, "-c", ODD_NAMES, ODD, *spinning(tmp_path)]
    done = kernscope("profile", "cpu", "-F", "199", "--flame", *outputs, "--", *command)
    assert done.returncode == 0, done.stderr
    assert harmless(done.stdout) and harmless(done.stderr), (done.stdout, done.stderr)
    profile = read_profile(formats["json"].read_bytes())
    frames = {
        kind: {f.name for f in profile.frames if f.kind == kind} for kind in ("python", "jit", "native")
    }
    assert ODD + "python" in frames["python"]
    assert any(name.startswith("jit\x1b[2J") for name in frames["jit"]), frames["jit"]
    assert ODD[:15] in {sample.comm for sample in profile.samples}
    if len(command) > 4:
        assert any(name.startswith("\x1b[2J;\n<b>\udcff\u202e native_") for name in frames["native"])
    for name in ("svg", "collapsed", "perf"):
        text = formats[name].read_text("utf-8")
        assert all(line.replace("\t", "").isprintable() for line in text.split("\n")), name
    ElementTree.parse(formats["svg"])
    total = 0
    for line in formats["collapsed"].read_text().splitlines():
        stack, _, value = line.rpartition(" ")
        assert len(stack.split(";")) >= 1
        total += int(value)
    assert total == profile.total
    for name in ("speedscope.json", "firefox.json"):
        json.loads(formats[name].read_text("utf-8"))
    _look_at(formats["html"])


def _look_at(page: Path) -> None:
    steps = """
    tell_(document.title, document.images.length, document.scripts.length);
    for (const box of rows.flat().slice(0, 100)) choose(box.n);
    for (const box of rows.flat().slice(0, 20)) zoomTo(box.n);
    tell_(document.title, document.images.length, document.scripts.length);
    """
    page.write_text(with_script(page.read_text("utf-8"), driven(steps)), "utf-8")
    shown = open_page(page)
    assert shown.console == []
    before, after = json.loads(shown.inner("results"))
    assert before == after and before[0] != "owned" and before[1:] == [0, 3]


def test_odd_names_on_a_terminal(tmp_path: Path) -> None:
    """The live table, in a terminal of 60 columns: no line is wider, and what is sent is text and our own codes."""
    environment = {**os.environ, "SECONDS": "60"}
    work = subprocess.Popen([sys.executable, "-c", ODD_NAMES, ODD], stdout=subprocess.PIPE, env=environment)
    assert work.stdout is not None and work.stdout.readline()
    parent, child = pty.openpty()
    os.set_inheritable(child, True)
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("4H", 20, 60, 0, 0))
    command = [*KERNSCOPE, "profile", "cpu", "-F", "399", "-i", "0.3", "-d", "4", "-p", str(work.pid)]
    with subprocess.Popen(command, stdin=child, stdout=child, stderr=child) as process:
        os.close(child)
        shown = b""
        with contextlib.suppress(OSError):  # the terminal's other side is closed
            while select.select([parent], [], [], 30)[0]:
                shown += os.read(parent, 1 << 16)
    os.close(parent)
    work.kill()
    work.communicate()
    Path(f"/tmp/perf-{work.pid}.map").unlink(missing_ok=True)
    text = shown.decode("utf-8")
    assert process.returncode == 0, text
    assert harmless(text) and "\\x1b[2J" in text


# A thread in C for as long as all runs, whose frames lead nowhere; others run functions whose code objects, names and
# tables are overwritten all the time. Arguments: seconds, and where things are in a frame and a code object.
NONSENSE = r"""
import ctypes, hashlib, os, random, struct, sys, threading, time
seconds, previous, file_at, name_at, table_at, line_at = map(int, sys.argv[1:])
def spin(n):
    x = 0
    for i in range(n): x += i * i
    return x
functions = []
for i in range(200):
    table = bytes(bytearray(spin.__code__.co_linetable))
    code = spin.__code__.replace(co_name=f"f{i}", co_qualname=f"q{i}", co_filename=f"/x/{i}.py", co_linetable=table)
    functions.append(type(spin)(code, globals()))
codes = [id(f.__code__) for f in functions]
word = lambda at: ctypes.c_uint64.from_address(at)
tables, names = [word(c + table_at).value for c in codes], [word(c + name_at).value for c in codes]
big, chance, frames = b"\xff" * (1 << 20), random.Random(7), []
LEAVES = (0, 1, 8, 0x4141414141414141, (1 << 64) - 1, 1 << 47, 0xFFFFFFFF81000000, id(big), id(spin), codes[0])
def inside():
    # PyFrameObject: its _PyInterpreterFrame is behind ob_base and f_back
    frames.append(word(id(sys._getframe()) + 24).value)
    hashlib.pbkdf2_hmac("sha256", b"x", b"y", 1 << 30)
threading.Thread(target=inside, daemon=True).start()
while not frames: time.sleep(0.01)
time.sleep(0.1)
kept = []
def overwrite():
    while True:
        which, at = chance.randrange(8), chance.randrange(len(codes))
        if which < 3:
            place = codes[at] + (file_at, name_at, table_at)[which]
            kept.append(word(place).value)
            word(place).value = chance.choice(LEAVES)
        elif which == 3:
            ctypes.c_int32.from_address(codes[at] + line_at).value = chance.choice((-1, 2**31 - 1, -2**31, 0))
        elif which == 4:
            ctypes.memmove(tables[at] + 32, os.urandom(8), 8)
            word(tables[at] + 16).value = chance.choice((0, 1 << 62, 1 << 18, (1 << 64) - 1, 70000, 9))
        elif which == 5:
            ctypes.memmove(names[at] + chance.choice((16, 32, 36, 40)), os.urandom(8), 8)
        else:
            word(frames[0] + previous).value = chance.choice((*LEAVES, frames[0]))
        time.sleep(0.0002)
threading.Thread(target=overwrite, daemon=True).start()
end = time.monotonic() + seconds
while time.monotonic() < end:
    for function in functions: function(1000)
os.write(1, b"ended")
os._exit(0)
"""


@needs_walking
def test_memory_of_nonsense(tmp_path: Path) -> None:
    version = sys.version_info[:2]
    if version not in LAYOUTS:
        pytest.skip("where things are in this Python is not known")
    layout = LAYOUTS[version]
    places = [
        layout[name]
        for name in ("frame_previous", "code_filename", "code_qualname", "code_linetable", "code_firstlineno")
    ]
    file = tmp_path / "p.json"
    began = time.monotonic()
    done = kernscope(
        *("profile", "cpu", "-F", "999", "-o", str(file), "-n", "5", "--"),
        *(sys.executable, "-c", NONSENSE, "3", *map(str, places)),
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert "ended" in done.stdout, "the program itself has failed"
    assert time.monotonic() - began < 50
    profile = read_profile(file.read_bytes())
    assert profile.count > 100 and max(map(len, profile.stacks)) < 400
    assert max(len(frame.name) for frame in profile.frames) <= 4096


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """Killed, it leaves no program, no map and no file."""
    output = tmp_path / "p.html"
    command = [*KERNSCOPE, "profile", "record", "cpu", "--to", str(tmp_path / "parts"), "--every", "0.2"]
    with Tracer(command=command, ready="recording ") as tracer:
        assert eventually(
            lambda: any(objects_of(tracer.process.pid)["link"]) or tracer.process.poll() is not None
        )
        objects = objects_of(tracer.process.pid)
        time.sleep(0.5)
        tracer.process.kill()
        tracer.process.wait(60)
    left = [(kind, identity) for kind, found in objects.items() for identity in found]
    assert left and eventually(lambda: not any(alive(*object) for object in left), 20)
    assert not output.exists()
    parts = sorted(path.name for path in (tmp_path / "parts").iterdir())
    assert all(name.endswith((".json.gz", ".unfinished")) for name in parts)
    shown = kernscope("profile", "record", "cpu", "--to", str(tmp_path / "parts"), "-d", "0.2")
    assert shown.returncode == 0, shown.stderr
    assert all(path.name.endswith(".json.gz") for path in (tmp_path / "parts").iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.1, 0.2, 0.5])
def test_interrupted_at_any_time(tmp_path: Path, number: signal.Signals, after_s: float) -> None:
    """Before anything is attached it just ends; later there is a profile, in a file that is whole."""
    file = tmp_path / "p.json"
    command = [*KERNSCOPE, "profile", "cpu", "--once", "-o", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(after_s)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    # Python itself may have just begun.
    assert not re.search(r'cli/__init__\.py", line \d+, in main', err) and "our-bug" not in err, err
    if process.returncode == 0:
        assert "Traceback" not in err and out.startswith("cpu, the whole machine: ")
        assert isinstance(read_profile(file.read_bytes()), Profile)
    else:
        assert not out and not file.exists()
    assert [path for path in tmp_path.iterdir() if path != file] == []


EXECUTING = """
import os, subprocess, sys
depth = int(sys.argv[1])
for n in range(3):
    subprocess.run(["true"])
    if os.fork() == 0: os.execvp("sh", ["sh", "-c", "exec true"])
sum(i * i for i in range(100000))
if depth: os.execv(sys.executable, [sys.executable, "-S", "-c", sys.argv[2], str(depth - 1), sys.argv[2]])
"""


@pytest.mark.parametrize("mode", ["cpu", "offcpu", "alloc", "faults"])
def test_programs_that_end_and_become_others(tmp_path: Path, mode: str) -> None:
    file = tmp_path / "p.json"
    command = [sys.executable, "-S", "-c", EXECUTING, "8", EXECUTING]
    done = kernscope("profile", mode, "-o", str(file), "--", *command)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert read_profile(file.read_bytes()).count > 0
