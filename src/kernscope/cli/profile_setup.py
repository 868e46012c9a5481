"""What the command line of `kernscope profile` asks for, as a mode, its options and a session."""

import os

import kernscope
from kernscope.cli.options import Arguments, UsageError
from kernscope.cli.terminal import complain

__all__ = ["GRACE_S", "prepared", "start"]

GRACE_S = 1.0
"""A second Ctrl-C within this time is not an order to drop what was collected."""

_CGROUPS = "/sys/fs/cgroup"


def prepared(arguments: Arguments, name: str, *, timeline: bool) -> "kernscope.profiler.Options":
    """The options of the mode `name`. Raises UsageError for those that it does not take."""
    minimum_ns = _minimum_ns(arguments, name)
    if arguments.flag("wakers") and name != "offcpu":
        raise UsageError("`--wakers` tells who ended a waiting: it is for `profile offcpu`")
    if arguments.given("frequency") and name != "cpu":
        raise UsageError(f"`profile {name}` sees every event: `--frequency` is for `profile cpu`")
    if arguments.flag("malloc"):
        if name != "alloc":
            raise UsageError("`--malloc` is for `profile alloc`")
        if arguments.integer("pid") is None and not arguments.rest:
            raise UsageError(
                "`--malloc` slows down what it looks at: name one process with `-p`, or a command"
            )
    return kernscope.profiler.Options(
        _filter(arguments),
        frequency=arguments.integer("frequency") or 99,
        wakers=arguments.flag("wakers"),
        minimum_ns=minimum_ns,
        timeline=timeline,
        malloc=arguments.flag("malloc"),
        files=_files(arguments),
        lines=arguments.flag("lines"),
    )


_WITH_MINIMUM = ("offcpu", "syscalls", "io")


def _minimum_ns(arguments: Arguments, name: str) -> int:
    micros, minimum = arguments.integer("min_us"), arguments.integer("minimum")
    if micros is None and minimum is None:
        return 0
    if name not in _WITH_MINIMUM:
        raise UsageError(
            f"`profile {name}` measures no durations: a minimum is for {', '.join(_WITH_MINIMUM)}"
        )
    return micros * 1000 if micros is not None else minimum or 0


def _files(arguments: Arguments) -> tuple[str, ...]:
    """What has the functions of malloc's family."""
    if not arguments.rest:
        return ("*",)
    import shutil

    return kernscope.profiler.allocators_for(shutil.which(arguments.rest[0]) or "")


def _filter(arguments: Arguments) -> "kernscope.profiler.Filter":
    cgroup = arguments.text("cgroup")
    if cgroup and not os.path.isdir(cgroup):
        raise UsageError(f"there is no control group `{cgroup}`: give its folder, below {_CGROUPS}")
    if arguments.text("container"):
        if cgroup:
            raise UsageError("`--container` and `--cgroup` say the same: give one of them")
        cgroup = _cgroup_of(arguments.text("container"))
    try:
        return kernscope.profiler.Filter(
            comm=arguments.text("comm") or None,
            pid=arguments.integer("pid"),
            cgroup=cgroup,
            command=bool(arguments.rest),
        )
    except kernscope.profiler.FilterError as error:
        raise UsageError(str(error)) from None


_LEAST_ID = 6
"""Characters: fewer would fit too many names by chance."""


def _cgroup_of(container: str) -> str:
    """The folder of the control group whose name has a container's id in it, as docker, podman and containerd do."""
    if len(container) < _LEAST_ID or "/" in container:
        raise UsageError(f"`{container}` is no id of a container: give at least {_LEAST_ID} characters of it")
    found: set[str] = set()
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="surrogateescape") as file:
                lines = file.read().splitlines()
        except OSError:
            continue  # it has ended
        for line in lines:
            path = line.removeprefix("0::") if line.startswith("0::") else ""
            parts = path.split("/")
            for at, part in enumerate(parts):
                if container in part:
                    found.add("/".join(parts[: at + 1]))
                    break
    if not found:
        raise UsageError(f"no process runs in a control group whose name has `{container}` in it")
    if len(found) > 1:
        raise UsageError(f"`{container}` fits several control groups: {', '.join(sorted(found))}")
    return _CGROUPS + found.pop()


def start(collector: "kernscope.profiler.Collector", arguments: Arguments) -> "kernscope.Session":
    """The session of a collector's program, not started yet."""
    malloc_of_command = arguments.flag("malloc") and bool(arguments.rest)
    session = kernscope.run(
        collector.text,
        name=f"kernscope profile {collector.mode.name}",
        command=arguments.rest or None,
        pid=arguments.integer("pid"),
        only_pid=arguments.flag("malloc"),  # `*` stands for the files that it has mapped
        own_files=collector.options.files if malloc_of_command else (),
        duration=arguments.number("duration"),
        sinks=[collector.sink],
        print_maps=False,
    )
    if malloc_of_command and not session.bundle.config.get("own_files"):
        complain(
            "warning: only the command's own process is looked at, not what it starts: that needs mounts of its own, "
            "which are not allowed here"
        )
    return session
