"""Structures of the system-call interface, from bytes to text. Layouts: include/uapi/linux, 64-bit, little
endian."""

from struct import Struct

from kernscope.tables.flags import find

__all__ = ["STRUCTURES", "quoted", "quoted_bytes", "sockaddr", "wait_status"]

_TWO_LONGS = Struct("<qq")
_FOUR_LONGS = Struct("<qqqq")
_TWO_INTS = Struct("<ii")
_INT = Struct("<i")
_LONG = Struct("<q")
_ULONG = Struct("<Q")
_TWO_ULONGS = Struct("<QQ")
_OPEN_HOW = Struct("<QQQ")
_EPOLL_EVENT = Struct("<IQ")

BINARY_BYTES = 16
"""How much of a buffer is shown that is not text: a hexadecimal byte takes four columns."""

_RLIM_INFINITY = (1 << 64) - 1

_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\", "\0": "\\0"}


def quoted(text: str, *, cut: bool = False) -> str:
    """A C-like literal. Bytes that are not UTF-8, and characters that are not printable, become `\\xNN`,
    `\\uNNNN`.

    `cut` says that there was more.
    """
    if not text.isprintable() or '"' in text or "\\" in text:
        text = "".join([c if c.isprintable() and c not in '"\\' else _escaped(c) for c in text])
    return f'"{text}"...' if cut else f'"{text}"'


def _escaped(c: str) -> str:
    known = _ESCAPES.get(c)
    if known is not None:
        return known
    code = ord(c)
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape
        return f"\\x{code - 0xDC00:02x}"
    if code < 0xA0:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def quoted_bytes(data: bytes, *, cut: bool = False) -> str:
    """Bytes that are mostly text as `quoted` text, others as `\\xNN` throughout, and fewer of them."""
    text = data.decode("utf-8", "surrogateescape")
    odd = sum(1 for c in text if not c.isprintable() and c not in "\n\t\r")
    if odd * 4 > len(text):
        cut = cut or len(data) > BINARY_BYTES
        body = "".join([f"\\x{byte:02x}" for byte in data[:BINARY_BYTES]])
        return f'"{body}"...' if cut else f'"{body}"'
    return quoted(text, cut=cut)


def _timespec(data: bytes) -> str:
    seconds, ns = _TWO_LONGS.unpack(data)
    return f"{{{seconds}.{ns:09d}s}}"


def _timeval(data: bytes) -> str:
    seconds, us = _TWO_LONGS.unpack(data)
    return f"{{{seconds}.{us:06d}s}}"


def _itimerspec(data: bytes) -> str:
    interval_s, interval_ns, value_s, value_ns = _FOUR_LONGS.unpack(data)
    return f"{{interval={interval_s}.{interval_ns:09d}s, value={value_s}.{value_ns:09d}s}}"


def _itimerval(data: bytes) -> str:
    interval_s, interval_us, value_s, value_us = _FOUR_LONGS.unpack(data)
    return f"{{interval={interval_s}.{interval_us:06d}s, value={value_s}.{value_us:06d}s}}"


def _limit(value: int) -> str:
    if value == _RLIM_INFINITY:
        return "RLIM_INFINITY"
    return f"{value // 1024}*1024" if value >= 4096 and value % 1024 == 0 else str(value)


def _rlimit(data: bytes) -> str:
    soft, hard = _TWO_ULONGS.unpack(data)
    return f"{{cur={_limit(soft)}, max={_limit(hard)}}}"


def _sigset(data: bytes) -> str:
    (bits,) = _ULONG.unpack(data)
    if bits == (1 << 64) - 1:
        return "~[]"
    inverted = bits.bit_count() > 32
    if inverted:
        bits ^= (1 << 64) - 1
    signals = find("signal")
    names = [_signal(signals.decode(n)) for n in range(1, 65) if bits >> (n - 1) & 1]
    return ("~[" if inverted else "[") + " ".join(names) + "]"


def _signal(name: str) -> str:
    return name.removeprefix("SIG") if name.startswith("SIG") else f"RT_{int(name) - 32}"


def _cpu_mask(data: bytes) -> str:
    (bits,) = _ULONG.unpack(data)
    cpus = [n for n in range(64) if bits >> n & 1]
    ranges: list[list[int]] = []
    for cpu in cpus:
        if ranges and ranges[-1][1] == cpu - 1:
            ranges[-1][1] = cpu
        else:
            ranges.append([cpu, cpu])
    return "[" + ",".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges) + "]"


def _fdpair(data: bytes) -> str:
    first, second = _TWO_INTS.unpack(data)
    return f"[{first}, {second}]"


def _offset(data: bytes) -> str:
    return f"[{_LONG.unpack(data)[0]}]"


def _int(data: bytes) -> str:
    return f"[{_INT.unpack(data)[0]}]"


def _open_how(data: bytes) -> str:
    flags, mode, resolve = _OPEN_HOW.unpack(data)
    parts = [f"flags={find('open_flags').decode(flags)}"]
    if mode:
        parts.append(f"mode=0{mode:o}")
    if resolve:
        parts.append(f"resolve={find('resolve_flags').decode(resolve)}")
    return "{" + ", ".join(parts) + "}"


def _clone_args(data: bytes) -> str:
    return "{flags=" + find("clone_flags").decode(_ULONG.unpack(data)[0]) + ", ...}"


def _epoll_event(data: bytes) -> str:
    events, value = _EPOLL_EVENT.unpack(data)
    return f"{{events={find('epoll_events').decode(events)}, data={value:#x}}}"


def wait_status(status: int) -> str:
    """A status of wait(2): how a process ended or stopped."""
    status &= 0xFFFF_FFFF
    if status == 0xFFFF:
        return "continued"
    low = status & 0x7F
    if low == 0:
        return f"exited {status >> 8 & 0xFF}"
    signals = find("signal")
    if status & 0xFF == 0x7F:
        return f"stopped {signals.decode(status >> 8 & 0xFF)}"
    return f"killed {signals.decode(low)}" + (" core dumped" if status & 0x80 else "")


def _wait_status(data: bytes) -> str:
    return f"[{wait_status(_INT.unpack(data)[0])}]"


STRUCTURES = {
    "timespec": _timespec,
    "timeval": _timeval,
    "itimerspec": _itimerspec,
    "itimerval": _itimerval,
    "rlimit": _rlimit,
    "sigset": _sigset,
    "cpu_mask": _cpu_mask,
    "fdpair": _fdpair,
    "offset_ptr": _offset,
    "int_ptr": _int,
    "open_how": _open_how,
    "clone_args": _clone_args,
    "epoll_event": _epoll_event,
    "wait_status": _wait_status,
}
"""Kind → function from exactly `calls.POINTED_BYTES[kind]` bytes to text."""


def _unix(data: bytes) -> str:
    path = data[2:]
    if not path or not path.strip(b"\0"):
        return "unnamed"
    if path[0] == 0:  # an abstract name; its length is the address's
        return "@" + quoted(path[1:].rstrip(b"\0").decode("utf-8", "surrogateescape"))
    return quoted(path.split(b"\0", 1)[0].decode("utf-8", "surrogateescape"))


def _inet(data: bytes) -> str:
    if len(data) < 8:
        return ""
    return f"{'.'.join(map(str, data[4:8]))}:{int.from_bytes(data[2:4])}"


def _inet6(data: bytes) -> str:
    if len(data) < 24:
        return ""
    from ipaddress import IPv6Address

    text = f"[{IPv6Address(data[8:24])}]:{int.from_bytes(data[2:4])}"
    scope = int.from_bytes(data[24:28], "little")
    return text.replace("]", f"%{scope}]") if scope else text


def _netlink(data: bytes) -> str:
    return f"pid={int.from_bytes(data[4:8], 'little')}, groups={int.from_bytes(data[8:12], 'little'):#x}"


def _packet(data: bytes) -> str:
    index = int.from_bytes(data[4:8], "little", signed=True)
    return f"protocol={int.from_bytes(data[2:4]):#06x}, ifindex={index}"


def _vsock(data: bytes) -> str:
    return f"cid={int.from_bytes(data[8:12], 'little')}, port={int.from_bytes(data[4:8], 'little')}"


_FAMILIES = {1: _unix, 2: _inet, 10: _inet6, 16: _netlink, 17: _packet, 40: _vsock}


def sockaddr(data: bytes) -> str:
    """A socket address: `{AF_INET 127.0.0.1:80}`, `{AF_UNIX "/run/x"}`, `{AF_UNIX @"abstract"}`, …"""
    if len(data) < 2:
        return "{}"
    family = int.from_bytes(data[:2], "little")
    name = find("address_family").decode(family)
    decode = _FAMILIES.get(family)
    text = decode(data) if decode else ""
    return f"{{{name} {text}}}" if text else f"{{{name}}}"
