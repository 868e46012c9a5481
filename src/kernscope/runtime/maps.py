"""The program's maps as Python mappings."""

__all__ = ["MapView"]


class MapView:
    """One map of the program."""
