"""A reader that goes away ends the run, also where nothing is printed."""

import subprocess

import pytest
from command_line import KERNSCOPE, needs_tracing

pytestmark = needs_tracing

_IDLE = 'begin { printf("first\\n"); } interval:s:100 { }'


@pytest.mark.parametrize(
    "words",
    [
        ["run", "-e", _IDLE],
        ["run", "-f", "json", "-e", _IDLE],
        ["trace", "acct"],
    ],
    ids=["text", "json", "trace"],
)
def test_an_idle_run_ends(words: list[str]) -> None:
    with subprocess.Popen([*KERNSCOPE, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        if words[0] == "run":
            process.stdout.readline()
        process.stdout.close()
        process.wait(60)
        told = process.stderr.read()
    assert b"error" not in told
    assert process.returncode == 0


def test_output_to_a_file_goes_on(tmp_path: object) -> None:
    """Only pipes have readers that go away."""
    done = subprocess.run(
        [*KERNSCOPE, "run", "-q", "-o", f"{tmp_path}/out", "-e", "interval:ms:50 { exit(); }"], timeout=60
    )
    assert done.returncode == 0
