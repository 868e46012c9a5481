"""Files opened by speedscope itself, in a browser: `make readers` fetches it; without it these tests are skipped."""

import base64
import json
from pathlib import Path

import pytest
from browser import open_page
from made_profiles import hostile, work

from kernscope.profiler.formats import write
from kernscope.profiler.formats.speedscope import encode
from kernscope.profiler.profile import Profile

RELEASE = Path(__file__).parents[3] / "build/npm/node_modules/speedscope/dist/release"

SCRIPT = """
window.alert = (text) => { document.title = "alert: " + text; };
const results = {};
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const cells = () => [...document.querySelectorAll("tr")].map(
  (row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent));
(async () => {
  for (const [name, data] of FILES) {
    document.title = "";
    speedscope.loadFileFromBase64(name, data);
    for (let i = 0; i < 30 && !document.title; i++) await wait(100);
    for (let i = 0; i < 20 && !cells().some((row) => row.length && row[0].includes("%")); i++) await wait(100);
    results[name] = [document.title, cells().filter((row) => row.length === 3)];
  }
  const out = document.createElement("pre");
  out.id = "results";
  out.textContent = JSON.stringify(results);
  document.body.append(out);
})();
"""


def test_speedscope_opens_them(tmp_path: Path) -> None:
    """Each file is recognised, its name shown, and the functions of its first thread with their shares."""
    if not (RELEASE / "index.html").exists():
        pytest.skip("speedscope is not there: `make readers` fetches it")
    files = {
        "a.speedscope.json": write(work("nanoseconds"), "speedscope"),
        "timed.speedscope.json": write(work(timed=True), "speedscope"),
        "hostile.speedscope.json": write(hostile(), "speedscope"),
        "a.perf": write(work(timed=True), "perf"),
        "hostile.perf": write(hostile(), "perf"),
        "a.pb.gz": write(work(), "pprof"),
        "a.collapsed": write(work(), "collapsed"),
        "hostile.collapsed": write(hostile(), "collapsed"),
    }
    encoded = [[name, base64.b64encode(content).decode()] for name, content in files.items()]
    script = tmp_path / "files.js"
    script.write_text(SCRIPT.replace("FILES", json.dumps(encoded)))
    fragment = f"view=sandwich&localProfilePath={str(script)[1:]}"
    page = open_page(RELEASE / "index.html", fragment, folder=tmp_path, slow=True)
    shown = json.loads(page.inner("results"))
    for name, (title, _) in shown.items():
        assert title.endswith(" - speedscope"), f"{name}: {title}"
    assert shown["a.speedscope.json"][0] == "cpu: work hard - speedscope"
    threads = [
        ["1", "worker (11)", "50.00ns"],
        ["2", "work10 (10)", "35.00ns"],
        ["3", "work20 (20)", "20.00ns"],
    ]
    assert shown["a.speedscope.json"][1][:3] == threads
    timed = [
        ["1", "work10 (10)", "350.00ms"],
        ["2", "worker (11)", "500.00ms"],
        ["3", "work20 (20)", "200.00ms"],
    ]
    assert shown["timed.speedscope.json"][1][:3] == timed
    # It takes from the text of `perf script` how long it was until the next sample.
    assert shown["a.perf"][1][0] == ["1", "work10 pid: 10 tid: 10", "750.00ms"]


def sampled(profile: Profile) -> list[dict[str, object]]:
    content = json.loads(encode(profile))
    assert content["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    found: list[dict[str, object]] = content["profiles"]
    return found


def test_samples_without_times_follow_one_another() -> None:
    worker, _, other = sampled(work("nanoseconds"))
    assert (worker["name"], worker["unit"], worker["endValue"]) == ("worker (11)", "nanoseconds", 50)
    assert (other["weights"], other["samples"]) == (
        [20],
        [[0, 3]],
    )  # frames: main, a, b, b at another address


def test_samples_with_times_are_where_they_were() -> None:
    threads = {thread["name"]: thread for thread in sampled(work(timed=True))}
    thread = threads[
        "worker (11)"
    ]  # one entry for 50 samples of 10 ms, a quarter of a second after the start
    assert thread["samples"] == [[], [0, 1, 2]] and thread["weights"] == [250_000_000, 500_000_000]
    assert thread["endValue"] == 750_000_000 and thread["unit"] == "nanoseconds"
