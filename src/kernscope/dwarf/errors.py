"""What is raised for debug information that cannot be read."""

__all__ = ["DwarfError"]


class DwarfError(ValueError):
    """The debug information is damaged, or of a kind that is not read here."""
