"""The command line of `kernscope profile`, up to the point where the kernel is asked."""

import os
import time
from pathlib import Path

import pytest

import kernscope
from kernscope.cli import main
from kernscope.cli.profile_record import moment, size
from kernscope.profiler import Folder, Frame, Options, Profile, Sample, mode_named, summary_lines


def said(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["profile", *arguments]) == 2
    return capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["cpux"], "did you mean `cpu`?"),
        (["recrod", "cpu"], "did you mean `record`?"),
        (["cpu", "more"], "`more` is one word too many"),
        (["cpu", "-p", "x"], "`-p x`: not a whole number"),
        (["cpu", "-F", "0"], "must be above 0"),
        (["cpu", "-o", "/nowhere/x.html"], "there is no folder `/nowhere`"),
        (["cpu", "-o", "x.unheard"], "does not say which format"),
        (["cpu", "--cgroup", "/sys/fs/cgroup/nowhere"], "there is no control group"),
        (["cpu", "--container", "abc"], "at least 6 characters"),
        (["cpu", "--container", "0123456789abcdef0123"], "no process runs in a control group"),
        (["cpu", "--comm", "a-name-of-16-byt"], "at most 15 bytes"),
        (["cpu", "--wakers"], "it is for `profile offcpu`"),
        (["cpu", "--minimum", "1ms"], "measures no durations"),
        (["offcpu", "--minimum", "1x"], "not a number of seconds, nor a time such as"),
        (["offcpu", "-F", "50"], "is for `profile cpu`"),
        (["alloc", "--timeline"], "tells what is there at its end: it has no `--timeline`"),
        (["cpu", "--malloc"], "is for `profile alloc`"),
        (["alloc", "--malloc"], "name one process with `-p`, or a command"),
        (["cpu", "--to", "x"], "`--to` is for"),
        (["record", "cpu"], "`--to FOLDER`"),
        (["record"], "say what to profile"),
        (["record", "alloc", "--to", "x"], "cannot be recorded in parts"),
        (["record", "cpu", "--to", "x", "--keep", "1K"], "at least 64K"),
        (["record", "cpu", "--to", "x", "-o", "x.html"], "a recording has its own files"),
        (["show"], "takes a file"),
        (["show", "/nowhere"], "cannot read `/nowhere`"),
        (["show", __file__], "not a profile"),
        (["show", __file__, "--from", "10m"], "this is one file"),
        (["show", os.path.dirname(__file__)], "has no parts of a recording"),
        (["show", "x", "--from", "25:99"], "say a time such as 14:30"),
        (["diff", "a"], "takes two files"),
    ],
)
def test_what_is_wrong_is_said(capfd: pytest.CaptureFixture[str], arguments: list[str], text: str) -> None:
    assert text in said(capfd, *arguments)


def test_without_arguments_it_shows_the_modes(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["profile"]) == 0
    out = capfd.readouterr().out
    assert all(f"  {name} " in out for name in [*kernscope.profiler.MODES, "record", "show", "diff"])


def test_sizes_and_times() -> None:
    assert [size(text) for text in ("64k", "1M", "2G", "1.5MiB", "100000")] == [
        65_536,
        1 << 20,
        2 << 30,
        3 << 19,
        100_000,
    ]
    assert moment("2026-05-01T14:30") == time.mktime((2026, 5, 1, 14, 30, 0, 0, 0, -1))
    assert abs(moment("10m") - (time.time() - 600)) < 60
    assert time.localtime(moment("00:00"))[3:6] == (0, 0, 0)
    for text in ("", "1", "x", "-", "2026-13-01", "1e400s"):
        with pytest.raises(ValueError, match="say a time"):
            moment(text)
    for text in ("", "x", "1", "nan", "nanM", "1e99G"):
        with pytest.raises(ValueError, match=r"at least|say a size"):
            size(text)


def test_showing_a_part_of_a_recording(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with Folder(str(tmp_path), 1 << 20, pytest.fail) as folder:
        for number in range(4):
            profile = Profile("cpu", "samples", command="all")
            at = time.mktime((2026, 5, 1, 14, number, 0, 0, 0, -1))
            profile.start_ns, profile.duration_ns = int(at) * 10**9, 60 * 10**9
            profile.add(Sample(profile.stack([Frame(f"f{number}", "native")]), 1, 1, "c", 1))
            folder.add(profile)
    assert main(["profile", "show", str(tmp_path)]) == 0
    assert "240.0 s, 4 samples" in capfd.readouterr().out
    span = ["--from", "2026-05-01T14:01:30", "--to", "2026-05-01T14:02:30"]
    assert main(["profile", "show", str(tmp_path), *span]) == 0
    out, err = capfd.readouterr()
    assert "f1" in out and "f2" in out and "f0" not in out and "f3" not in out
    assert "from 2026-05-01 14:01:00 to 2026-05-01 14:03:00, in 2 parts" in err
    (tmp_path / os.listdir(tmp_path)[0]).write_bytes(b"\x1f\x8bbroken")
    assert main(["profile", "show", str(tmp_path)]) == 0
    assert "cannot be read" in capfd.readouterr().err
    assert "nothing was recorded" in said(capfd, "show", str(tmp_path), "--from", "2027-01-01T00:00")


def test_the_wakers_stack_takes_no_time_of_its_own() -> None:
    profile = Profile("offcpu", "nanoseconds")
    waits = [Frame("main", "native"), Frame("read", "native"), Frame("[pipe]", "mark")]
    wakes = [Frame("[woken by writer 7]", "mark"), Frame("write", "native"), Frame("writing", "native")]
    profile.add(Sample(profile.stack(waits + wakes), 1, 1, "c", 5))
    assert [(frame.name, own, whole) for frame, own, whole in profile.functions()] == [
        ("read", 5, 5),
        ("main", 0, 5),
    ]
    assert any("woken by writer 7" in line for line in summary_lines(profile))


def test_programs_of_alloc() -> None:
    alloc = mode_named("alloc")
    assert not alloc.warning(Options()) and "slower" in alloc.warning(Options(malloc=True))
    text = alloc.program(Options(malloc=True, files=("libc", "/a b")))
    assert 'uprobe:libc:malloc,\nuprobe:"/a b":malloc ' in text and "uretprobe:libc:posix_memalign" in text
