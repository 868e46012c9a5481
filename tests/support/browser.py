"""Pages opened in a browser without a window, where Chromium is installed."""

import base64
import hashlib
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

__all__ = ["Page", "driven", "open_page", "with_script"]

_SECONDS = 120


class Page:
    """What came of a page: its elements as text, and what the browser's console said."""

    def __init__(self, text: str, console: list[str]) -> None:
        self.text, self.console = text, console

    def inner(self, id: str) -> str:
        """Text of the element with this id, which has no elements in it."""
        found = re.search(rf'<(\w+)[^>]*\bid="{id}"[^>]*>([^<]*)</\1>', self.text)
        assert found is not None, f"no element {id}"
        return unescape(found[2])

    def attribute(self, id: str, name: str) -> str:
        """An attribute of the element with this id."""
        tag = re.search(rf'<\w+[^>]*\bid="{id}"[^>]*>', self.text)
        assert tag is not None, f"no element {id}"
        found = re.search(rf'\b{name}="([^"]*)"', tag[0])
        assert found is not None, f"no attribute {name}"
        return unescape(found[1])


def _run(
    url: str, folder: Path, milliseconds: int = 5000, graphics: tuple[str, ...] = ("--disable-gpu",)
) -> Page:
    command = [
        _browser(),
        *("--headless", "--no-sandbox", "--disable-dev-shm-usage", "--no-first-run", *graphics),
        *("--window-size=1000,700", f"--virtual-time-budget={milliseconds}", "--enable-logging=stderr"),
        *(f"--user-data-dir={folder}", "--allow-file-access-from-files", "--dump-dom", url),
    ]
    done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
    console = re.findall(r"CONSOLE[^\]]*\] (.*)", done.stderr.decode("utf-8", "replace"))
    return Page(done.stdout.decode("utf-8", "replace"), console)


def _browser() -> str:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""


_GIVEN_UP = "chromium does not open pages here in time"
_given_up: list[bool] = []

SOFTWARE_GRAPHICS = ("--enable-unsafe-swiftshader", "--use-angle=swiftshader")


def open_page(path: Path, fragment: str = "", *, folder: Path | None = None, slow: bool = False) -> Page:
    """Open a file, with `fragment` after its name's `#`; skips the test where no browser runs.

    `folder` is for the browser's own files, else the page's. A `slow` page has a minute of its own time, and WebGL.
    """
    if not _browser():
        pytest.skip("chromium is not installed")
    if _given_up:
        pytest.skip(_GIVEN_UP)
    url = path.as_uri() + (f"#{fragment}" if fragment else "")
    for attempt in range(2):  # a browser that is held up, or ends by itself, says nothing about a page
        own = (folder or path.parent) / f"browser{attempt}"
        try:
            page = _run(url, own, 60_000, SOFTWARE_GRAPHICS) if slow else _run(url, own)
        except subprocess.TimeoutExpired:
            continue
        if page.text.strip():
            return page
    _given_up.append(True)
    pytest.skip(_GIVEN_UP)


def with_script(page: str, script: str) -> str:
    """The page with one more script at its end, which its policy is made to allow."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = page.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    head, tail = page.rsplit("</body>", 1)
    return f"{head}<script>{script}</script></body>{tail}"


def driven(steps: str) -> str:
    """A script for a flame graph's page that does `steps`; what these give to `tell_` is JSON in `results`."""
    return (
        """
const results = [];
const tell_ = (...parts) => results.push(parts);
const press = (key, target = canvas) =>
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
const change = (id, name, value) => {
  element(id)[name] = value;
  element(id).dispatchEvent(new Event(id === "search" ? "input" : "change"));
};
const names = () => rows.map((row) => row.map((box) => box.n.frame.name));
const mouse = (kind, name) => {
  const area = canvas.getBoundingClientRect();
  const box = rows.flat().find((box) => box.n.frame.name === name);
  const clientY = area.top + top_(box.depth) - view.scrollTop + ROW / 2;
  canvas.dispatchEvent(new MouseEvent(kind, { clientX: area.left + box.x + box.w / 2, clientY, bubbles: true }));
};
"""
        + steps
        + """
const out = document.createElement("pre");
out.id = "results";
out.textContent = JSON.stringify(results);
document.body.append(out);
"""
    )
