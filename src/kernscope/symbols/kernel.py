"""Kernel addresses."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kernscope.kernel.kallsyms import Kallsyms

__all__ = ["KernelSymbols"]


class KernelSymbols:
    """`read` gives the table; it is called when the first address is looked up, after programs were loaded, for
    their code is in it too.
    """

    def __init__(self, read: "Callable[[], Kallsyms]") -> None:
        self._read = read
        self._table: Kallsyms | None = None
        self._known: dict[int, tuple[str, int] | None] = {}

    def lookup(self, address: int) -> tuple[str, int] | None:
        """(function, offset into it), or None for an address that is not in the kernel."""
        if address in self._known:
            return self._known[address]
        if self._table is None:
            self._table = self._read()
        found = self._known[address] = self._table.lookup(address)
        return found
