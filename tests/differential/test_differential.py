"""Each program prints the same under bpftrace, where $BPFTRACE names one.

What bpftrace printed is kept in observed.json, with its version, so that a second run is quick; `pytest --fresh`
asks it again. Texts of findings differ on purpose and are not compared, but that there is one is.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import KERNSCOPE, needs_tracing
from program_cases import Case, Outcome, comparable, read_folder, run

FOLDER = Path(__file__).parent
OBSERVED = FOLDER / "observed.json"
BPFTRACE = os.environ.get("BPFTRACE", "")
CASES = [
    case
    for folder in (FOLDER, FOLDER.parent / "conformance")
    for case in read_folder(folder)
    if case.status != "missing"
]

pytestmark = [
    pytest.mark.skipif(not shutil.which(BPFTRACE), reason="needs the real tool: set BPFTRACE to its path"),
    needs_tracing,
]


class Observations:
    """What bpftrace did with each case, asked once."""

    def __init__(self, path: Path, fresh: bool) -> None:
        self._path = path
        version = subprocess.run([BPFTRACE, "--version"], capture_output=True, text=True).stdout.strip()
        kept = json.loads(path.read_text()) if path.exists() and not fresh else {}
        self._results: dict[str, list[object]] = kept["results"] if kept.get("version") == version else {}
        self._head = {"version": version, "date": time.strftime("%Y-%m-%d"), "kernel": os.uname().release}
        self._changed = False

    def of(self, case: Case) -> Outcome:
        if case.key not in self._results:
            found = run([BPFTRACE], case)
            self._results[case.key] = [found.code, found.out]
            self._changed = True
        code, out = self._results[case.key]
        assert isinstance(code, int) and isinstance(out, str)
        return Outcome(code, out, "")

    def save(self) -> None:
        if self._changed:
            known = {case.key for case in CASES}
            results = {key: self._results[key] for key in sorted(self._results) if key in known}
            text = json.dumps(self._head | {"results": results}, indent=0, ensure_ascii=False)
            self._path.write_text(text + "\n")


@pytest.fixture(scope="module")
def observations(request: pytest.FixtureRequest) -> Iterator[Observations]:
    kept = Observations(OBSERVED, request.config.getoption("--fresh"))
    yield kept
    kept.save()


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.page}-{case.name}") for case in CASES])
def test_same_output(case: Case, observations: Observations) -> None:
    if "built" in case.fields and not shutil.which("gcc"):
        pytest.skip("needs gcc, to build the program that is traced")
    theirs, ours = observations.of(case), run([*KERNSCOPE, "run"], case)
    if case.fields.get("needs") and theirs.code and not ours.code:
        pytest.skip(f"{case.fields['needs']} works here with kernscope, and not with bpftrace")
    same = (
        # A program that cannot be attached ends with 255 there and 3 here.
        (theirs.code == ours.code or {theirs.code, ours.code} == {255, 3})
        and comparable(case, theirs.out) == comparable(case, ours.out)
    )
    if case.status == "differs":
        assert not same, f"no longer differs, though listed: {case.remark}"
    elif not same:
        assert (ours.code, ours.out) == (theirs.code, theirs.out), ours.err
