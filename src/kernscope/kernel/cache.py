"""Small files kept between runs in the user's cache folder; trusted only if the user alone can write them."""

import os
import stat

__all__ = ["cache_folder", "drop_others", "keep_newest", "open_cached", "read_cached", "write_cached"]

_SUBFOLDER = "kernscope"
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def cache_folder(*, create: bool = False) -> str | None:
    """Our folder in $XDG_CACHE_HOME or ~/.cache, or None if there is none that is ours alone.

    Under `sudo` HOME may be another user's: then the home of the user we are, by the password file, is taken.
    """
    for base in _bases():
        folder = os.path.join(base, _SUBFOLDER)
        if create:
            try:
                os.makedirs(folder, mode=0o700, exist_ok=True)
            except OSError:
                continue
        if _is_ours(folder):
            return folder
    return None


def _bases() -> list[str]:
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(xdg):
        return [xdg]
    home = os.environ.get("HOME", "")
    try:
        if os.path.isabs(home) and os.stat(home).st_uid == os.geteuid():
            return [os.path.join(home, ".cache")]
    except OSError:
        pass
    try:
        import pwd

        home = pwd.getpwuid(os.geteuid()).pw_dir
    except (KeyError, ImportError):
        return []
    return [os.path.join(home, ".cache")] if os.path.isabs(home) else []


def _is_ours(path: str) -> bool:
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return False
    return (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid == os.geteuid()
        and not found.st_mode & _WRITABLE_BY_OTHERS
    )


def open_cached(name: str) -> int:
    """A descriptor of the cached file `name`, or -1. Files that others own or may write are ignored."""
    folder = cache_folder()
    if folder is None:
        return -1
    try:
        fd = os.open(os.path.join(folder, name), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return -1
    found = os.fstat(fd)
    if (
        stat.S_ISREG(found.st_mode)
        and found.st_uid == os.geteuid()
        and not found.st_mode & _WRITABLE_BY_OTHERS
    ):
        return fd
    os.close(fd)
    return -1


def read_cached(name: str) -> bytes | None:
    """The content of the cached file `name`, or None."""
    fd = open_cached(name)
    if fd < 0:
        return None
    with open(fd, "rb", buffering=0) as file:
        try:
            return file.read()
        except OSError:
            return None


def write_cached(name: str, content: bytes) -> bool:
    """Replace the cached file `name` in one step; False (and no harm) where that cannot be done."""
    folder = cache_folder(create=True)
    if folder is None:
        return False
    final = os.path.join(folder, name)
    temporary = f"{final}.{os.getpid()}.new"
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        return False
    try:
        with open(fd, "wb") as file:
            file.write(content)
        os.replace(temporary, final)
    except OSError:
        try:  # noqa: SIM105  (contextlib costs start-up time)
            os.unlink(temporary)
        except OSError:
            pass
        return False
    return True


def keep_newest(prefix: str, suffix: str, most: int) -> None:
    """Of our cached files with such names, remove those that were written longest ago, so that `most` are left."""
    folder = cache_folder()
    if folder is None:
        return
    try:
        names = [name for name in os.listdir(folder) if name.startswith(prefix) and name.endswith(suffix)]
        paths = [os.path.join(folder, name) for name in names]
        paths.sort(key=lambda path: os.stat(path).st_mtime_ns)
        for path in paths[:-most]:
            os.unlink(path)
    except OSError:
        pass  # another run cleans up too


def drop_others(prefix: str, keep: str) -> None:
    """Remove our cached files that start with `prefix`, except `keep`: those of earlier kernels and boots."""
    folder = cache_folder()
    if folder is None:
        return
    try:
        for entry in os.listdir(folder):
            if entry.startswith(prefix) and entry != keep:
                os.unlink(os.path.join(folder, entry))
    except OSError:
        pass
