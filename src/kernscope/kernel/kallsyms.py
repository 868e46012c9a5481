"""Kernel symbols from /proc/kallsyms: address → symbol and back, parsed when first asked.

Format (proc(5)): ``address type name [module]``, one per line, mostly but not wholly sorted. Without
CAP_SYSLOG, or with kernel.kptr_restrict=2, all addresses read as zero.
"""

from array import array
from bisect import bisect_right

from kernscope.kernel.errors import NotSupportedError

__all__ = ["Kallsyms", "content", "find_address", "read_kallsyms"]


class Kallsyms:
    """Symbols of the kernel and its modules. Parsing 200,000 lines takes some 100 ms, once."""

    __slots__ = ("_addresses", "_by_name", "_modules", "_names")

    def __init__(self, text: str) -> None:
        entries: list[tuple[int, str]] = []
        self._modules: dict[str, str] = {}
        for line in text.splitlines():
            address, _, rest = line.partition(" ")
            kind, _, name = rest.partition(" ")
            # Absolute symbols (a, A) are per-CPU offsets and constants, not addresses.
            if kind in "aA" or not name:
                continue
            if name[-1] == "]":
                name, _, module = name.partition("\t")
                self._modules[name] = module.strip("[] ")
            entries.append((int(address, 16), name))
        entries.sort(key=lambda entry: entry[0])
        self._addresses = array("Q", [address for address, _ in entries])
        self._names = [name for _, name in entries]
        self._by_name: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self._names)

    @property
    def hidden(self) -> bool:
        """Whether the kernel hid the addresses from us."""
        return not self._addresses or self._addresses[-1] == 0

    def lookup(self, address: int) -> tuple[str, int] | None:
        """(symbol, offset into it) of the last symbol at or below `address`; of aliases the first listed."""
        index = bisect_right(self._addresses, address) - 1
        if index < 0 or not self._addresses[index]:
            return None
        start = self._addresses[index]
        while index and self._addresses[index - 1] == start:
            index -= 1
        return self._names[index], address - start

    def address(self, name: str) -> int | None:
        """Address of the first symbol called `name`, or None."""
        if self._by_name is None:
            self._by_name = dict(zip(reversed(self._names), reversed(self._addresses), strict=True))
        return self._by_name.get(name)

    def module(self, name: str) -> str:
        """The module `name` belongs to, or the empty string for the kernel itself."""
        return self._modules.get(name, "")

    def names(self) -> list[str]:
        """All names, by address."""
        return self._names


def read_kallsyms() -> Kallsyms:
    """Parse /proc/kallsyms. Raises NotSupportedError if it is missing or hides its addresses."""
    symbols = Kallsyms(content().decode("utf-8", "replace"))
    if symbols.hidden:
        raise _hidden()
    return symbols


def find_address(name: str, *, absolute: bool = False) -> int | None:
    """Address of the first symbol called `name`, without parsing all the others; None if there is none.

    `absolute`: also a symbol that is no address.

    Raises NotSupportedError if /proc/kallsyms is missing or hides its addresses.
    """
    text = content()
    wanted = name.encode("utf-8", "surrogateescape")
    at = -1
    while (at := text.find(b" " + wanted, at + 1)) >= 0:
        behind = text[at + 1 + len(wanted) : at + 2 + len(wanted)]
        line = text.rfind(b"\n", 0, at) + 1
        address, kind = text[line:at].split(b" ")[:2]
        if behind in (b"\n", b"\t", b"") and (absolute or kind not in b"aA"):
            if int(address, 16) == 0 and kind not in b"aA":
                raise _hidden()
            return int(address, 16)
    return None


def content() -> bytes:
    """All of /proc/kallsyms. Raises NotSupportedError if there is none."""
    try:
        with open("/proc/kallsyms", "rb", buffering=0) as file:
            return file.read()
    except OSError:
        raise NotSupportedError(
            "reading the kernel's symbols", "a kernel with CONFIG_KALLSYMS and a mounted /proc"
        ) from None


def _hidden() -> NotSupportedError:
    return NotSupportedError(
        "reading the kernel's symbols", "CAP_SYSLOG and sysctl kernel.kptr_restrict below 2"
    )
