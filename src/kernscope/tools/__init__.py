"""The classic tools: programs in the bpftrace language, each with a page of documentation.

A tool is a pair of files here, `NAME.bt` and `NAME.md`. The program opens with a comment that says the rest:

    /*
    title: each file that is opened, by whom, and whether it worked
    group: files
    argument: PID (number) only this process
    */

`argument` lines are the program's `$1`, `$2`, … in that order; each may be left out. A new tool needs nothing else.
"""

import os

__all__ = ["GROUPS", "Argument", "Tool", "UnknownTool", "find", "index", "names", "tools"]

GROUPS: dict[str, str] = {
    "files": "files: who opens, reads, writes, syncs and removes them",
    "processes": "processes: what starts, forks, ends, and how",
    "cpu": "CPU and scheduling: who runs, who waits",
    "memory": "memory: page faults, growth, running out",
    "disks": "disks: requests, their sizes and times",
    "network": "network: TCP connections, retransmissions, drops",
    "signals": "signals: who sends which to whom",
    "security": "users and security: identities, capabilities, what few programs should do",
    "kernel": "the kernel itself: system calls, interrupts, deferred work",
}
"""Group → what one wants to know, in the order of the listing."""

_HERE = os.path.dirname(__file__)


class UnknownTool(LookupError):
    """There is no tool of that name; `near` is the most similar one, or None."""

    def __init__(self, name: str, near: "str | None") -> None:
        super().__init__(f"there is no tool `{name}`" + (f"; did you mean `{near}`?" if near else ""))
        self.name, self.near = name, near


class Argument:
    """One positional parameter of a tool; `number` says whether it is one."""

    __slots__ = ("meaning", "name", "number")

    def __init__(self, name: str, number: bool, meaning: str) -> None:
        self.name, self.number, self.meaning = name, number, meaning


class Tool:
    """One tool.

    Attributes:
        name: what one types.
        title: what it shows, in one line.
        group: a key of `GROUPS`.
        arguments: its positional parameters.
        text: the program.
    """

    __slots__ = ("arguments", "group", "name", "text", "title")

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text
        self.title, self.group = "", ""
        self.arguments: list[Argument] = []
        head = text[: text.index("*/")].removeprefix("/*")
        for line in head.splitlines():
            key, _, value = line.partition(":")
            match key.strip():
                case "title":
                    self.title = value.strip()
                case "group":
                    self.group = value.strip()
                case "argument":
                    word, kind, meaning = value.split(None, 2)
                    self.arguments.append(Argument(word, kind == "(number)", meaning))

    @property
    def page(self) -> str:
        """Its documentation, in Markdown."""
        return _read(self.name + ".md")

    @property
    def usage(self) -> str:
        """What follows `kernscope tool`."""
        return " ".join([self.name, *(f"[{a.name}" for a in self.arguments)]) + "]" * len(self.arguments)


def _read(file: str) -> str:
    with open(os.path.join(_HERE, file), encoding="utf-8") as stream:
        return stream.read()


def names() -> list[str]:
    """The names of all tools, sorted."""
    return sorted(file[:-3] for file in os.listdir(_HERE) if file.endswith(".bt"))


def find(name: str) -> Tool:
    """The tool of that name. Raises UnknownTool."""
    known = names()
    if name not in known:
        from kernscope.diagnostics import suggest

        raise UnknownTool(name, suggest(name, known))
    return Tool(name, _read(name + ".bt"))


def tools() -> dict[str, list[Tool]]:
    """All tools by group, in the order of `GROUPS`."""
    found: dict[str, list[Tool]] = {group: [] for group in GROUPS}
    for name in names():
        tool = find(name)
        found[tool.group].append(tool)
    return found


def index() -> str:
    """The page `docs/tools.md`: all tools, by what one wants to know."""
    lines = [
        "<!-- Made from src/kernscope/tools: python -c "
        "'import kernscope; print(kernscope.tools.index(), end=\"\")' > docs/tools.md -->",
        "# Tools",
        "",
        "`kernscope tool NAME [ARGUMENTS] [-d SECONDS] [-c COMMAND]` runs one; `kernscope tool --page NAME` tells",
        "what it answers, its columns, an example, and its limits; `--source` prints the program.",
    ]
    for group, members in tools().items():
        title = GROUPS[group]
        lines += ["", f"## {title[0].upper()}{title[1:]}", ""]
        for tool in members:
            page = f"../src/kernscope/tools/{tool.name}.md"
            lines.append(f"- [`{tool.usage}`]({page}): {tool.title}")
    return "\n".join(lines) + "\n"
