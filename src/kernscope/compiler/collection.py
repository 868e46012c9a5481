"""Compiling without the cyclic garbage collector: it would go through the whole growing program again and again.

What a compilation leaves behind is collected later, with everything else.
"""

import gc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

__all__ = ["without_collection"]


def without_collection(function: "Callable[P, R]") -> "Callable[P, R]":
    """The function, with the collector paused while it runs."""

    def paused(*args: "Any", **kwargs: "Any") -> "R":
        if not gc.isenabled():
            return function(*args, **kwargs)
        gc.disable()
        try:
            return function(*args, **kwargs)
        finally:
            gc.enable()

    paused.__doc__, paused.__name__ = function.__doc__, function.__name__
    return paused
