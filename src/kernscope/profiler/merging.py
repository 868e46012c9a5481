"""Several profiles of one kind as one."""

from __future__ import annotations

from kernscope.profiler.profile import Profile, Sample

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["merge"]


def merge(profiles: Sequence[Profile]) -> Profile:
    """The sum of profiles that count the same: equal samples become one, those with a time of their own stay.

    Raises ValueError where there is none, or their units differ. Tables, which are text, are only kept of a single one.
    """
    if not profiles:
        raise ValueError("nothing to merge")
    first = profiles[0]
    for other in profiles:
        if (other.mode, other.unit) != (first.mode, first.unit):
            raise ValueError(
                f"{first.mode} in {first.unit} and {other.mode} in {other.unit} cannot be added up"
            )
    whole = Profile(first.mode, first.unit, period_ns=first.period_ns, command=first.command)
    whole.start_ns = min(profile.start_ns for profile in profiles)
    whole.duration_ns = sum(profile.duration_ns for profile in profiles)
    whole.lost = sum(profile.lost for profile in profiles)
    whole.lines = any(profile.lines for profile in profiles)
    known: dict[object, Sample] = {}
    for profile in profiles:
        _add(whole, profile, known)
        whole.notes += [note for note in profile.notes if note not in whole.notes]
    if len(profiles) == 1:
        whole.tables = list(first.tables)
    if len({profile.period_ns for profile in profiles}) > 1:
        whole.notes.append("some of it was sampled at another rate: shares are not those of time")
    return whole


def _add(whole: Profile, profile: Profile, known: dict[object, Sample]) -> None:
    numbers = [whole.stack([profile.frames[number] for number in stack]) for stack in profile.stacks]
    for sample in profile.samples:
        stack = numbers[sample.stack]
        labels = tuple(sorted(sample.labels.items()))
        key = (stack, sample.pid, sample.tid, sample.comm, labels)
        before = None if sample.time_ns else known.get(key)
        if before is not None:
            before.value += sample.value
            before.count += sample.count
            continue
        added = Sample(
            stack,
            sample.pid,
            sample.tid,
            sample.comm,
            sample.value,
            sample.count,
            sample.time_ns,
            dict(sample.labels),
        )
        whole.add(added)
        if not sample.time_ns:
            known[key] = added
