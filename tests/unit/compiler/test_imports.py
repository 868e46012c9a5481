"""Imports, from files that are a dictionary."""

from collections.abc import Callable

import pytest

from kernscope.compiler.imports import with_imports
from kernscope.diagnostics import CompileError, Source, root_span
from kernscope.syntax import parse


def _files(content: dict[str, str]) -> Callable[[str], list[tuple[str, bytes]]]:
    def files(path: str) -> list[tuple[str, bytes]]:
        found = [(n, t.encode()) for n, t in sorted(content.items()) if n == path or n.startswith(path + "/")]
        if not found:
            raise FileNotFoundError(2, "No such file or directory", path)
        return found

    return files


def _probes(text: str, content: dict[str, str], name: str = "<command line>") -> list[str]:
    whole = with_imports(parse(Source(name, text)), _files(content))
    return [probe.attach_points[0].text for probe in whole.probes]


def test_imported_probes_come_first_each_file_once() -> None:
    content = {
        "lib/b.bt": 'import "c.bt"; interval:s:2 { }',
        "lib/c.bt": 'import "b.bt"; interval:s:1 { }',
    }
    text = 'import "lib/b.bt"; import "lib/c.bt"; interval:s:3 { }'
    assert _probes(text, content) == ["interval:s:1", "interval:s:2", "interval:s:3"]


def test_paths_are_relative_to_the_importing_file() -> None:
    content = {"/opt/tools/one.bt": "interval:s:1 { }"}
    assert _probes('import "one.bt"; end { }', content, "/opt/tools/main.bt") == ["interval:s:1", "end"]


def test_a_folder_is_all_its_programs() -> None:
    content = {"d/1.bt": "macro one() { 1 }", "d/2.bt": "macro two() { 2 }"}
    whole = with_imports(parse(Source("x", 'import "d"; end { }')), _files(content))
    assert [macro.name for macro in whole.macros] == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "content", "message"),
    [
        ('import "no.bt"; end { }', {}, "no such file or directory"),
        ('import "x.o"; end { }', {"x.o": ""}, "cannot be imported"),
        ('import "c.bt"; end { }', {"c.bt": "config = { max_strlen = 10; }"}, "settings can only be made"),
        ('import "c.bt"; end { }', {"c.bt": "end { print(1 +; }"}, "expected an expression"),
    ],
)
def test_what_cannot_be_imported(text: str, content: dict[str, str], message: str) -> None:
    with pytest.raises(CompileError) as caught:
        with_imports(parse(Source("<command line>", text)), _files(content))
    (finding,) = caught.value.diagnostics
    assert message in finding.message


def test_places_in_imported_files_lead_back_to_the_import() -> None:
    text = 'import "a.bt"; end { }'
    content = {"a.bt": 'import "b.bt";', "b.bt": "interval:s:1 { }"}
    whole = with_imports(parse(Source("<command line>", text)), _files(content))
    place = root_span(whole.probes[0].span)
    assert (place.source.name, place.text) == ("<command line>", 'import "a.bt"')
