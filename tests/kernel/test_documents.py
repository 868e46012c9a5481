"""What README.md and docs/ show works as it stands there."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import KERNSCOPE, Tracer, eventually, needs_tracing

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[tuple[str, str]]:
    """(command, what is shown below it) of all console blocks."""
    found = []
    for block in blocks(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            found.append((command, shown))
    return found


EXAMPLES = [
    pytest.param(code, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, code in enumerate(blocks(page, "python"), 1)
]
COMMANDS = [
    pytest.param(command, shown, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, (command, shown) in enumerate(commands(page), 1)
]


@pytest.fixture
def some_activity() -> Iterator[None]:
    """A process that makes system calls now and then: an idle machine may make none for half a second."""
    code = "import os, time\nwhile True:\n    os.path.exists('/no/such/file')\n    time.sleep(0.01)"
    process = subprocess.Popen([sys.executable, "-c", code])
    yield
    process.kill()
    process.wait()


@needs_tracing
@pytest.mark.usefixtures("some_activity")
@pytest.mark.parametrize("code", EXAMPLES)
def test_python_examples(code: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout and not done.stderr


@needs_tracing
@pytest.mark.usefixtures("some_activity")
@pytest.mark.parametrize(("command", "shown"), COMMANDS)
def test_commands(command: str, shown: str, tmp_path: Path) -> None:
    words = shlex.split(command.removeprefix("sudo "))
    assert words[0] in ("kernscope", "./run"), "what else is in a console block is not tested"
    words[:1] = KERNSCOPE if words[0] == "kernscope" else [str(ROOT / "run")]
    started = words[words.index("--") + 1] if "--" in words else ""
    if started and shutil.which(started) is None:
        pytest.skip(f"{started} is not installed")
    with Tracer(command=words) as tracer:
        # What does not end by itself goes on until Ctrl-C.
        if eventually(lambda: tracer.process.poll() is not None, 1):
            done = tracer.wait()
        else:
            done = tracer.stop()
    if "error[not-supported-here]" in done.err:
        pytest.skip(done.err.splitlines()[0])
    if shown.startswith("error["):
        # What is shown is all that is said. Its shape depends on the terminal's width, so words are compared.
        assert done.code == 1
        assert re.sub(r"[\s|^]+", " ", done.err).split() == re.sub(r"[\s|^]+", " ", shown).split()
    else:
        assert done.code == 0, done.err
        assert "error" not in done.err


def test_translation_shows_the_same() -> None:
    translated = ROOT / "README.ko.md"
    for language in ("python", "console"):
        assert blocks(translated, language) == blocks(ROOT / "README.md", language)


def test_links_lead_somewhere() -> None:
    missing = []
    for page in [*PAGES, *ROOT.glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text()):
            if not (page.parent / target).exists():
                missing.append(f"{page.relative_to(ROOT)}: {target}")
    assert missing == []
