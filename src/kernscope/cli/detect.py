"""`kernscope detect`: intrusion detection by rules. Each of its subcommands is the module `detect_NAME`."""

from kernscope.cli.command import Group

__all__ = ["COMMAND"]

COMMAND = Group(
    "detect",
    "Intrusion detection by rules in Falco's language.",
    {
        "run": "watch this host by rules, and show alerts",
        "alerts": "the alerts that were stored: a list, one with all that is known, incidents",
        "tune": "exceptions proposed from the stored alerts",
        "check": "what becomes of each rule on this kind of machine, and every error with its place",
        "test": "the alerts that rules give for events that were recorded",
    },
    examples=[
        ("check rules.yaml local.yaml", "which rules can fire here, and what is wrong with the others"),
        ("test rules.yaml --events attack.jsonl", "the alerts for a recording"),
    ],
)
