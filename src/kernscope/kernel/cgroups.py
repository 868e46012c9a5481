"""Control groups by their ids: cgroups(7). An id is the inode number of the group's folder (kernfs)."""

import os

__all__ = ["cgroup_folder", "cgroup_id", "cgroup_paths"]

_ROOT = "/sys/fs/cgroup"


def cgroup_id(path: str) -> int | None:
    """The id of the version-2 group whose folder is `path`; None if that is no such folder."""
    if not os.path.exists(os.path.join(path, "cgroup.controllers")):
        return None
    return os.stat(path).st_ino


def cgroup_folder(path: str) -> str | None:
    """The folder of a version-2 group: `path` itself, or what it is below where the groups are mounted."""
    if cgroup_id(path) is not None:
        return path
    mounts = [where for name, where in _hierarchies() if name == "unified"]
    return next((found for where in mounts if cgroup_id(found := where + path.rstrip("/")) is not None), None)


def _hierarchies() -> list[tuple[str, str]]:
    """(name, mount point) of what is mounted: `unified` is version 2, the others have the names of their folders."""
    found = []
    with open("/proc/self/mounts", "rb", buffering=0) as file:
        for line in file.read().decode("utf-8", "surrogateescape").splitlines():
            _, where, kind = line.split(" ")[:3]
            if where == _ROOT or where.startswith(_ROOT + "/"):
                if kind == "cgroup2":
                    found.append(("unified", where))
                elif kind == "cgroup":
                    found.append((where.rpartition("/")[2], where))
    return sorted(found, key=lambda entry: (entry[0] != "unified", entry[0]))


def _find(folder: str, id: int) -> str | None:
    """The folder with inode number `id`, at or below `folder`."""
    pending = [folder]
    while pending:
        at = pending.pop()
        try:
            if os.stat(at).st_ino == id:
                return at
            with os.scandir(at) as entries:
                pending += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            continue  # removed meanwhile
    return None


def cgroup_paths(id: int, pattern: str) -> str:
    """``unified:/a/b,pids:/a``: the folders with this id in the hierarchies whose names match; empty if none."""
    from fnmatch import fnmatchcase

    parts = []
    try:
        hierarchies = _hierarchies()
    except OSError:
        return ""
    for name, where in hierarchies:
        if fnmatchcase(name, pattern) and (found := _find(where, id)) is not None:
            parts.append(f"{name}:{found[len(where) :] or '/'}")
    return ",".join(parts)
