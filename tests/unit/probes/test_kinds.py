"""The table of kinds."""

import subprocess
import sys
from importlib import import_module

import pytest

import kernscope.probes as probes


@pytest.mark.parametrize("module", probes._MODULES)
def test_the_table_has_the_providers_of_each_file(module: str) -> None:
    loaded = import_module(f"kernscope.probes.{module}")
    assert probes._MODULES[module].split() == [name for kind in loaded.KINDS for name in kind.providers]
    servers = [kind.providers[0] for kind in getattr(loaded, "SERVERS", ())]
    assert probes._SERVERS.get(module, "").split() == servers


def test_every_provider_selects_its_kind() -> None:
    for kind in probes.KINDS:
        for provider in kind.providers:
            assert probes.kind_named(provider) is kind
    assert probes.kind_named("nosuch") is None


def test_programs_load_the_kinds_that_they_name() -> None:
    code = (
        "import sys; from kernscope.probes import kind_named; kind_named('begin');"
        "print(*sorted(m for m in sys.modules if m.startswith('kernscope.probes.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["kernscope.probes.base", "kernscope.probes.lifecycle"]
