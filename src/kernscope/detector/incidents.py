"""Incidents: the alerts of one process tree belong together, and what repeats is counted.

**Which tree.** From a process upwards to the topmost ancestor that is below what starts sessions and services: pid 1,
sshd, cron, `systemd --user`, a terminal multiplexer, a container's runtime. So all that a login shell does is one
incident, and so is all that a service and its children do. What starts sessions counts as such only where all
its ancestors do too: a process deeper in the tree cannot begin a new incident by calling itself `sshd`. A process that
let its parent die keeps its incident where it, or an ancestor it still has, was part of an alert before.

Processes are told apart by pid and start, so that a reused pid mixes nothing. Starts that differ by less than a few
clock ticks are the same: /proc has them in ticks, events in nanoseconds. All tables are bounded; what was used
longest ago leaves first.
"""

from __future__ import annotations

import re
from collections import OrderedDict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kernscope.detector.alert import Alert

__all__ = ["SESSION_STARTERS", "Incidents", "Placed", "grows", "starts_sessions", "tree_root"]

QUIET_NS = 24 * 3600 * 10**9
"""A tree that raised nothing for that long begins a new incident."""
REPEAT_NS = 3600 * 10**9
"""An alert that was not repeated for that long is shown anew."""
MOST_SHOWN = 50
"""Different alerts of one rule in one incident that are shown one by one; then at growing intervals."""
MOST_KEPT = 1000
"""Different alerts of one rule in one incident that are kept one by one; then they are only counted."""

SESSION_STARTERS = frozenset(
    # the first process, and what watches over services
    "init systemd openrc-run runit runsvdir runsv s6-svscan s6-supervise supervisord tini dumb-init docker-init "
    # logins
    "sshd sshd-session sshd-auth dropbear telnetd in.telnetd mosh-server login agetty getty xrdp-sesman inetd xinetd "
    # jobs
    "cron crond CRON fcron atd "
    # containers
    "containerd containerd-shim containerd-shim-runc-v2 dockerd conmon crio "
    # terminals and desktops
    "tmux screen SCREEN gnome-terminal-server konsole xterm gdm gdm3 gdm-session-worker gdm-x-session "
    "gdm-wayland-session gnome-session-binary gnome-shell lightdm sddm sddm-helper plasmashell kwin_wayland "
    "xfce4-session".split()
)
"""Names of executables. The kernel's own names have at most 15 characters."""
_CUT = frozenset(name[:15] for name in SESSION_STARTERS)
Key = tuple[int, str, int | None]

SAME_START_NS = 50_000_000
"""Less than any reuse of a pid takes."""


class Placed:
    """Where an alert belongs.

    Attributes:
        incident: the number of its incident.
        number: its own; that of the first where it is a repetition.
        repeated: whether one with the same rule and the same values came before, in the same incident.
        count: how often it came, this time included.
        shown: whether it is to be shown: the first, then the 10th, the 100th, …
    """

    __slots__ = ("count", "incident", "number", "repeated", "shown")

    def __init__(self, incident: int, number: int, repeated: bool, count: int, shown: bool) -> None:
        self.incident, self.number, self.repeated, self.count = incident, number, repeated, count
        self.shown = shown


class _Tree:
    __slots__ = ("incident", "last_ns", "rules")

    def __init__(self, incident: int, last_ns: int) -> None:
        self.incident, self.last_ns = incident, last_ns
        self.rules: dict[str, int] = {}  # different alerts of each rule


class _Kept:
    """An alert that may come again."""

    __slots__ = ("alert", "count", "last_ns", "placed", "told")

    def __init__(self, alert: Alert, placed: Placed) -> None:
        self.alert, self.placed = alert, placed
        self.count = self.told = 1
        self.last_ns = alert.time_ns


class Incidents:
    """Places alerts, in their order. Times are those of the alerts.

    Args:
        first_incident, first_alert: the numbers to begin with; a store knows which are free.
        quiet_ns, repeat_ns: when an incident, and the repetition of an alert, is over.
        most: how many trees and repeated alerts are remembered.
    """

    def __init__(
        self,
        *,
        first_incident: int = 1,
        first_alert: int = 1,
        quiet_ns: int = QUIET_NS,
        repeat_ns: int = REPEAT_NS,
        most: int = 5000,
    ) -> None:
        self._incident, self._alert = first_incident, first_alert
        self._quiet_ns, self._repeat_ns, self._most = quiet_ns, repeat_ns, most
        self._members: OrderedDict[object, tuple[object, _Tree]] = OrderedDict()  # pid → start and incident
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._ended: list[_Kept] = []

    def restore(self, known: Iterable[tuple[int, object, object, int]]) -> None:
        """Incidents of before: number, the root's pid and start, and when the last alert came, oldest first."""
        for incident, pid, start_ns, last_ns in known:
            self._members[pid] = (start_ns, _Tree(incident, last_ns))

    def add(self, alert: Alert) -> Placed:
        """Where it belongs."""
        self._expire(alert.time_ns)
        tree = self._tree(alert)
        # Values may be long, and the interpreter's hash of them is one that nobody can foresee.
        key: Key = (tree.incident, alert.rule, hash(tuple(_values(alert))))
        kept = self._kept.get(key)
        if kept is None and tree.rules.get(alert.rule, 0) >= MOST_KEPT:
            key = (tree.incident, alert.rule, None)
            kept = self._kept.get(key)
        if kept is not None:
            return self._repeat(kept, key, alert)
        different = tree.rules[alert.rule] = tree.rules.get(alert.rule, 0) + 1
        shown = different <= MOST_SHOWN or grows(different)
        placed = Placed(tree.incident, self._alert, False, 1, shown)
        self._alert += 1
        self._kept[key] = _Kept(_slim(alert), placed)
        while len(self._kept) > self._most:
            self._end(self._kept.popitem(last=False)[1])
        return placed

    def ended(self) -> list[tuple[Alert, Placed]]:
        """Repetitions that are over, and whose count grew since it was shown: each as its first alert."""
        ended, self._ended = self._ended, []
        return [
            (kept.alert, Placed(kept.placed.incident, kept.placed.number, True, kept.count, True))
            for kept in ended
        ]

    def finish(self) -> list[tuple[Alert, Placed]]:
        """All repetitions are over."""
        for kept in self._kept.values():
            self._end(kept)
        self._kept.clear()
        return self.ended()

    def _repeat(self, kept: _Kept, key: Key, alert: Alert) -> Placed:
        kept.count += 1
        kept.last_ns = max(kept.last_ns, alert.time_ns)
        self._kept.move_to_end(key)
        shown = grows(kept.count)
        if shown:
            kept.told = kept.count
        return Placed(kept.placed.incident, kept.placed.number, True, kept.count, shown)

    def _tree(self, alert: Alert) -> _Tree:
        """The incident of the nearest known process, or a new one; all below the root are members then."""
        members = [(one.get("pid"), one.get("start_ns")) for one in _below_starters(alert.process)]
        if not members:
            members = [(f"no process: {alert.rule}", None)]
        tree = None
        for pid, start_ns in members:
            known_start, known = self._members.get(pid, (None, None))
            if known is None or not _same_start(start_ns, known_start):
                continue
            if alert.time_ns - known.last_ns <= self._quiet_ns:
                tree = known
                break
        if tree is None:
            tree = _Tree(self._incident, alert.time_ns)
            self._incident += 1
        tree.last_ns = max(tree.last_ns, alert.time_ns)
        for pid, start_ns in members:
            self._members[pid] = (start_ns, tree)
            self._members.move_to_end(pid)
        while len(self._members) > self._most * 4:
            self._members.popitem(last=False)
        return tree

    def _expire(self, now_ns: int) -> None:
        while self._kept:
            key, kept = next(iter(self._kept.items()))
            if now_ns - kept.last_ns <= self._repeat_ns:
                break
            del self._kept[key]
            self._end(kept)

    def _end(self, kept: _Kept) -> None:
        if kept.count > kept.told:
            self._ended.append(kept)


def tree_root(process: Sequence[dict[str, object]]) -> dict[str, object] | None:
    """The topmost process of an alert's ancestry that starts no sessions; None where nothing is known."""
    chain = _below_starters(process)
    return chain[-1] if chain else None


def grows(count: int) -> bool:
    """Whether it is 1, 10, 100, …"""
    while count >= 10 and count % 10 == 0:
        count //= 10
    return count == 1


def _below_starters(process: Sequence[dict[str, object]]) -> Sequence[dict[str, object]]:
    end = len(process)
    while end > 1 and _starts_sessions(process[end - 1]):
        end -= 1
    return process[:end]


def _same_start(one: object, other: object) -> bool:
    if isinstance(one, int) and isinstance(other, int):
        return abs(one - other) <= SAME_START_NS
    return one == other


def _starts_sessions(one: dict[str, object]) -> bool:
    return starts_sessions(one.get("pid"), one.get("exe"), one.get("name"))


def starts_sessions(pid: object, exe: object, name: object) -> bool:
    """Whether a process below which there are only such begins sessions, services or jobs of others."""
    if pid in (0, 1, 2):  # 2 is the parent of the kernel's own threads
        return True
    if isinstance(exe, str) and exe:
        return exe.rpartition("/")[2].removesuffix(" (deleted)") in SESSION_STARTERS
    return isinstance(name, str) and name.partition(":")[0] in _CUT


def _slim(alert: Alert) -> Alert:
    """What is needed to show how often it came."""
    from kernscope.detector.alert import Alert

    return Alert(
        alert.rule,
        alert.priority,
        alert.tags,
        alert.output[:1000],
        time_ns=alert.time_ns,
        time=alert.time,
        event=alert.event,
    )


_VOLATILE = re.compile(
    r"evt\.(time|datetime|rawtime|reltime|deltatime|latency|wait_latency)\b.*|evt\.(num|cpu|args|info|buflen|rawres)"
    r"|.*\.(v?pid|v?tid|duration|ts)|proc\.(a|p|v|sid|pg|spg)*(pid|id|sid|pgid)(\[.*\])?|proc\.apid\.ts.*"
    r"|fd\.(num|uid|cport|lport)|proc\.(fd\w+|vm\w+|nthreads|nchilds)|(thread|rule|anomaly|window|watch)\..*"
)
"""Fields that tell one occurrence from another, and not what happens."""
_stable: dict[str, bool] = {}


def _values(alert: Alert) -> list[object]:
    """What makes it another alert: the values that the output shows, without those that always differ."""
    values: list[object] = []
    for name in alert.shown or alert.fields:
        stable = _stable.get(name)
        if stable is None:
            if len(_stable) > 5000:
                _stable.clear()
            stable = _stable[name] = _VOLATILE.fullmatch(name) is None
        if not stable:
            continue
        value = alert.fields.get(name)
        if isinstance(value, str):
            value = value[:4096]
            if "->" in value:  # a client's port is another one each time
                value = re.sub(r":\d+->", "->", value)
        values.append((name, value if isinstance(value, str | int | float) else repr(value)[:4096]))
    return values
