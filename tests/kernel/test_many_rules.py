"""Hundreds of rules: the verifier accepts what becomes of them."""

import random
from pathlib import Path

from command_line import kernscope, needs_tracing

pytestmark = needs_tracing


def test_three_hundred_rules_are_watched_for(tmp_path: Path) -> None:
    rng = random.Random(300)

    def name() -> str:
        return "".join(rng.choice("abcdefghij") for _ in range(rng.randint(4, 14)))

    rules = []
    for number in range(300):
        condition = (
            f"evt.type in (open, openat) and (fd.name in (/etc/{name()}, /opt/{name()}/{name()}) or "
            f"fd.name startswith /home/{name()} or fd.name endswith .{name()}) "
            f"and not proc.name in ({name()}, {name()})"
        )
        rules.append(
            f"- rule: r{number}\n  desc: d\n  output: '%fd.name'\n  priority: notice\n  condition: >\n    {condition}\n"
        )
    file = tmp_path / "rules.yaml"
    file.write_text("".join(rules))
    done = kernscope("detect", "run", "--no-store", "--duration", "1", str(file), timeout=120)
    assert done.returncode == 0 and "watching by 300 rules" in done.stderr, done.stderr
