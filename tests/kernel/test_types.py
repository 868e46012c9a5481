"""Types on the running kernel: what is read through them against what /proc, Python's struct and ctypes say."""

import json
import os
import random
import sys
from pathlib import Path

import pytest
from command_line import kernscope, needs_tracing

pytestmark = needs_tracing


def output(program: str, *arguments: str, timeout: float = 60) -> list[str]:
    """What a program prints, line by line."""
    done = kernscope("run", "-q", *arguments, "-e", program, timeout=timeout)
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr, done.stderr
    return done.stdout.split("\n")


def task(expressions: str) -> list[str]:
    """Values of the tracer itself, which `begin` runs in."""
    return output(f"begin {{ {expressions} exit() }}")


# --- the kernel's structs ---------------------------------------------------------------------------------------


def test_task_struct_against_proc(tmp_path: Path) -> None:
    """A child that waits is found by its pid through the tracepoint of its own system call."""
    child = tmp_path / "child.py"
    child.write_text(
        "import os\n"
        "s = dict(line.split(':', 1) for line in open('/proc/self/status'))\n"
        "print(os.getpid(), os.getppid(), *s['Uid'].split()[:1], *s['Gid'].split()[:1], s['Name'].strip(),\n"
        "      s['Threads'].strip(), os.getpgrp(), os.path.basename(os.readlink('/proc/self/exe')), flush=True)\n"
        "os.sched_get_priority_max(3)\n",
        encoding="ascii",
    )
    program = """
    tracepoint:syscalls:sys_enter_sched_get_priority_max / pid == cpid && args.policy == 3 / {
        $t = (struct task_struct *)curtask;
        printf("%d %d %d %d %s %d %d %s\\n", $t->tgid, curtask->real_parent->tgid, $t->cred->uid.val,
            $t.cred.gid.val, $t->comm, $t->signal->nr_threads,
            (*$t).group_leader->signal->pids[2]->numbers[0].nr,
            str($t->mm->exe_file->f_path.dentry->d_name.name));
    }"""
    lines = [line for line in output(program, "-c", f"{sys.executable} {child}") if line]
    assert len(lines) == 2
    assert lines[0] == lines[1]


def test_chains_merge_what_is_embedded() -> None:
    """One read per pointer: `se.avg` and the like only add to an offset."""
    done = kernscope(
        "compile", "--dump", "ir", "-e", "begin { print(curtask->real_parent->se.avg.load_sum); }"
    )
    if done.returncode:
        pytest.skip("no dump of the intermediate form here")
    last = done.stdout.rsplit("; ", 1)[-1]
    assert last.count("call probe_read_kernel") <= 2


def test_struct_by_value() -> None:
    lines = task(
        "$t = *curtask; @ = $t; @k[1] = curtask->se; print($t.pid); print(@.tgid); print(@k[1].on_rq);"
    )
    assert lines[0] == lines[1] != "0"
    assert lines[2] == "1"


def test_printing_a_struct() -> None:
    lines = task("print(curtask->thread_info); print(curtask->usage); print((1, curtask->cred->uid));")
    assert lines[0].startswith("{ .flags = ") and lines[0].endswith(" }")
    assert lines[1].startswith("{ .refs = { .counter = ")
    assert lines[2] == f"(1, {{ .val = {os.getuid()} }})"


def test_json_of_a_struct() -> None:
    done = kernscope(
        "run", "-q", "-f", "json", "-e", "begin { print(curtask->cred->uid); @ = *curtask; exit() }"
    )
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert messages[0] == {"type": "value", "data": {"val": os.getuid()}}
    members = messages[-1]["data"]["@"]
    assert members["comm"] == "kernscope" or members["comm"].startswith("python")
    assert members["tgid"] > 1 and members["cpus_mask"]["bits"][0] > 0


def test_bit_fields_of_the_kernel() -> None:
    """`in_execve` is 1 while the task is in execve, which `sched_process_exec` fires in."""
    program = 'tracepoint:sched:sched_process_exec { printf("%d\\n", curtask->in_execve); exit(); }'
    lines = output(program, "-c", "/bin/true")
    assert lines[0] == "1"


def test_pointers_of_the_user() -> None:
    """The arguments of execve are pointers into the process."""
    program = "tracepoint:syscalls:sys_enter_execve { $i = 2; print((str(args.argv[1]), str(args.argv[$i]))); exit(); }"
    lines = output(program, "-c", "/bin/echo hello world")
    assert "(hello, world)" in lines


def test_raw_tracepoint_arguments_are_typed() -> None:
    program = """rawtracepoint:sched_process_exec / args.p->tgid == cpid / {
        printf("%s %d %s\\n", args.p->comm, args.p->tgid == pid, str(args.bprm->filename)); exit();
    }"""
    assert output(program, "-c", "/bin/true")[0] == "true 1 /bin/true"


def test_enums_of_the_kernel() -> None:
    lines = task(
        "print(TCP_ESTABLISHED); print((enum pid_type)1); @[PIDTYPE_PID] = 1;"
        'printf("%s %d\\n", PIDTYPE_SID, PIDTYPE_SID);'
    )
    assert lines[:3] == ["TCP_ESTABLISHED", "PIDTYPE_TGID", "PIDTYPE_SID 3"]
    assert "@[PIDTYPE_PID]: 1" in lines


def test_offsets_against_btf() -> None:
    from kernscope.kernel import Kernel

    with Kernel() as kernel:
        btf = kernel.btf()
        comm = btf.struct_member("task_struct", "comm").byte_offset
        runtime = btf.struct_member("task_struct", "se.vruntime").byte_offset
        composite = btf.find_composite("task_struct")
        assert composite is not None
        size = composite.size
    lines = task(
        "print(offsetof(struct task_struct, comm)); print(offsetof(struct task_struct, se.vruntime));"
        "print(sizeof(struct task_struct)); print(sizeof(*curtask)); print((uint64)(curtask + 1) - (uint64)curtask);"
    )
    assert lines[:5] == [str(comm), str(runtime), str(size), str(size), str(size)]


# --- C definitions, read from a process's memory ----------------------------------------------------------------


def read_from(tmp_path: Path, definitions: str, content: bytes, body: str) -> list[str]:
    """What `body` prints; `$p` is a `struct s *` to `content` in the memory of a process."""
    child = tmp_path / "writer.py"
    child.write_text(
        f"import os\nfd = os.open('/dev/null', os.O_WRONLY)\nos.write(fd, {content!r})\n", encoding="ascii"
    )
    program = f"""{definitions}
    tracepoint:syscalls:sys_enter_write / pid == cpid && args.count == {len(content)} / {{
        $p = (struct s *)args.buf; {body} exit();
    }}"""
    return output(program, "-c", f"{sys.executable} {child}")


def test_members_of_all_kinds(tmp_path: Path) -> None:
    import struct

    definitions = """
    enum color { RED, GREEN = 5, BLUE };
    typedef unsigned short port_t;
    struct point { int x; int y; };
    struct s {
        signed char small; port_t port; enum color shade; long long wide; char name[6]; unsigned char raw[3];
        struct point points[2]; int grid[2][3]; union { unsigned int all; unsigned char low; };
        struct { int inner; } nested; _Bool yes; void *pointer; unsigned int a : 3; int b : 5;
    };"""
    content = struct.pack(
        "=bxHIq6s3B3x4i6iIi?3xQB7x", -3, 65000, 5, -(1 << 40), b"abc\0zz", 1, 2, 255,
        1, -2, 3, -4, 10, 20, 30, 40, 50, -60, 0x01020304, -7, True, 0xFFFF_0000_1234, 0b10111_101,
    )  # fmt: skip
    body = """
    print($p->small); print($p->port); print($p->shade); print($p.name); print($p->raw); print($p->raw[2]);
    print($p->points); print($p->points[1].y); $i = 1; print($p->points[$i].x); print($p->grid); print($p->grid[1][2]);
    print($p->grid[$i][$i]); print($p->all); print($p->low); print($p->nested.inner); print($p->yes);
    print($p->pointer); print($p->a); print($p->b); print($p->wide);
    """
    lines = read_from(tmp_path, definitions, content, body)
    assert lines[:20] == [
        "-3", "65000", "GREEN", "abc", "[1,2,255]", "255",
        "[{ .x = 1, .y = -2 },{ .x = 3, .y = -4 }]", "-4", "3", "[[10,20,30],[40,50,-60]]", "-60",
        "50", str(0x01020304), "4", "-7", "true",
        "0xffff00001234", "5", "-9", str(-(1 << 40)),
    ]  # fmt: skip


def _random_struct(rng: random.Random) -> tuple[str, list[tuple[str, int, bool, int, int]]]:
    """C text of `struct s`, and its members: name, bits of the type, signed, elements, width of the bit-field."""
    members = []
    lines = []
    for i in range(rng.randint(2, 9)):
        bits, signed = rng.choice([8, 16, 32, 64]), rng.random() < 0.5
        width = rng.randint(1, bits) if rng.random() < 0.5 else 0
        count = rng.randint(1, 5) if not width and rng.random() < 0.4 else 0
        members.append((f"m{i}", bits, signed, count, width))
        kind = f"{'' if signed else 'u'}int{bits}_t"
        lines.append(f"{kind} m{i}{f'[{count}]' if count else ''}{f' : {width}' if width else ''};")
    packed = "__attribute__((packed))" if rng.random() < 0.3 else ""
    return f"struct {packed} s {{ {' '.join(lines)} }};", members


@pytest.mark.parametrize("seed", range(6))
def test_random_structs(tmp_path: Path, seed: int) -> None:
    """Members read through the pointer, from a copy in a variable, and from a map; each indexed by a variable too.

    Where members lie is `lay_out`'s word, which is tested against a C compiler.
    """
    from kernscope.sema.c_layout import CMember, lay_out
    from kernscope.types import Array, Integer

    rng = random.Random(seed)
    text, members = _random_struct(rng)
    layout = lay_out(
        "struct s",
        False,
        [
            CMember(
                name, Array(Integer(bits, signed), count) if count else Integer(bits, signed), width or None
            )
            for name, bits, signed, count, width in members
        ],
        "packed" in text,
    )
    content = rng.randbytes(max(layout.size, 61) + seed)
    whole = int.from_bytes(content, "little")
    body, expected = "$v = *$p; @[1] = *$p;", []
    for name, bits, signed, count, width in members:
        field = layout.fields[name]
        values = []
        for i in range(max(count, 1)):
            shift = 8 * field.offset + (field.bits[0] if field.bits else 0) + i * bits
            raw = whole >> shift & ((1 << (width or bits)) - 1)
            values.append(raw - (1 << (width or bits)) if signed and raw >> ((width or bits) - 1) else raw)
        for place in ("$p->", "$v.", "@[1]."):
            body += f"print({place}{name});"
            expected.append(f"[{','.join(map(str, values))}]" if count else str(values[0]))
            if count:
                index = rng.randrange(count)
                body += (
                    f"$i = {index} + (nsecs == 0); print({place}{name}[{index}]); print({place}{name}[$i]);"
                )
                expected += [str(values[index])] * 2
    assert read_from(tmp_path, text, content, body)[: len(expected)] == expected


# --- as observed of bpftrace 0.27.1 -----------------------------------------------------------------------------

OBSERVED = {
    "array casts": (
        "begin { $a = (uint8[8])12345; print($a); print($a[0]); print((uint64)$a); @x = $a; @y[$a] = 1;"
        " print(@y[$a]); $i = 2; print($a[$i]); print($a == $a); exit() }",
        "[57,48,0,0,0,0,0,0]\n57\n12345\n1\n0\ntrue\n\n\n@x: [57,48,0,0,0,0,0,0]\n@y[[57,48,0,0,0,0,0,0]]: 1\n",
    ),
    "array casts without a size": (
        "begin { print((uint8[])12345); print((int8[8])12345); print((uint16[2])(uint32)5); exit() }",
        "[57,48]\n[57,48,0,0,0,0,0,0]\n[5,0]\n\n\n",
    ),
    "records": (
        'begin { $r = (a = 1, b = "x"); print($r); print($r.a); print($r.b); @r = $r; @k[$r] = 1; exit() }',
        "{ .a = 1, .b = x }\n1\nx\n\n\n@k[{ .a = 1, .b = x }]: 1\n@r: { .a = 1, .b = x }\n",
    ),
    "nested records": (
        'begin { $r = (a=1, b=(c=2, d="s")); print($r.b.d); print($r); print((a=1) == (a=1)); exit() }',
        "s\n{ .a = 1, .b = { .c = 2, .d = s } }\ntrue\n\n\n",
    ),
    "elements": (
        'begin { $s = "abc"; print($s[1]); print("abc"[0]); print((1,"hello")[1]); $a = (1,2); print($a[0]); exit() }',
        "98\n97\nhello\n1\n\n\n",
    ),
    "enums": (
        "enum E { A, B = 5, C } begin { print(A); print((enum E)5); $x = (enum E)5; print($x);"
        ' printf("%s %d %x\\n", $x, $x, B); @m[B] = 1; @n[$x] = 1; @v = $x; @y = (uint64)B; print((1,$x));'
        " $z = 7; print((enum E)$z); print((enum E)$z == B); print(B + 1); print(B == 5); exit() }",
        "A\nB\nB\nB 5 5\n(1, B)\n7\nfalse\n6\ntrue\n\n\n@m[B]: 1\n@n[B]: 1\n@v: B\n@y: 5\n",
    ),
    "sizes": (
        "struct P { int x; char y; } struct B2 { struct P a; struct P *p; struct B2 *next; } begin {"
        " print(sizeof(struct P)); print(offsetof(struct P, y)); print(offsetof(struct B2, a.x));"
        " print(sizeof(struct B2)); print(sizeof(int)); print(sizeof(unsigned long)); exit() }",
        "8\n4\n0\n24\n4\n8\n\n\n",
    ),
    "definitions": (
        '#define X 5\n#define Y (X + 2)\n#define S "str"\n'
        "begin { print(X); print(Y); print(S); print(Y * 2); exit() }",
        "5\n7\nstr\n14\n\n\n",
    ),
    "types asked": (
        'config = { unstable_typeinfo=enable } begin { print(typeinfo("abc")); print(typeinfo(struct task_struct));'
        " print(typeinfo(1).base_type); exit() }",
        "{ .btf_id = 0, .base_type = string, .full_type = string[4] }\n"
        "{ .btf_id = 0, .base_type = c_type, .full_type = struct task_struct }\nint\n\n\n",
    ),
    "pointers": (
        "begin { $p = (int32 *)0; print($p); $p++; print($p); $p += 2; print($p); print(1 + $p); print($p - 1);"
        " if ($p) { print(1) } print($p == 12); @p[$p] = $p; exit() }",
        "0x0\n0x4\n0xc\n0x10\n0x8\n1\ntrue\n\n\n@p[0xc]: 0xc\n",
    ),
}


@pytest.mark.parametrize("name", OBSERVED)
def test_as_observed(name: str) -> None:
    program, expected = OBSERVED[name]
    done = kernscope("run", "-q", "-e", program)
    assert (done.stdout, done.returncode) == (expected, 0), done.stderr


JSON = {
    'begin { print((a = 1, b = ("x", 2))); @r = (a = 1, b = "x"); @k[(a = 1, b = "x")] = 1; exit() }': [
        '{"type": "value", "data": {"a": 1, "b": ["x",2]}}',
        '{"type": "map", "data": {"@k": {"{.a=1,.b=x}": 1}}}',
        '{"type": "map", "data": {"@r": {"a": 1, "b": "x"}}}',
    ],
    "enum E { A, B = 5 } begin { print(B); print((1, B)); @e[B] = B; @a[(uint8[2])5] = (uint8[2])5; exit() }": [
        '{"type": "value", "data": 5}',
        '{"type": "value", "data": [1,5]}',
        '{"type": "map", "data": {"@a": {"[5,0]": [5,0]}}}',
        '{"type": "map", "data": {"@e": {"B": 5}}}',
    ],
}


@pytest.mark.parametrize("program", JSON)
def test_json_as_observed(program: str) -> None:
    done = kernscope("run", "-q", "-f", "json", "-e", program)
    assert done.stdout.splitlines() == JSON[program], done.stderr


def test_pointers_of_user_structs_stay_user_pointers(tmp_path: Path) -> None:
    """Through the pointer, out of a copy, out of a copied array; a flexible array is an address."""
    child = tmp_path / "child.py"
    child.write_text(
        "import ctypes, os\n"
        "class M(ctypes.Structure):\n"
        "    _fields_ = [('n', ctypes.c_char_p), ('l', ctypes.c_char_p * 2), ('tail', ctypes.c_char * 6)]\n"
        "m = M(b'first', (ctypes.c_char_p * 2)(b's0', b's1'), b'tail!')\n"
        "fd = os.open('/dev/null', os.O_WRONLY)\n"
        "os.write(fd, ctypes.string_at(ctypes.byref(m), ctypes.sizeof(m)))\n",
        encoding="ascii",
    )
    program = """
    struct inner { char *l[2]; };
    struct m { char *n; struct inner i; char tail[]; };
    tracepoint:syscalls:sys_enter_write / pid == cpid && args.count == 32 / {
        $p = (struct m *)args.buf; $v = *$p; $i = 1 + (nsecs == 0);
        print((str($v.n), str($v.i.l[1]), str($v.i.l[$i]), str($p->n), str($p->i.l[$i]), str($p->i.l[0])));
        print((str($p->tail), $p->tail[1], sizeof(struct m)));
        exit();
    }"""
    lines = output(program, "-c", f"{sys.executable} {child}")
    assert lines[:2] == ["(first, s1, s1, first, s1, s0)", f"(tail!, {ord('a')}, 24)"]


def test_struct_names_without_their_word() -> None:
    lines = task(
        "$x = (task_struct *)curtask; print($x->pid == pid); print(sizeof(task_struct) == sizeof(*$x));"
    )
    assert lines[:2] == ["true", "true"]


def test_numbers_of_user_space_as_pointers() -> None:
    """`uptr()` of a number says where a cast of it leads."""
    program = """struct d { char first; char rest[]; }
    begin { $p = (struct d *)uptr(curtask->mm->arg_start); print($p->first); print(str($p->rest)); exit() }"""
    lines = output(program)
    name = Path("/proc/self/cmdline").read_bytes().split(b"\0")[0]
    assert lines[0] == str(ord("/")) and name.startswith(b"/")
    assert ("/" + lines[1]).endswith("kernscope") or "python" in lines[1]


def test_container_of() -> None:
    lines = task(
        "$p = (struct list_head *)((uint64)curtask + offsetof(struct task_struct, tasks));"
        "print(container_of($p, task_struct, tasks)->pid == pid);"
        "print(container_of(&curtask->se.vruntime, task_struct, se.vruntime) == curtask);"
    )
    assert lines[:2] == ["true", "true"]


def test_text_that_fills_its_array(tmp_path: Path) -> None:
    """No NUL at its end, or rubbish behind it: the same text from the process, from a copy, as a key."""
    definitions = "struct s { char full[6]; char rest[6]; char long_one[100]; char end[3]; };"
    content = b"abcdefXYZ\0zz" + b"q" * 100 + b"END"
    body = """$v = *$p;
    print(($p->full, $p->rest, $v.full, $v.rest, $p->end, $v.end));
    print(($v.full == "abcdef", $p->full == "abcdef", $p->full == "abcde", $p->rest == "XYZ", $v.rest == "XYZ"));
    print($v.long_one == $p->long_one); print($v.long_one);
    @[$p->rest] = 1; @[$v.rest] = 2; @[$p->full] = 3; @[$v.full] = 4; """
    lines = read_from(tmp_path, definitions, content, body)
    assert lines[0] == "(abcdef, XYZ, abcdef, XYZ, END, END)"
    assert lines[1] == "(true, true, false, true, true)"
    assert lines[2:4] == ["true", "q" * 99]
    assert [line for line in lines if line.startswith("@")] == ["@[XYZ]: 2", "@[abcdef]: 4"]
