"""The name the user may have meant."""

from __future__ import annotations

TYPE_CHECKING = False  # collections.abc costs 2 ms to import; checkers take the name for true
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["edit_distance", "suggest"]


def edit_distance(left: str, right: str, limit: int) -> int:
    """Insertions, deletions, replacements and swaps of neighbours between two strings.

    The optimal string alignment distance; anything above `limit` may come back as `limit + 1`.
    """
    if abs(len(left) - len(right)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        before, last, row = row, before, [i]
        for j, b in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
    return row[-1]


def suggest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like `name`, or None where none is alike enough to be a slip of the fingers.

    Case differences count less than letters: `PID` finds `pid`. One edit is allowed per three characters.
    """
    limit = max(1, len(name) // 3)
    lowered = name.lower()
    best: str | None = None
    best_distance = limit + 1
    for candidate in candidates:
        if candidate == name:
            continue
        distance = edit_distance(lowered, candidate.lower(), min(limit, best_distance))
        if distance < best_distance and distance < len(name):
            best, best_distance = candidate, distance
            if distance == 0:
                break
    return best
