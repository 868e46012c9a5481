"""Programs on kernel functions: one perf event of the source `kprobe` per place, or one link for many functions.

Source of the layouts: ``struct perf_event_attr`` in include/uapi/linux/perf_event.h (config1 is `kprobe_func`, config2
`probe_offset` or `kprobe_addr`), the `kprobe_multi` part of ``union bpf_attr`` in include/uapi/linux/bpf.h, and
Documentation/ABI/testing/sysfs-bus-event_source-devices-format.
"""

import errno
from struct import pack

from kernscope.kernel.errors import AttachError
from kernscope.kernel.facts import online_cpus
from kernscope.kernel.link import Link, link_create
from kernscope.kernel.perf import attach_event, perf_event_open
from kernscope.kernel.program import Program
from kernscope.kernel.syscall import Buffer
from kernscope.tables.bpf import KPROBE_MULTI_RETURN, AttachType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["attach_kprobe", "attach_kprobe_multi", "event_source"]

_SOURCES = "/sys/bus/event_source/devices"

_KPROBE_HINTS = {
    errno.ENOENT: "the kernel has no such symbol: the compiler may have inlined the function",
    errno.EADDRNOTAVAIL: "several functions have this name: give the address of one, `kprobe:0x…`",
    errno.EINVAL: "the kernel allows no probe at this place",
    errno.EILSEQ: "an instruction begins elsewhere: the offset must be that of one",
    errno.ENOTSUP: "the kernel allows no probe at this place",
}
_MULTI_HINTS = {
    errno.ESRCH: "the kernel has no such function that can be traced: it may be inlined, or excluded from tracing",
    errno.EINVAL: "the kernel cannot trace this function",
    errno.ENOENT: "the kernel cannot trace this function",
}


def event_source(name: str) -> tuple[int, int]:
    """A dynamic event source's `type`, and the bit of `config` that asks for the return of the function.

    Raises:
        AttachError: this kernel has no such source.
    """
    try:
        with open(f"{_SOURCES}/{name}/type", encoding="ascii") as file:
            number = int(file.read())
        with open(f"{_SOURCES}/{name}/format/retprobe", encoding="ascii") as file:
            bit = int(file.read().strip().removeprefix("config:"))
    except (OSError, ValueError):
        raise AttachError(
            errno.EOPNOTSUPP, "perf_event_open", name, f"this kernel has no `{name}` events"
        ) from None
    return number, bit


def attach_kprobe(
    program: Program, function: str, place: int, *, at_return: bool = False, cookie: int = 0
) -> Link:
    """`program` on one instruction: `place` bytes into `function`, or the address `place` where that is empty.

    Raises:
        AttachError: the kernel allows no probe there.
    """
    type, return_bit = event_source("kprobe")
    target = f"{function}+{place}" if function and place else function or f"{place:#x}"
    name = Buffer(function.encode("utf-8", "surrogateescape") + b"\0")
    try:
        event = perf_event_open(
            type,
            1 << return_bit if at_return else 0,
            config1=name.address if function else 0,
            config2=place,
            period=1,
            cpu=online_cpus()[0],
            target=target,
        )
    except AttachError as error:
        raise error.explained(_KPROBE_HINTS) from None
    return attach_event(program, event, target, cookie=cookie, is_tracepoint=True)


def attach_kprobe_multi(
    program: Program,
    functions: "Sequence[str]",
    addresses: "Sequence[int]" = (),
    *,
    at_return: bool = False,
    cookies: "Sequence[int]" = (),
) -> Link:
    """`program` on the entry, or the return, of many functions: all of them or none.

    Args:
        addresses: of the functions, where names are not enough; `functions` are then for messages only.
        cookies: one per function, for bpf_get_attach_cookie().

    Raises:
        AttachError: one of the functions, the kernel does not say which, cannot be traced.
    """
    count = len(functions)
    if addresses:
        symbols, places = None, Buffer(pack(f"={count}Q", *addresses))
    else:
        encoded = [name.encode("utf-8", "surrogateescape") + b"\0" for name in functions]
        symbols = Buffer(b"".join(encoded))
        at, pointers = symbols.address, []
        for name in encoded:
            pointers.append(at)
            at += len(name)
        places = Buffer(pack(f"={count}Q", *pointers))
    numbers = Buffer(pack(f"={count}Q", *cookies)) if cookies else None
    extra = pack(
        "=IIQQQ",
        KPROBE_MULTI_RETURN if at_return else 0,
        count,
        0 if addresses else places.address,
        places.address if addresses else 0,
        numbers.address if numbers is not None else 0,
    )
    target = functions[0] if count == 1 else f"{functions[0]} and {count - 1} others"
    try:
        return link_create(program, 0, AttachType.TRACE_KPROBE_MULTI, extra=extra, target=target)
    except AttachError as error:
        raise error.explained(_MULTI_HINTS) from None
