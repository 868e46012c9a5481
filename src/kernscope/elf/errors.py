"""What is raised for data that cannot be read."""

__all__ = ["ElfError"]


class ElfError(ValueError):
    """The data is no ELF file that can be read here."""
