"""How often something may happen: at most so many times within a time."""

from __future__ import annotations

import time
from collections import deque

__all__ = ["RateCap"]


class RateCap:
    """`count` times within `seconds`; `refused` counts what was too much."""

    def __init__(self, count: int, seconds: float) -> None:
        self.count, self.seconds = count, seconds
        self.refused = 0
        self._times: deque[float] = deque()

    def take(self) -> bool:
        """Whether it may happen now."""
        now = time.monotonic()
        while self._times and self._times[0] <= now - self.seconds:
            self._times.popleft()
        if len(self._times) >= self.count:
            self.refused += 1
            return False
        self._times.append(now)
        return True
