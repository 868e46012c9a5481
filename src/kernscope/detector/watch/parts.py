"""What a record says of a system call besides its numbers: one class per kind of thing.

A part is text of our language that runs where the call returns, and what becomes of the values it prints. `$task` is
the running task, `$a0` … `$a5` the call's arguments, `$ret` its result. What the gate asks for is in variables that
`setup` sets; what only an alert shows is read in `values`, behind the gate.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from struct import unpack_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Address", "File", "Named", "Opened", "Part", "SocketOf", "Text", "join_path"]

PATH_BYTES = 512
"""Of a path that a record holds."""
TEXT_BYTES = 256
_S_IFMT, _S_IFSOCK = 0o170000, 0o140000
_FMODE_CREATED = 1 << 20
"""`f_mode` of a file that its opening made, linux/fs.h."""
_AT_FDCWD = -100
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
SOCKADDR_BYTES = 110
"""struct sockaddr_un, sys/un.h."""


class Part:
    """One part of a record.

    Attributes:
        setup: statements before the gate; they declare what `names` uses.
        before: statements between gate and record; they declare what `values` uses besides.
        values: expressions that are printed.
        names: what the gate may ask (see `gate.gate`) → expression.
        noted: whether it looks at the note of the call.
    """

    setup = before = ""
    values: tuple[str, ...] = ()
    names: dict[str, str] = {}
    noted = False

    def decode(self, values: Sequence[object], raw: dict[str, object]) -> None:
        """Add what the values mean to `raw`."""
        raise NotImplementedError


class File(Part):
    """An open file, by a descriptor: `fd` is an expression."""

    def __init__(self, fd: str) -> None:
        self.setup = f"""\
      $fd = (uint64)({fd}); $mode = (uint64)0; $path = "";
      if ($fd < (uint64)$task->files->fdt->max_fds) {{
        $file = $task->files->fdt->fd[$fd];
        $mode = (uint64)$file->f_inode->i_mode;
        $path = path($file->f_path, {PATH_BYTES});
      }}
"""
        file = "$task->files->fdt->fd[$fd]"
        self.values = (
            *("$path", "$mode", f"(uint64){file}->f_inode->i_ino", f"(uint64){file}->f_inode->i_sb->s_dev"),
            *(f"(uint64){file}->f_flags", f"(uint64){file}->f_inode->__i_nlink"),
        )
        self.names = {"path": "$path", "path_unknown": "0", "mode": "$mode"}

    def decode(self, values: Sequence[object], raw: dict[str, object]) -> None:
        raw["path"], raw["mode"], raw["inode"], raw["device"], raw["file_flags"], raw["links"] = values


class Named(Part):
    """A path as the call has it, and the directory that a relative one begins in.

    `directory` is the descriptor's expression; `key` is `path`, `source` or `target`. `note` is the place of what the
    kernel has found in the note of the call (see `noted`), where there is one; then that counts. `text`: it is not what
    was found, but text that the call has.
    """

    def __init__(
        self, path: str, directory: str, key: str = "path", *, note: int = 0, text: bool = False
    ) -> None:
        self.key, self._given, self._text, self.noted = key, (path, directory), text, note > 0
        raw, base, gate, true = f"$raw_{key}", f"$base_{key}", f"$whole_{key}", f"$true_{key}"
        self.setup = f"""\
      {raw} = str(uptr({path}), {PATH_BYTES}); {gate} = "";
      if (strncmp({raw}, "/", 1) == 0) {{ {gate} = {raw}; }}
"""
        if note:
            self.setup += f"""\
      {true} = "";
      if ($noted != 0) {{
        {true} = @noted[(uint64)$task].{note}; {gate} = "";
        if (strncmp({true}, "/", 1) == 0) {{ {gate} = {true}; }}
      }}
"""
        where = f"""\
if ((int32){directory} == {_AT_FDCWD}) {{ {base} = path($task->fs->pwd, {PATH_BYTES}); }}
      else if ({directory} < (uint64)$task->files->fdt->max_fds) {{
        {base} = path($task->files->fdt->fd[{directory}]->f_path, {PATH_BYTES});
      }}"""
        known = gate if note else raw
        self.before = f'      {base} = ""; if (strncmp({known}, "/", 1) != 0) {{ {where} }}\n'
        self.values = (base, raw, true) if note else (base, raw)
        # What is relative, or has to be cleaned up, is not known before user space has done that.
        unclean = f'strends({gate}, "/", "/.", "/..") || strcontains({gate}, "//", "/./", "/../")'
        self.names = {key: gate, f"{key}_unknown": f'strequals({gate}, "") || {unclean}'}

    def with_note(self, place: int, *, text: bool) -> Named:
        """The same, of a call that has notes."""
        return Named(*self._given, self.key, note=place, text=text)

    def decode(self, values: Sequence[object], raw: dict[str, object]) -> None:
        base, path = str(values[0]), str(values[1])
        true = str(values[2]) if len(values) > 2 else ""
        raw[f"{self.key}_raw"] = path
        # What was found is whole, or has lost its beginning.
        raw[self.key] = true if true and not self._text else join_path(base, true or path)


class Opened(Part):
    """What a call opened, by the descriptor that it returned; where it failed, the path that it was asked for."""

    def __init__(self, path: str, directory: str, flags: str) -> None:
        self._file, self._named = File("$ret"), Named(path, directory)
        self.setup = f"""\
      $flags = (uint64)({flags}); $raw_path = ""; $whole_path = "";
{self._file.setup}\
      if ($ret < 0) {{
        $raw_path = str(uptr({path}), {PATH_BYTES});
        if (strncmp($raw_path, "/", 1) == 0) {{ $path = $raw_path; }}
      }}
"""
        self.before = self._named.before.replace("if (strncmp", "if ($ret < 0 && strncmp", 1)
        file = "$task->files->fdt->fd[$fd]"
        self.values = (*self._file.values, "$flags", *self._named.values, f"(uint64){file}->f_mode")
        unknown = f"$ret < 0 && {self._named.names['path_unknown'].replace('$whole_path', '$path')}"
        self.names = {"path": "$path", "path_unknown": unknown, "mode": "$mode", "flags": "$flags"}

    def decode(self, values: Sequence[object], raw: dict[str, object]) -> None:
        self._file.decode(values[:6], raw)
        raw["flags"], raw["created"] = values[6], int(values[9]) & _FMODE_CREATED != 0  # type: ignore[call-overload]
        if not raw["path"] or not raw["mode"]:
            self._named.decode(values[7:9], raw)


class Text(Part):
    """A text in the caller's memory."""

    def __init__(self, pointer: str, key: str) -> None:
        self.key = key
        self.values = (f"str(uptr({pointer}), {TEXT_BYTES})",)

    def decode(self, values: Sequence[object], raw: dict[str, object]) -> None:
        raw.setdefault("texts", {})[self.key] = values[0]  # type: ignore[index]


class SocketOf(Part):
    """A socket, by its descriptor: both ends as the kernel knows them when the call returns."""

    def __init__(self, fd: str) -> None:
        self.setup = f"""\
      $fd = (uint64)({fd}); $mode = (uint64)0; $sk = (struct sock *)0;
      if ($fd < (uint64)$task->files->fdt->max_fds) {{
        $file = $task->files->fdt->fd[$fd];
        $mode = (uint64)$file->f_inode->i_mode;
        if (($mode & {_S_IFMT}) == {_S_IFSOCK}) {{ $sk = ((struct socket *)$file->private_data)->sk; }}
      }}
      $family = (uint64)$sk->__sk_common.skc_family; $protocol = (uint64)$sk->sk_protocol;
"""
        common = "$sk->__sk_common"
        v6 = [
            f"(uint64){common}.{end}.in6_u.u6_addr32[{n}]"
            for end in ("skc_v6_rcv_saddr", "skc_v6_daddr")
            for n in range(4)
        ]
        self.values = (
            *("$mode", "$family", "(uint64)$sk->sk_type", "$protocol", f"(uint64){common}.skc_num"),
            *(
                f"(uint64){common}.skc_dport",
                f"(uint64){common}.skc_rcv_saddr",
                f"(uint64){common}.skc_daddr",
            ),
            *v6,
        )
        self.names = {"mode": "$mode", "family": "$family", "protocol": "$protocol"}

    def decode(self, values: Sequence[object], raw: dict[str, object]) -> None:
        numbers = [int(value) for value in values]  # type: ignore[call-overload]
        mode, family, type, protocol, lport, rport, laddr, raddr, *v6 = numbers
        raw["mode"] = mode
        if mode & _S_IFMT != _S_IFSOCK:
            return
        raw["family"], raw["socket_type"], raw["protocol"] = family, type, protocol
        raw["lport"], raw["rport"] = lport, (rport & 0xFF) << 8 | rport >> 8
        if family == _AF_INET:
            raw["lip"], raw["rip"] = _ipv4(laddr), _ipv4(raddr)
        elif family == _AF_INET6:
            raw["lip"], raw["rip"] = _ipv6(v6[:4]), _ipv6(v6[4:])


def _ipv4(number: int) -> str:
    return str(IPv4Address(number.to_bytes(4, "little")))


def _ipv6(words: Sequence[int]) -> str:
    address = IPv6Address(b"".join(word.to_bytes(4, "little") for word in words))
    return str(address.ipv4_mapped or address)


class Address(Part):
    """An address that the caller gives: the other end of a connection, or the own one of bind(2)."""

    def __init__(self, pointer: str, length: str, *, own: bool = False) -> None:
        self.own = own
        self.setup = f"""\
      $sa_family = (uint64)*(uint16*)uptr({pointer}); $sa_port = (uint64)0; $sa_ip = (uint64)0;
      if ($sa_family == {_AF_INET} || $sa_family == {_AF_INET6}) {{
        $sa_port = (uint64)bswap(*(uint16*)uptr({pointer} + 2));
        if ($sa_family == {_AF_INET}) {{ $sa_ip = (uint64)bswap(*(uint32*)uptr({pointer} + 4)); }}
      }}
"""
        self.values = (f"buf(uptr({pointer}), (uint64){length} & 127)",)
        end = "l" if own else "r"
        self.names = {f"{end}port": "$sa_port", f"{end}ip": "$sa_ip"}
        if not own:
            self.names |= {"sport": "$sa_port", "sip": "$sa_ip"}
        # Without an address in memory the socket's own is recorded.
        families = {"ip": (_AF_UNIX, _AF_INET), "port": (_AF_UNIX, _AF_INET, _AF_INET6)}
        for key in tuple(self.names):
            of = " && ".join(f"$sa_family != {family}" for family in families[key[1:]])
            self.names[f"{key}_unknown"] = of

    def decode(self, values: Sequence[object], raw: dict[str, object]) -> None:
        data = values[0]
        if not isinstance(data, bytes) or len(data) < 2:
            return
        (family,) = unpack_from("<H", data)
        ip, port = "lip" if self.own else "rip", "lport" if self.own else "rport"
        if family == _AF_INET and len(data) >= 8:
            raw[port] = int.from_bytes(data[2:4], "big")
            raw[ip] = str(IPv4Address(data[4:8]))
        elif family == _AF_INET6 and len(data) >= 24:
            raw[port] = int.from_bytes(data[2:4], "big")
            address = IPv6Address(data[8:24])
            raw[ip] = str(address.ipv4_mapped or address)
        elif family == _AF_UNIX:
            path = data[2:SOCKADDR_BYTES]
            # An abstract name begins with NUL and is shown with @, as ss(8) does.
            abstract = path[:1] == b"\0"
            name = path.strip(b"\0") if abstract else path.split(b"\0", 1)[0]
            raw["path"] = ("@" if abstract and name else "") + name.decode("utf-8", "surrogateescape")
        raw.setdefault("family", family)


def join_path(base: str, path: str) -> str:
    """An absolute path without `.`, `..` and double slashes; "" where the base is not known."""
    if not path:
        return ""
    if not path.startswith("/"):
        if not base.startswith("/"):
            return ""
        path = f"{base}/{path}"
    if "//" not in path and "/." not in path:
        return path.rstrip("/") or "/"
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if parts:
                parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)
