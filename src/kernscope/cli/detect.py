"""`kernscope detect`: intrusion detection by rules. Each of its subcommands is the module `detect_NAME`."""

from kernscope.cli.command import Group

__all__ = ["COMMAND"]

COMMAND = Group(
    "detect",
    "Intrusion detection by rules in Falco's language.",
    {
        "run": "watch this host by rules, and show alerts",
        "learn": "what executables usually do here, for scores of what is unusual",
        "alerts": "the alerts that were stored: a list, one with all that is known, incidents",
        "tune": "exceptions proposed from the stored alerts",
        "config": "the service's configuration: its defaults, or whether a file is right",
        "unit": "a systemd unit for it",
        "check": "what becomes of each rule on this kind of machine, and every error with its place",
        "explain": "what the kernel decides of a rule, what is left, and the program",
        "record": "write down the events that rules are about",
        "test": "the alerts that rules give for events that were recorded",
    },
    examples=[
        ("run", "watch by the default rules, until Ctrl-C"),
        ("check rules.yaml local.yaml", "which rules can fire here, and what is wrong with the others"),
        ("test rules.yaml --events attack.jsonl", "the alerts for a recording"),
    ],
)
