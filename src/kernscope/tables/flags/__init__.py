"""Flag sets and enumerations of system-call arguments: `find("open_flags").decode(0x80000)`."""

from kernscope.tables.flags.decoding import FlagSet, Names

__all__ = ["FlagSet", "Names", "find", "names"]

_sets: dict[str, FlagSet | Names] = {}


def _load() -> dict[str, FlagSet | Names]:
    if not _sets:
        # Only who decodes arguments needs the tables, so they are not imported with this package.
        from kernscope.tables.flags import files, memory, network, processes, system

        for module in (files, memory, network, processes, system):
            _sets.update(module.SETS)
    return _sets


def find(name: str) -> FlagSet | Names:
    """The set called `name`; KeyError if there is none."""
    return _load()[name]


def names() -> tuple[str, ...]:
    """The names of all sets."""
    return tuple(_load())
