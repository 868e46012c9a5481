"""Memory that was freed, given back to the system."""

from contextlib import suppress

__all__ = ["give_back_memory"]


def give_back_memory() -> None:
    """What Python has freed stays with the C library, which reuses it: a process that needed much once, for instance to
    compile, keeps it for ever. Does nothing where the C library has no malloc_trim(3).
    """
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
