"""Fill the generated parts of docs/*.md from the tables: ``python tools/generate_docs.py [--check]``.

A part stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``; the rest of a page is written by hand.
With --check nothing is written, and the exit code is 1 when a page is not what the tables give.
"""

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from kernscope.catalog.aggregations import AGGREGATIONS
from kernscope.catalog.builtins import BUILTINS
from kernscope.catalog.functions import FUNCTIONS
from kernscope.cli import all_command_names, command_named
from kernscope.detector import check_rules, decode
from kernscope.detector.fields import FIELDS
from kernscope.detector.reactions import kinds as reaction_kinds
from kernscope.detector.rule_files import default_rule_files
from kernscope.detector.service import default_text as service_defaults
from kernscope.detector.sigma.mapping import RECORDS as SIGMA_RECORDS
from kernscope.detector.sigma.mapping import SOURCES as SIGMA_SOURCES
from kernscope.detector.sinks import KINDS as SINK_KINDS
from kernscope.detector.sinks import kind_named
from kernscope.diagnostics.codes import code_names, explain, title
from kernscope.kernel.feature_table import FEATURES
from kernscope.probes import KINDS
from kernscope.sema.config import SETTINGS

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "tests" / "support"), str(ROOT / "tools")]

import kernel_matrix  # noqa: E402 - what was seen on other kernels
from program_cases import Case, read_folder  # noqa: E402 - how the rows of the conformance table are written

__all__ = ["pages", "stale"]

DOCS = ROOT / "docs"
_PART = re.compile(r"(<!-- generated: ([a-z -]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table. Columns' heads and cells may hold backticks, and bars, which are escaped."""

    def line(cells: Iterable[object]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |\n"

    heads = list(heads)
    return line(heads) + line("---" for _ in heads) + "".join(line(row) for row in rows)


def code(*texts: str) -> str:
    return "<br>".join(f"`{text}`" for text in texts)


def probes() -> str:
    rows = [(code(*kind.providers), code(*kind.syntax), kind.doc) for kind in KINDS]
    return table(("probe", "targets", "when"), rows)


def builtins() -> str:
    """The numbered ones (`arg0`, `arg1`, …) share a line."""
    entries = sorted(set(BUILTINS.values()), key=lambda entry: entry.name)
    rows, numbered = [], set()
    for entry in entries:
        name = entry.name.rstrip("0123456789")
        if name != entry.name:
            if name not in numbered:
                numbered.add(name)
                rows.append((code(f"{name}N"), code(str(entry.type)), entry.doc.replace(" 0 ", " N ")))
        elif entry.doc[:1].isupper():
            type = "" if entry.type is None else code(str(entry.type))
            rows.append((code(entry.name, *entry.aliases), type, entry.doc))
    return table(("built-in", "type", "value"), rows)


def functions() -> str:
    rows = [(code(*entry.usage), entry.doc) for entry in sorted(FUNCTIONS.values(), key=lambda e: e.name)]
    return table(("function", "meaning"), rows)


def aggregations() -> str:
    return table(
        ("aggregation", "meaning"), [(code(entry.signature), entry.doc) for entry in AGGREGATIONS.values()]
    )


def settings() -> str:
    rows = []
    for name, setting in SETTINGS.items():
        if setting.deprecated:
            continue
        default = str(setting.default).lower() if isinstance(setting.default, bool) else setting.default
        choices = f" ({', '.join(map(str, setting.choices))})" if setting.choices else ""
        effect = f"; {setting.effect}" if setting.effect else ""
        rows.append((code(name), code(str(default)), f"{setting.doc}{choices}{effect}"))
    return table(("setting", "default", "meaning"), rows)


def errors() -> str:
    def stage(page: str) -> str:
        found = re.search(r"^Stage: (.*)$", page, re.MULTILINE)
        return found.group(1) if found else ""

    rows = [(code(name), stage(explain(name)), title(name)) for name in code_names()]
    return table(("code", "stage", "meaning"), rows)


PAGES = {
    "1-language": "The language reference",
    "2-library": "The standard library reference",
    "3-command": "The manual page",
    "4-tutorial": "The one-liner tutorial",
}
_STATUS = {"works": "works", "differs": "differs", "missing": "not here"}


def conformance() -> str:
    """Each row is a case of tests/conformance, where it is run."""

    def row(case: Case) -> tuple[str, str, str]:
        remark = f": {case.remark}" if case.remark else ""
        if case.status == "works" and (refused := re.match(r"error\[([\w-]+)\]", "".join(case.errors))):
            remark = f": refused as `{refused[1]}`"
        return case.name, code(case.shown), _STATUS[case.status] + remark

    cases = read_folder(ROOT / "tests" / "conformance")
    numbers = []
    parts = []
    for page, heading in PAGES.items():
        rows = [case for case in cases if case.page == page]
        numbers.append((heading, *(sum(case.status == status for case in rows) for status in _STATUS)))
        parts.append(f"## {heading}\n")
        for section in dict.fromkeys(case.section for case in rows):
            chosen = [row(case) for case in rows if case.section == section]
            parts.append(f"### {section}\n\n" + table(("feature", "example", "here"), chosen))
    return "\n".join([table(("", *_STATUS.values()), numbers), *parts])


def kernels() -> str:
    """One row per program; errors are told below the table; what was not run is left empty."""
    columns = kernel_matrix.read()
    told: list[str] = []

    def cell(why: str | None) -> str:
        if not why:
            return "" if why is None else "works"
        if why not in told:
            told.append(why)
        return f"[{told.index(why) + 1}]"

    rows = [
        (code(case.probe), *(cell(column["probes"].get(case.probe)) for column in columns.values()))
        for case in kernel_matrix.CASES
    ]
    releases = ", ".join(f"`{column['release']}`" for column in columns.values())
    notes = "\n".join(f"{number}. {why}" for number, why in enumerate(told, 1))
    return f"{table(('probe', *columns), rows)}\n{notes}\n\nThe kernels were {releases}.\n"


def kernel_features() -> str:
    columns = kernel_matrix.read()
    rows = []
    for feature in FEATURES.values():
        found = [column["features"].get(feature.name) for column in columns.values()]
        cells = ["" if works is None else "yes" if works else "no" for works in found]
        rows.append((feature.title, *cells, feature.instead))
    return table(("", *columns, "without it"), rows)


def fields_of_events() -> str:
    """Those of one family together; the reason stands where a plain host lacks one."""
    rows = []
    for entry in FIELDS.values():
        known = f"no: {entry.missing}" if entry.missing else "yes" if entry.constant is None else ""
        rows.append(
            (code(entry.name), entry.type, entry.argument, known or f"always `{entry.constant}`", entry.doc)
        )
    return table(("field", "type", "argument", "known", "meaning"), rows)


def default_rules() -> str:
    """By tactic, which is the file that a rule stands in."""
    sources = [decode(name, Path(name).read_bytes()) for name in default_rule_files()]
    rows = []
    for checked in check_rules(sources).rules:
        rule = checked.rule
        tactic = Path(rule.span.source.name).stem.replace("_", " ")
        techniques = ", ".join(tag for tag in rule.tags if tag.startswith("T"))
        rows.append((tactic, rule.name, techniques, rule.priority, rule.desc.replace("|", "\\|")))
    return table(("tactic", "rule", "ATT&CK", "priority", "what and why"), rows)


def sinks() -> str:
    """One row per setting, under its kind."""
    rows: list[tuple[str, str, str]] = []
    for kind in map(kind_named, SINK_KINDS):
        rows.append((f"**`{kind.name}`**", "", kind.doc))
        for setting in kind.settings:
            default = (
                "needed"
                if setting.needed
                else ""
                if setting.default in (None, {})
                else f"`{setting.default}`"
            )
            rows.append((code(setting.name), default, setting.doc))
    return table(("key", "default", "meaning"), rows)


def sigma_fields() -> str:
    """One row per field of Sigma and what it is here, with the log sources where that is so."""
    found: dict[tuple[str, str], list[str]] = {}
    origins = [(code(name), origin.fields) for name, origin in SIGMA_SOURCES.items()]
    origins += [(f"auditd's {code(name)}", origin.fields) for name, origin in SIGMA_RECORDS.items()]
    for name, fields in origins:
        for field, places in fields.items():
            shown = ", ".join(code(place if isinstance(place, str) else place.field) for place in places)
            found.setdefault((code(field), shown), []).append(name)
    rows = [(field, shown, ", ".join(names)) for (field, shown), names in found.items()]
    return table(("Sigma", "here", "in"), rows)


def reactions() -> str:
    """One row per setting, under its kind."""
    rows: list[tuple[str, str, str]] = []
    for kind in reaction_kinds().values():
        rows.append((f"**`{kind.name}`**{' !' if kind.enforces else ''}", "", kind.doc))
        for setting in kind.settings:
            known = "" if setting.default in (None, {}) else f"`{_shown(setting.default)}`"
            rows.append((code(setting.name), "needed" if setting.needed else known, setting.doc))
    return table(("key", "default", "meaning"), rows)


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:g} s" if isinstance(value, float) else f"{value}"


def service_configuration() -> str:
    return f"```yaml\n{service_defaults()}```\n"


def command_help(name: str) -> str:
    return f"```text\n{command_named(name).help()}```\n"


PARTS: dict[str, Callable[[], str]] = {
    "probes": probes,
    "builtins": builtins,
    "functions": functions,
    "aggregations": aggregations,
    "settings": settings,
    "errors": errors,
    "fields of events": fields_of_events,
    "default rules": default_rules,
    "sinks": sinks,
    "sigma fields": sigma_fields,
    "reactions": reactions,
    "service configuration": service_configuration,
    "conformance": conformance,
    "kernels": kernels,
    "kernel features": kernel_features,
} | {f"help {name}": (lambda name=name: command_help(name)) for name in all_command_names()}


def filled(text: str) -> str:
    """A page with its generated parts made anew."""
    return _PART.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]()}\n{part[3]}", text)


def pages() -> list[Path]:
    return sorted(DOCS.glob("*.md"))


def stale() -> list[str]:
    """The names of pages that differ from what the tables give."""
    return [page.name for page in pages() if filled(page.read_text()) != page.read_text()]


def main(arguments: list[str]) -> int:
    if "--check" in arguments:
        names = stale()
        if names:
            print(f"not as the tables have it: {', '.join(names)}; `make docs` writes them anew")
        return 1 if names else 0
    for page in pages():
        page.write_text(filled(page.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
