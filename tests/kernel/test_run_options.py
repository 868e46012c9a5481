"""`kernscope run` as bpftrace is called: options, ends, exit codes, compiled programs. On the running kernel."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import KERNSCOPE, Tracer, eventually, kernscope, needs_tracing

pytestmark = needs_tracing

NOTIFY = "__BPFTRACE_NOTIFY_PROBES_ATTACHED"
HELLO = 'begin { printf("hello\\n"); @x = 1; exit(); }'
OPENS = "tracepoint:syscalls:sys_enter_openat { @[pid] = count(); }"


def test_from_a_file_and_from_standard_input(tmp_path: Path) -> None:
    file = tmp_path / "p.bt"
    file.write_text("#!/usr/bin/bpftrace\nbegin { print(($1, $2)); exit(3); }\n")
    done = kernscope("run", "-q", str(file), "7", "--", "word")
    assert (done.returncode, done.stdout) == (3, "(7, word)\n\n\n"), done.stderr
    done = kernscope("run", "-q", "-", "7", "8", input=file.read_text())
    assert (done.returncode, done.stdout) == (3, "(7, 8)\n\n\n"), done.stderr


def test_a_file_that_is_its_own_command(tmp_path: Path) -> None:
    file = tmp_path / "p.bt"
    file.write_text(f"#!/usr/bin/env -S {' '.join(KERNSCOPE)} run -q\nbegin {{ print($1); exit(); }}\n")
    file.chmod(0o755)
    done = subprocess.run([str(file), "5"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "5\n\n\n"), done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_with_its_maps(number: int) -> None:
    with Tracer("-e", 'begin { @ = 1; printf("b\\n"); } end { printf("e\\n"); }') as tracer:
        done = tracer.stop(number)
    assert (done.code, done.out) == (0, "b\ne\n\n\n@: 1\n")


def test_a_hangup_that_is_ignored_stays_ignored() -> None:
    code = "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-c", code, *KERNSCOPE, "run", "-e", "begin { @ = 1; }"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None and process.stderr.readline().startswith(b"Attached")
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_wrappers_are_told_when_all_is_attached(tmp_path: Path) -> None:
    out = tmp_path / "out"
    environment = os.environ | {NOTIFY: "1"}
    done = kernscope("run", "-q", "-e", HELLO, env=environment)
    assert done.stdout == f"{NOTIFY}\nhello\n\n\n@x: 1\n"
    done = kernscope("run", "-f", "json", "-e", HELLO, env=environment)
    lines = done.stdout.splitlines()
    assert json.loads(lines[0])["type"] == "attached_probes" and lines[1] == NOTIFY
    done = kernscope("run", "-o", str(out), "-e", HELLO, env=environment)
    assert done.stdout == f"{NOTIFY}\n" and out.read_text() == "hello\n\n\n@x: 1\n"
    assert NOTIFY not in kernscope("run", "-e", HELLO, env=os.environ | {NOTIFY: "0"}).stdout


def test_only_the_process_that_is_given_counts(tmp_path: Path) -> None:
    opener = "import time\nwhile True:\n    open('/dev/null').close()\n    time.sleep(0.001)"
    processes = [subprocess.Popen([sys.executable, "-c", opener]) for _ in range(2)]
    try:
        wanted = processes[0].pid
        with Tracer("-p", str(wanted), "-e", OPENS + " interval:ms:50 { @ticks = count(); }") as tracer:
            time.sleep(0.6)
            processes[0].kill()
            processes[0].wait()
            done = tracer.wait(20)  # it ends with the process
        keys = [line.split("[")[1].split("]")[0] for line in done.lines if line.startswith("@[")]
        assert keys == [str(wanted)] and "@ticks:" in done.out and done.code == 0
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_dry_run_does_everything_but_run() -> None:
    done = kernscope("run", "--dry-run", "-e", 'begin { printf("b\\n"); } end { printf("e\\n"); } ' + OPENS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert kernscope("run", "--dry-run", "-e", "tracepoint:no:such { }").returncode == 1


TESTS = """
test:ok { return 0; }
test:bad { if (pid > 0) { return 3; } return 0; }
test:prints { printf("hello %d\\n", 5); @x = 1; }
bench:empty { }
bench:some { @ = count(); @h = hist(nsecs); }
begin { printf("b\\n"); exit(); }
end { printf("e\\n"); }
"""


FROM_LOOPS = """
fn find($n : int64) : int64 { for ($kv : @m) { if ($kv.0 == $n) { return $kv.1; } } return -1; }
begin { @m[1] = 10; @m[2] = 20; exit(); }
test:out { for ($kv : @m) { if ($kv.0 == 2) { return 7; } } return 0; }
test:none { for ($kv : @m) { if ($kv.0 == 5) { return 7; } } return 0; }
test:nested { for ($kv : @m) { for ($kw : @m) { if ($kw.0 == $kv.0) { return 3; } } } return 0; }
test:range { for ($kv : @m) { for ($i : 0..5) { if ($i == 3) { return $i; } } } return 0; }
test:function { return find(2) - 20; }
test:function2 { return find(9) + 1; }
test:function3 { for ($kv : @m) { if (find($kv.0) != $kv.1) { return 1; } } return 0; }
test:function4 { for ($kv : @m) { if (find($kv.0) == 20) { return 5; } } return 0; }
"""


def test_results_out_of_loops_over_maps() -> None:
    done = kernscope("run", "--test", "-f", "json", "-e", FROM_LOOPS)
    assert done.stderr == ""
    results: dict[str, dict[str, object]] = {}
    for line in done.stdout.splitlines():
        record = json.loads(line)
        if record["type"] == "test_result":
            results |= record["data"]
    assert len(results) == 8
    failed = {name for name, result in results.items() if not result["passed"]}
    assert failed == {"out", "nested", "range", "function4"}


def test_tests_of_a_program() -> None:
    done = kernscope("run", "--test", "-e", TESTS)
    lines = [re.sub(r"\(\d+ μs\)", "(T)", line) for line in done.stdout.splitlines()]
    assert done.returncode == 1 and done.stderr == ""
    assert lines == [
        "[==========] Running 3 tests.",
        "b",
        "[ RUN      ] ok",
        "[       OK ] ok (T)",
        "[ RUN      ] bad",
        "[  FAILED  ] bad (T)",
        "[ RUN      ] prints",
        "hello 5",
        "[       OK ] prints (T)",
        "[==========] 3 tests ran.",
        "[  PASSED  ] 2 tests.",
        "[  FAILED  ] 1 test, listed below:",
        "[  FAILED  ] bad",
        "e",
        "",
        "",
    ]
    done = kernscope("run", "--test", "--probe-filter", "^o|pr", "-f", "json", "-e", TESTS)
    results = [json.loads(line)["data"] for line in done.stdout.splitlines()]
    assert [(n, r["passed"], r["output"]) for result in results for n, r in result.items()] == [
        ("ok", True, ""),
        ("prints", True, "hello 5\n"),
    ]
    assert done.returncode == 0
    done = kernscope("run", "-e", TESTS)  # they do not run by themselves
    assert (done.stdout, done.stderr) == ("b\ne\n\n\n", "Attached 2 probes\n")
    assert kernscope("run", "--test", "--probe-filter", "(", "-e", TESTS).returncode == 2


def test_benchmarks_of_a_program() -> None:
    done = kernscope("run", "--bench", "-e", TESTS)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0] == ["Benchmark", "Time(ns)", "Iterations"] and set(rows[1][0]) == {"-"}
    assert [row[0] for row in rows[2:4]] == ["empty", "some"]
    assert all(0 < int(each) < 100_000 and int(runs) >= 1000 for _, each, runs in rows[2:4])
    done = kernscope("run", "--mode", "bench", "--probe-filter", "some", "-f", "json", "-e", TESTS)
    (result,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert result["type"] == "benchmark_result" and set(result["data"]["some"]) == {"average", "iters"}


def test_stages_are_shown_and_then_it_runs() -> None:
    done = kernscope("run", "-d", "ast,types", "-d", "asm", "-e", HELLO)
    assert done.returncode == 0 and done.stdout == "hello\n\n\n@x: 1\n"
    assert [title for title in ("ast\n---", "types\n-----", "asm\n---") if title in done.stderr] != []
    assert all(title in done.stderr for title in ("ast\n---", "types\n-----", "asm\n---"))
    done = kernscope("run", "-d", "verifier", "-e", HELLO)
    assert "processed " in done.stderr and done.stdout.startswith("hello")


def test_info_tells_the_keys_that_bug_reports_need() -> None:
    done = kernscope("run", "--info")
    assert done.returncode == 0
    for key in ("OS: Linux", "Arch: ", "version: v", "LLVM: ", "btf: ", "uprobe_multi: ", "kprobe_multi: "):
        assert key in done.stdout


def test_listing_as_bpftrace() -> None:
    done = kernscope("run", "-l", "tracepoint:syscalls:*openat,t:sched:sched_switch")
    assert done.stdout.split() == [
        "tracepoint:sched:sched_switch",
        "tracepoint:syscalls:sys_enter_openat",
        "tracepoint:syscalls:sys_exit_openat",
    ]
    assert kernscope("run", "-l", "tracepoint:sched_switch").stdout == "tracepoint:sched:sched_switch\n"
    done = kernscope("run", "-lv", "-e", "tracepoint:syscalls:sys_exit_openat { }")
    assert done.stdout == "tracepoint:syscalls:sys_exit_openat\n    int __syscall_nr\n    long ret\n"
    assert (kernscope("run", "-l", "nope*").returncode, kernscope("list", "nope*").returncode) == (0, 1)


def test_types_are_listed_too() -> None:
    done = kernscope("run", "-lv", "struct list_head")
    want = "vmlinux: struct list_head {\n\tstruct list_head *next;\n\tstruct list_head *prev;\n};\n\n"
    assert done.stdout == want
    assert "struct list_head" in kernscope("run", "-l", "struct list_*").stdout.splitlines()


def test_a_compiled_program_runs_without_the_compiler(tmp_path: Path) -> None:
    file = tmp_path / "p.ks"
    text = 'begin { printf("%d %s\\n", $1, str($2)); } ' + OPENS + " interval:ms:100 { exit(4); }"
    done = kernscope("compile", "-o", str(file), "-e", text, "42", "words")
    assert (done.returncode, done.stdout) == (0, "") and os.listdir(tmp_path) == ["p.ks"], done.stderr
    done = kernscope("run", str(file))
    assert done.returncode == 4 and done.stdout.startswith("42 words\n\n\n@["), done.stderr
    code = (
        "import sys; from kernscope.cli import main; main(['run', '-q', sys.argv[1]]);"
        "print([m for m in sys.modules if m.startswith(('kernscope.compiler', 'kernscope.sema', 'kernscope.ssa'))])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, timeout=60)
    assert done.stdout.endswith("\n[]\n"), done.stdout + done.stderr
    names = kernscope("list", str(file)).stdout.split()
    assert set(names) == {"begin", "tracepoint:syscalls:sys_enter_openat", "interval:ms:100"}


def test_what_cannot_be_decided_for_a_compiled_program(tmp_path: Path) -> None:
    file = tmp_path / "p.ks"
    assert kernscope("compile", "-o", str(file), "-e", "begin { exit(); }", "--unsafe").returncode == 0
    for arguments in (["-p", "1"], ["-d", "ast"], ["--fmt"], ["-I", "x"]):
        assert kernscope("run", "--unsafe", str(file), *arguments).returncode == 2
    done = kernscope("run", str(file))
    assert done.returncode == 2 and "was compiled with `--unsafe`" in done.stderr
    assert kernscope("run", "--unsafe", str(file)).returncode == 0


def test_headers_are_found(tmp_path: Path) -> None:
    (tmp_path / "one.h").write_text("#define ONE 1\nstruct pair { int a; long b; };\n")
    text = "begin { print((ONE, sizeof(struct pair))); exit(); }"
    done = kernscope("run", "-q", "-I", str(tmp_path), "--include", "one.h", "-e", text)
    assert done.stdout == "(1, 16)\n\n\n", done.stderr
    (tmp_path / "p.bt").write_text('#include "one.h"\n#include <linux/sched.h>\n' + text)
    assert kernscope("run", "-q", str(tmp_path / "p.bt")).stdout == "(1, 16)\n\n\n"


def test_a_compiled_program_for_another_machine_is_refused(tmp_path: Path) -> None:
    from kernscope.bundle.serial import decode, encode

    file = tmp_path / "p.ks"
    assert kernscope("compile", "-o", str(file), "-e", OPENS).returncode == 0
    bundle = decode(file.read_bytes())
    bundle.machine["possible_cpus"] = 1000
    file.write_bytes(encode(bundle))
    done = kernscope("run", str(file))
    assert done.returncode == 1 and "the number of possible processors was 1000" in done.stderr


def test_warnings_can_be_left_out() -> None:
    text = "begin { print(cpid); exit(); }"  # there is no command
    shown = kernscope("run", "-e", text).stderr
    assert "warning[" in shown
    assert "warning" not in kernscope("run", "--no-warnings", "-e", text).stderr
    assert (
        "warning[" in kernscope("run", "-q", "-e", text).stderr
    )  # as in bpftrace: -q is about what a run says


def test_reads_that_fail_are_reported_if_asked_for() -> None:
    text = "begin { @a[1] = 1; $x = @a[5]; print(str((uint64)16)); exit(); }"
    assert "warning" not in kernscope("run", "-e", text).stderr
    told = kernscope("run", "-k", "-e", text).stderr
    assert "user memory could not be read" in told and "`probe_read_user_str` returned -14" in told
    assert "`@a` has no entry with this key" in told
    done = kernscope("run", "-k", "-f", "json", "-e", text)
    told_as_json = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(m["helper"], m["retcode"]) for m in told_as_json if m["type"] == "helper_error"] == [
        ("map_lookup_elem", 0),
        ("probe_read_user_str", -14),
    ]


def test_features_can_be_done_without() -> None:
    done = kernscope("run", "-q", "--no-feature", "kprobe_multi,uprobe_multi", "-e", HELLO)
    assert (done.returncode, done.stdout) == (0, "hello\n\n\n@x: 1\n")


def test_settings_come_from_the_environment() -> None:
    text = 'begin { printf("%s\\n", str("0123456789abcdef")); exit(); }'
    done = kernscope(
        "run", "-e", "begin { @ = 1; exit(); }", env=os.environ | {"BPFTRACE_PRINT_MAPS_ON_EXIT": "0"}
    )
    assert done.returncode == 0 and "@" not in done.stdout
    done = kernscope("run", "-e", text, env=os.environ | {"BPFTRACE_MAX_STRLEN": "no"})
    assert done.returncode == 1 and "BPFTRACE_MAX_STRLEN" in done.stderr


def test_completion_asks_this_kernel() -> None:
    def words(kind: str, prefix: str) -> list[str]:
        return kernscope("completion", "--words", kind, "--", prefix).stdout.split()

    assert "tracepoint:" in words("probes", "")
    assert words("probes", "tracepoint:sched:sched_swi") == ["tracepoint:sched:sched_switch"]
    assert "openat2" in words("syscalls", "opena")


def test_nothing_is_left_when_a_compiled_program_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "p.ks"
    assert kernscope("compile", "-o", str(file), "-e", OPENS).returncode == 0
    with Tracer(str(file)) as tracer:
        assert eventually(lambda: "Attached 1 probe" in tracer.err)
        done = tracer.stop()
    assert done.code == 0
