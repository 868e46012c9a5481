"""`profile offcpu`: how long threads are not running, by the stack with which they stopped, and what they waited for.

At `sched_switch` the thread that stops is still current, so that its stacks can be taken; what it waits for is told by
its state and by the kernel functions it is in. The time ends when it runs again. A thread that was only displaced by
another one, or has been woken and waits for a processor, waits for the run queue: that is counted apart from blocking.

The waker is the thread that is current at `sched_waking`; its stack goes above that of the one that waited, behind a
mark.
"""

from __future__ import annotations

from kernscope.profiler.modes.base import CONFIG, Mode, Options, add
from kernscope.profiler.profile import WOKEN_BY, Frame, Profile
from kernscope.selection import slashed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernscope.profiler.modes.base import Maps
    from kernscope.profiler.stacks import Stacks

__all__ = ["MODE", "cause"]

_QUEUED = Frame("[waiting for a processor]", "mark")
_TASK_DEAD = 0x80
"""include/linux/sched.h: it will not run again, and its id may become another thread's."""

CAUSES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("[page fault]", ("exc_page_fault", "handle_mm_fault", "do_user_addr_fault", "filemap_fault")),
    (
        "[disk]",
        ("io_schedule", "blk_", "submit_bio", "folio_wait_bit", "wait_on_page_bit", "jbd2_", "ext4_", "xfs_"),
    ),
    (
        "[lock]",
        ("futex_wait", "do_futex", "__mutex_lock", "rwsem_down", "down_read", "down_write", "rt_mutex"),
    ),
    ("[sleep]", ("hrtimer_nanosleep", "do_nanosleep", "schedule_hrtimeout", "msleep", "usleep_range")),
    (
        "[network]",
        ("sk_wait_data", "inet_csk_accept", "tcp_", "udp_", "unix_stream", "unix_dgram", "sock_", "skb_"),
    ),
    ("[pipe]", ("pipe_read", "pipe_write", "anon_pipe_read", "anon_pipe_write", "wait_for_partner")),
    ("[waiting for several files]", ("ep_poll", "do_epoll_wait", "do_poll", "do_select", "do_sys_poll")),
    ("[child process]", ("do_wait", "kernel_wait4", "kernel_waitid")),
    ("[terminal]", ("n_tty_read", "tty_")),
    ("[signal]", ("do_signal_stop", "do_sigtimedwait", "sigsuspend")),
)
"""What a thread waits for → how the kernel functions begin that tell it; the one nearest to the leaf decides."""


_SCHEDULER = frozenset(
    "__schedule schedule schedule_preempt_disabled preempt_schedule_irq preempt_schedule_common "
    "__cond_resched schedule_timeout".split()
)
"""What every thread that stops is in: it tells nothing."""


def _without(functions: frozenset[str], frames: list[Frame]) -> list[Frame]:
    """Without those kernel functions at the leaf."""
    while frames and frames[-1].kind == "kernel" and frames[-1].name in functions:
        frames.pop()
    return frames


def _waiting(stacks: Stacks, key: tuple[object, ...]) -> list[Frame]:
    """The stack of a thread that stopped, by its key in the maps, without what every thread that stops is in."""
    pid, _, _, kernel, user = key
    assert isinstance(pid, int)
    return _without(_SCHEDULER, stacks.frames(pid, str(kernel), str(user)))


def _with_cause(frames: list[Frame]) -> list[Frame]:
    """The stack, and what is waited for as a mark, where its functions tell."""
    reason = cause([frame.name for frame in reversed(frames) if frame.kind == "kernel"])
    return [*frames, Frame(reason, "mark")] if reason else frames


def cause(kernel: list[str]) -> str:
    """What a thread waits for, by the kernel functions of its stack, the leaf first; empty where none tells it."""
    for function in kernel:
        for name, beginnings in CAUSES:
            if function.startswith(beginnings):
                return name
    return ""


_INTERRUPTS = (
    "asm_sysvec_",
    "sysvec_",
    "asm_common_interrupt",
    "common_interrupt",
    "__irq_exit_rcu",
    "do_IRQ",
)


def wakers_frames(stacks: Stacks, waker: tuple[object, ...]) -> list[Frame]:
    """What lies above a thread that waits: a mark that says who ended it, and the waker's stack, the leaf first.

    A thread that was interrupted by a device or a timer had nothing to do with it: what it did is left out.
    """
    pid, comm, kernel, user = waker
    assert isinstance(pid, int)
    if not str(kernel).strip() and not str(user).strip():
        return [Frame(f"{WOKEN_BY}someone unseen]", "mark")]
    frames = _without(_WAKING, stacks.frames(pid, str(kernel), str(user)))
    for at, frame in enumerate(frames):
        if frame.kind == "kernel" and frame.name.startswith(_INTERRUPTS):
            return [Frame(f"{WOKEN_BY}an interrupt]", "mark"), *reversed(frames[at:])]
    return [Frame(f"{WOKEN_BY}{comm} {pid}]", "mark"), *reversed(frames)]


_WAKING = frozenset("try_to_wake_up default_wake_function wake_up_process wake_up_state wake_up_q".split())
"""What every waking goes through."""


class _OffCpu(Mode):
    name = "offcpu"
    unit = "nanoseconds"
    has_timeline = True
    nothing = (
        "no thread that counts began to wait meanwhile: it runs all the time (`kernscope profile cpu`), or has been "
        "waiting since before the start"
    )

    def program(self, options: Options) -> str:
        chosen = options.filter
        alive = f"(args.prev_state & {_TASK_DEAD}) == 0"
        conditions = slashed("tid != 0", alive, chosen.predicate())
        longer = f"$blocked + $queued >= {options.minimum_ns}"
        key, waker = "@stopped[$next]", ""
        if options.wakers:
            # what came before is of the waiting before: a waker that was not seen must not be an old one
            key += ", @waker[$next]"
            waker = " @waker[$woken] = (pid, comm, kstack(raw), ustack(raw));"
        return (
            CONFIG + chosen.clauses() + f"rawtracepoint:sched_switch {conditions}{{\n"
            # its coming back was not seen, which happens: it had been woken by then at the latest
            "    $missed = @since[tid];\n"
            "    if ($missed != 0 && @ready[tid] > $missed) {\n"
            f"        {_blocked(options, key.replace('$next', 'tid'), '@ready[tid] - $missed', '$missed')}\n"
            "    }\n"
            "    @stopped[tid] = (pid, tid, comm, kstack(raw), ustack(raw));\n"
            # preempted: it could go on at once, if it had a processor
            "    $runs = args.preempt || args.prev_state == 0;\n"
            "    @since[tid] = nsecs;\n"
            "    @ready[tid] = $runs ? nsecs : (uint64)0;\n"
            "}\n"
            "rawtracepoint:sched_waking {\n"
            "    $woken = args.p->pid;\n"
            "    if (@since[$woken] != 0 && @ready[$woken] == 0) {\n"
            f"        @ready[$woken] = nsecs;{waker}\n"
            "    }\n"
            "}\n"
            "rawtracepoint:sched_switch {\n"
            "    $next = args.next->pid;\n"
            "    $since = @since[$next];\n"
            "    if ($since != 0) {\n"
            "        $ready = @ready[$next];\n"
            "        $queued = $ready != 0 ? nsecs - $ready : (uint64)0;\n"
            "        $blocked = nsecs - $since - $queued;\n"
            f"        if ({longer}) {{\n"
            f"            if ($blocked > 0) {{ {_blocked(options, key, '$blocked', '$since')} }}\n"
            f"            if ($queued > 0) {{ {_queued(options)} }}\n"
            "        }\n"
            "        delete(@since, $next);\n"
            "        delete(@ready, $next);\n"
            + ("        delete(@waker, $next);\n" if options.wakers else "")
            + "    }\n"
            "}\n"
            f"end {{ @ended = (nsecs, (uint64){options.minimum_ns}); }}\n"
        )

    def collect(self, maps: Maps, stacks: Stacks, profile: Profile) -> None:
        waits = dict(maps["@waits"])
        for key, ns in maps["@blocked"].items():
            assert isinstance(key, tuple) and isinstance(ns, int)
            count = waits.get(key, 1)
            who, *waker = key if isinstance(key[0], tuple) else (key,)
            frames = _blocked_frames(stacks, who, *waker)
            add(profile, profile.stack(frames), who, ns, count if isinstance(count, int) else 1)
        for key, ns in maps["@queued"].items():
            assert isinstance(key, tuple) and isinstance(ns, int)
            add(profile, profile.stack([*_waiting(stacks, key), _QUEUED]), key, ns)
        _collect_unfinished(maps, stacks, profile)

    def collect_records(
        self, records: Sequence[tuple[object, ...]], stacks: Stacks, profile: Profile
    ) -> None:
        known: dict[object, int] = {}  # the same stacks come again and again
        for began_ns, ns, what, who, *waker in records:
            assert isinstance(began_ns, int) and isinstance(ns, int) and isinstance(who, tuple)
            key = (what, who, *waker)
            if key not in known:
                queued = [*_waiting(stacks, who), _QUEUED]
                known[key] = profile.stack(
                    _blocked_frames(stacks, who, *waker) if what == _WAITED else queued
                )
            add(profile, known[key], who, ns, time_ns=stacks.realtime_ns(began_ns))


def _blocked_frames(stacks: Stacks, who: tuple[object, ...], waker: object = None) -> list[Frame]:
    """The stack of one that waited, and above it its waker's, where that is known."""
    woken_by = wakers_frames(stacks, waker) if isinstance(waker, tuple) else []
    return _with_cause(_waiting(stacks, who)) + woken_by


_WAITED, _STOOD = 0, 1
"""What a record is about: blocking, or the run queue."""


def _blocked(options: Options, key: str, ns: str, since: str) -> str:
    if options.timeline:
        return f"print((nsecs(boot) - (nsecs - {since}), {ns}, {_WAITED}, {key}));"
    return f"@blocked[{key}] = sum({ns}); @waits[{key}] = count();"


def _queued(options: Options) -> str:
    if options.timeline:
        return f"print((nsecs(boot) - $queued, $queued, {_STOOD}, @stopped[$next]));"
    return "@queued[@stopped[$next]] = sum($queued);"


def _collect_unfinished(maps: Maps, stacks: Stacks, profile: Profile) -> None:
    """At the end: the threads that have not come back, with the time up to now."""
    ended: list[tuple[int, int]] = list(maps["@ended"].values())  # type: ignore[arg-type]
    if not ended:
        return
    end_ns, minimum_ns = ended[0]
    stopped: dict[object, tuple[object, ...]] = dict(maps["@stopped"])  # type: ignore[arg-type]
    ready: dict[object, int] = dict(maps["@ready"])  # type: ignore[arg-type]
    since: dict[object, int] = dict(maps["@since"])  # type: ignore[arg-type]
    for tid, since_ns in since.items():
        if tid not in stopped or end_ns - since_ns < minimum_ns:
            continue
        key, ready_ns = stopped[tid], ready.get(tid, 0) or end_ns
        frames = _waiting(stacks, key)
        for marked, ns in (
            (_with_cause(frames), ready_ns - since_ns),
            ([*frames, _QUEUED], end_ns - ready_ns),
        ):
            if ns > 0:
                add(profile, profile.stack(marked), key, ns)


MODE = _OffCpu()
