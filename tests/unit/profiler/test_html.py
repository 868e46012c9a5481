"""The flame graph page, in a browser where there is one."""

import json
import re
from pathlib import Path

import pytest
from browser import driven, open_page, with_script
from made_profiles import HOSTILE, hostile, large, work

from kernscope.profiler.formats.html import diff_page, encode
from kernscope.profiler.profile import Profile


def drive(
    profile: Profile, steps: str, folder: Path, fragment: str = "", page: bytes = b""
) -> list[list[object]]:
    """What `tell_` was given in these steps; the browser must have nothing to complain about."""
    path = folder / "page.html"
    path.write_text(with_script((page or encode(profile)).decode(), driven(steps)), "utf-8")
    shown = open_page(path, fragment)
    assert shown.console == []
    found: list[list[object]] = json.loads(shown.inner("results"))
    return found


def test_a_link_leads_to_a_view_and_everything_in_it_works(tmp_path: Path) -> None:
    link = "search=vfs&group=process&icicle=1&zoom=work10+%2810%29&zoom=main"
    steps = """
    tell_("link", element("matched").textContent, canvas.getAttribute("aria-label"), element("group").value);
    change("search", "value", ""); change("group", "value", ""); change("icicle", "checked", false);
    tell_("start", names(), element("title").textContent, element("group").options.length);
    change("search", "value", "b");
    tell_("search", element("matched").textContent, location.hash);
    change("search", "value", "/^(a|main)$/");
    tell_("regex", element("matched").textContent);
    change("search", "value", "/(/");
    tell_("bad regex", element("matched").textContent, element("search").getAttribute("aria-invalid"));
    change("search", "value", "");
    mouse("mousemove", "a");
    tell_("tip", element("tip").hidden, element("tip").textContent);
    mouse("click", "a");
    tell_("zoom", zoom.frame.name, location.hash, names());
    press("Escape");
    tell_("out", zoom, location.hash);
    press("ArrowDown"); press("ArrowUp"); press("ArrowRight");
    tell_("keys", chosen.frame.name, element("status").textContent);
    press("ArrowLeft"); press("Enter");
    tell_("enter", zoom.frame.name);
    press("Backspace");
    tell_("back", zoom.frame.name);
    press("/", document.body);
    tell_("slash", document.activeElement.id);
    change("inverted", "checked", true);
    tell_("inverted", names()[1]);
    change("inverted", "checked", false);
    change("group", "value", "process"); tell_("process", names()[1]);
    change("group", "value", "thread"); tell_("thread", names()[1]);
    change("group", "value", "cpu"); tell_("cpu", names()[1]);
    change("group", "value", "cgroup"); tell_("cgroup", names()[1], location.hash);
    const before = top_(0); change("icicle", "checked", true);
    tell_("icicle", before > 0, top_(0));
    """
    found = {str(name): rest for name, *rest in drive(work(), steps, tmp_path, link)}
    label = "Flame graph of main: 5 levels, 6 boxes"
    assert found["link"] == ["found: 4.76 %", label, "process"]  # the kernel's 5 of 105
    assert found["start"] == [[["all"], ["main"], ["a", "b"], ["b", "vfs_read"]], "cpu: work hard", 5]
    assert found["search"] == ["found: 66.67 %", "#search=b"]  # 50 + 20 of 105
    assert found["regex"] == ["found: 100.00 %"]
    assert found["bad regex"] == ["not a regular expression", "true"]
    assert found["tip"] == [False, "a\n85 samples (80.95 %), itself 30 samples (28.57 %)\n/x/a.py:7"]
    assert found["zoom"] == ["a", "#zoom=main&zoom=a", [["all"], ["main"], ["a"], ["b", "vfs_read"]]]
    assert found["out"] == [None, ""]
    assert found["keys"] == ["b", "b  ·  20 samples (19.05 %), itself 20 samples (19.05 %)  ·  /lib/b.so"]
    assert (found["enter"], found["back"], found["slash"]) == (["a"], ["main"], ["search"])
    assert found["inverted"] == [["a", "b", "vfs_read"]]
    assert found["process"] == [["work10 (10)", "work20 (20)"]]
    assert found["thread"] == [["work10 (10)", "work20 (20)", "worker (11)"]]
    assert found["cpu"] == [["0", "1"]]
    assert found["cgroup"] == [["/work.slice"], "#group=cgroup"]
    assert found["icicle"] == [True, 0]


def test_hostile_names_are_text(tmp_path: Path) -> None:
    steps = """
    tell_(document.title, document.scripts.length, document.images.length, profile.frames.map((f) => f.name));
    tell_(element("notes").querySelectorAll("p").length, element("title").textContent);
    for (const group of ["", ...profile.labels]) { change("group", "value", group); tell_(rows.length); }
    for (const row of rows) for (const box of row) {
      choose(box.n); zoomTo(box.n);
      tell_(/[\\x00-\\x1f\\u202a-\\u202e\\u2066-\\u2069]/.test(element("status").textContent));
    }
    tell_(document.title, document.scripts.length);
    """
    first, notes, *rest = drive(hostile(), steps, tmp_path)
    assert str(first[0]).startswith("cpu: </script>")  # not `owned`
    assert first[1:3] == [3, 0]  # the profile, the page's script, and this test's
    assert isinstance(first[3], list) and set(first[3]) >= {name for name in HOSTILE if name.isprintable()}
    assert notes[0] == len(HOSTILE)
    assert rest[-1] == [first[0], 3]
    assert not any(part is True for parts in rest for part in parts)


def test_nothing_in_the_text_ends_the_data_early() -> None:
    text = encode(hostile()).decode()
    assert text.count("</script>") == 2 and text.count("<script") == 2
    data = re.search(r'<script type="application/json" id="profile">(.*?)</script>', text, re.S)
    assert data is not None and "<" not in data[1]
    assert {frame["name"] for frame in json.loads(data[1])["frames"]} >= {HOSTILE[0], HOSTILE[4]}


def test_nothing_is_loaded() -> None:
    text = encode(work()).decode()
    assert "default-src 'none'" in text and "unsafe" not in text and "connect-src" not in text
    assert not re.search(r'\b(src|href)=(?!"data:)', text)
    assert "http:" not in text and "https:" not in text


def test_differences(tmp_path: Path) -> None:
    after = work()
    after.samples[0].value = 80  # a itself: 30 → 80
    steps = """
    for (const row of rows) for (const box of row) tell_(box.n.frame.name, colour(box.n), box.n.before, box.n.value);
    """
    found = drive(after, steps, tmp_path, page=diff_page(work(), after))
    red, blue, same = "hsl(5 ", "hsl(212 ", "hsl(0 0%"
    colours = {(name, before): str(colour) for name, colour, before, _ in found}
    assert colours["all", 105].startswith(same) and colours["main", 105].startswith(same)
    assert colours["a", 85].startswith(red)  # 81 % → 87 %
    assert all(colours[key].startswith(blue) for key in (("b", 50), ("b", 20), ("vfs_read", 5)))


def test_an_empty_profile(tmp_path: Path) -> None:
    (found,) = drive(Profile("cpu", "samples"), 'tell_(names(), element("about").textContent);', tmp_path)
    assert found == [[["all"]], "0 samples"]


@pytest.mark.parametrize("stacks", [2_000])
def test_many_stacks_stay_fluid(stacks: int, tmp_path: Path) -> None:
    """The work of a redraw and of finding a box is that of what is visible, not of what there is."""
    steps = """
    const boxes_ = rows.reduce((sum, row) => sum + row.length, 0);
    const widest = Math.max(...rows.map((row) => row.length));
    const small = canvas.height <= innerHeight * devicePixelRatio;
    tell_(boxes_ < rows.length * view.clientWidth / LEAST, widest, small, root.value);
    """
    profile = large(stacks)
    ((few, widest, small, total),) = drive(profile, steps, tmp_path)
    assert few is True and small is True and total == profile.total and isinstance(widest, int) and widest > 1
