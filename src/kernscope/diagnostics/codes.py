"""The pages of the error codes: one Markdown file per code, in `codes/`, read only when asked for.

A page starts with `# code: title`, says what the code means, and holds two fenced `bpftrace` programs
under `## Example` (gives the code) and `## Corrected` (does not). A line `Stage: NAME` under the title names
the stage that reports it. Adding a code is adding a file; the tests run the examples.
"""

import os

__all__ = ["UnknownCode", "code_names", "explain", "title"]

_FOLDER = os.path.join(os.path.dirname(__file__), "codes")


class UnknownCode(LookupError):
    """There is no page for `code`; `suggestion` is a code spelt alike, or None."""

    def __init__(self, code: str, suggestion: str | None) -> None:
        self.code = code
        self.suggestion = suggestion
        super().__init__(code, suggestion)

    def __str__(self) -> str:
        hint = f"; did you mean `{self.suggestion}`?" if self.suggestion else ""
        return f"there is no error code `{self.code}`{hint}"


def code_names() -> list[str]:
    """All codes, sorted."""
    return sorted(name[:-3] for name in os.listdir(_FOLDER) if name.endswith(".md"))


def explain(code: str) -> str:
    """The page of a code, as Markdown. Raises UnknownCode."""
    names = code_names()
    if code not in names:
        from .suggest import suggest

        raise UnknownCode(code, suggest(code, names))
    with open(os.path.join(_FOLDER, code + ".md"), encoding="utf-8") as file:
        return file.read()


def title(code: str) -> str:
    """The one-line title of a code's page. Raises UnknownCode."""
    first = explain(code).split("\n", 1)[0]
    return first.removeprefix(f"# {code}:").strip()
