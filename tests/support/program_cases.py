"""Programs with a name, and what they print: the text files of tests/conformance and tests/differential.

    # Literals                            a section
    octal numbers: { print(017) }         a case: its name, and its program up to the next unindented line
      > 15                                a line that it prints
      ~ \\d+                               a line that it prints, as a pattern
      …                                   whatever else it prints
      ! no such                           what standard error holds
      exit: 1                             how it ends, 0 where nothing is said
      options: -f json                    put before the program, besides -q
      arguments: 1 two -- --name=3        put after it
      environment: NAME=value             set while it runs
      file a.bt: begin { }                a file in the folder where it runs; `\\n` in it starts a new line
      built: marks.c -O1 -g               a C program of tests/support/programs that gcc builds there, as ./marks
      needs: kprobe                       a kind of probe without which it cannot run
      compare: sorted                     how outputs of two tools are compared, see `comparable`
      note: …                             a remark on something that works
      differs: …                          in what, and why, it is not what bpftrace does
      missing: …                          why it is not here

A program `{ … }` stands for `begin { … } begin { exit() }`; a line `$ …` is not a program but all of the arguments.
"""

import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["Case", "Outcome", "comparable", "read_file", "read_folder", "run"]

_HEAD = re.compile(r"(\S.*?): (\S.*)")
_FIELD = re.compile(
    r"  (options|arguments|environment|exit|built|needs|compare|note|differs|missing|file [\w./-]+): (.*)"
)
_SECONDS = 60

PROGRAMS = Path(__file__).parent / "programs"
"""C programs that cases run."""


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


class Case:
    """One program; `status` is works, differs or missing, and `remark` says why."""

    def __init__(self, page: str, section: str, name: str, program: str) -> None:
        self.page, self.section, self.name, self.program = page, section, name, program
        self.expected: list[tuple[str, str]] = []
        self.errors: list[str] = []
        self.fields: dict[str, str] = {}

    @property
    def status(self) -> str:
        return next((word for word in ("differs", "missing") if word in self.fields), "works")

    @property
    def remark(self) -> str:
        return self.fields.get(self.status, self.fields.get("note", ""))

    @property
    def exit(self) -> int:
        return int(self.fields.get("exit", 0))

    @property
    def files(self) -> dict[str, str]:
        return {
            field.removeprefix("file "): text.replace("\\n", "\n") + "\n"
            for field, text in self.fields.items()
            if field.startswith("file ")
        }

    @property
    def arguments(self) -> list[str]:
        """What stands behind the name of the tool."""
        if self.program.startswith("$ "):
            return shlex.split(self.program[2:])
        program = f"begin {self.program} begin {{ exit() }}" if self.program[0] == "{" else self.program
        options, arguments = (shlex.split(self.fields.get(key, "")) for key in ("options", "arguments"))
        return ["-q", *options, "-e", program, *arguments]

    @property
    def key(self) -> str:
        """The same for cases that do the same."""
        set_outside = self.fields.get("environment", "")
        files = [f"{name}: {text}" for name, text in self.files.items()]
        if "built" in self.fields:
            files.append(f"built: {self.fields['built']}")
        return "\n".join([*([set_outside] if set_outside else []), shlex.join(self.arguments), *files])

    @property
    def shown(self) -> str:
        """The program as a reader would type it, on one line."""
        if self.program.startswith("$ "):
            return self.program[2:]
        program = re.sub(r"\s*\n\s*", " ⏎ ", self.program)
        if "options" in self.fields or "arguments" in self.fields:
            words = (
                self.fields.get("environment", ""),
                self.fields.get("options", ""),
                f"-e '{program}'",
                self.fields.get("arguments", ""),
            )
            return " ".join(word for word in words if word)
        return program

    def matches(self, out: str) -> bool:
        lines = out.strip("\n").split("\n") if out.strip("\n") else []
        if self.expected and self.expected[-1][0] == "…":
            lines = [*lines[: len(self.expected) - 1], ""]
        return len(lines) == len(self.expected) and all(
            line == text if kind == ">" else kind == "…" or re.fullmatch(text, line) is not None
            for line, (kind, text) in zip(lines, self.expected)
        )


def read_file(path: Path) -> list[Case]:
    cases: list[Case] = []
    section = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.startswith("# "):
            section = line[2:]
        elif line.startswith("    "):
            cases[-1].program += "\n" + line[4:]
        elif line.startswith(("  > ", "  ~ ")) or line in ("  >", "  …"):
            cases[-1].expected.append((line[2], line[4:]))
        elif line.startswith("  ! "):
            cases[-1].errors.append(line[4:])
        elif field := _FIELD.fullmatch(line):
            cases[-1].fields[field[1]] = field[2]
        elif head := _HEAD.fullmatch(line):
            cases.append(Case(path.stem, section, head[1], head[2]))
        elif line:
            raise ValueError(f"{path}:{number}: neither a case nor a part of one: {line!r}")
    return cases


def read_folder(folder: Path) -> list[Case]:
    return [case for path in sorted(folder.glob("*.txt")) for case in read_file(path)]


def run(tool: Sequence[str], case: Case) -> Outcome:
    """One case, in a folder of its own."""
    # The arguments name everything that matters, so what is set outside must not.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BPFTRACE")}
    environment |= dict(word.split("=", 1) for word in case.fields.get("environment", "").split())
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        for name, text in case.files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)
        if "built" in case.fields:
            source, *options = case.fields["built"].split()
            command = ["gcc", *options, "-w", "-o", source.removesuffix(".c"), PROGRAMS / source]
            subprocess.run(command, cwd=folder, check=True, timeout=_SECONDS)
        try:
            done = subprocess.run(
                [*tool, *case.arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
            )
        except subprocess.TimeoutExpired as late:
            return Outcome(-1, (late.stdout or b"").decode(errors="replace"), "does not end")
    return Outcome(
        done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    )


def comparable(case: Case, out: str) -> list[str]:
    """Output without what must differ between two runs, as the case's `compare` says:

    `sorted`: the order of lines; `numbers`: all digits; `addresses`: hexadecimal numbers; `nothing`: all of it.
    """
    lines = [line for line in out.split("\n") if line]
    for how in case.fields.get("compare", "").split():
        if how == "nothing":
            return []
        if how == "numbers":
            lines = [re.sub(r"\d+", "N", line) for line in lines]
        if how == "addresses":
            lines = [re.sub(r"(0x)?[0-9a-f]{8,}", "ADDRESS", line) for line in lines]
        if how == "sorted":
            lines.sort()
    return lines
