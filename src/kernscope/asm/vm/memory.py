"""The machine's 64-bit address space: regions of bytes, every access checked.

What the machine itself hands out (stack frames, context, map values, ring-buffer records) are regions at a
multiple of 2**32 with bit 63 set, as kernel addresses have it, so the upper half of an address finds its
region in one dictionary look-up and no overrun of one can reach another. Memory that a test supplies at
addresses of its own choice ("outside" memory, of the kernel or of a user process) is searched in a list.
"""

__all__ = ["MASK64", "AddressSpace", "OutsideMemory", "Region", "VmFault"]

MASK64 = 0xFFFFFFFFFFFFFFFF
_LOW = 0xFFFFFFFF
_FIRST_REGION = 0x80000000


class VmFault(Exception):
    """The program did what the kernel's verifier would have refused, or what the machine does not know.

    pc: slot of the instruction, -1 outside of one.
    reason: what was wrong, as a clause.
    """

    def __init__(self, reason: str, pc: int = -1) -> None:
        super().__init__(reason, pc)
        self.reason = reason
        self.pc = pc

    def __str__(self) -> str:
        return f"instruction {self.pc}: {self.reason}" if self.pc >= 0 else self.reason


class Region:
    """Bytes that a program may reach. `base` is 0 until the region is placed in an address space.

    aligned: refuse accesses that are not aligned to their size, as the verifier does on the stack.
    """

    __slots__ = ("aligned", "base", "data", "name", "size", "writable")

    def __init__(self, name: str, data: bytearray, writable: bool = True, aligned: bool = False) -> None:
        self.name = name
        self.data = data
        self.size = len(data)
        self.writable = writable
        self.aligned = aligned
        self.base = 0


class OutsideMemory:
    """Read-only memory at an address chosen by a test; `user` says whose address space it stands for."""

    __slots__ = ("address", "data", "user")

    def __init__(self, address: int, data: bytes, user: bool) -> None:
        self.address = address
        self.data = data
        self.user = user


class AddressSpace:
    """Where regions are, and checked bulk access for helpers."""

    __slots__ = ("_next", "casts", "outside", "regions")

    def __init__(self, outside: list[OutsideMemory]) -> None:
        self.regions: dict[int, Region] = {}
        self.outside = outside
        self.casts: set[int] = set()
        """Addresses of unknown origin that the program may load from: where nothing is, a load gives 0."""
        self._next = _FIRST_REGION

    def address_of(self, region: Region) -> int:
        """The region's first address; places it if it has none here (maps outlive a machine)."""
        if self.regions.get(region.base >> 32) is not region:
            region.base = self._next << 32
            self.regions[self._next] = region
            # Every second one, so that an address just before a region is in none.
            self._next += 2
        return region.base

    def remove(self, region: Region) -> None:
        """Forget a region: later accesses through its address fault."""
        del self.regions[region.base >> 32]

    def region_at(self, address: int, size: int, write: bool = False) -> tuple[Region, int]:
        """The region that holds `size` bytes at an address, and the offset in it. VmFault if none does."""
        region = self.regions.get(address >> 32)
        if region is None:
            above = self.regions.get((address >> 32) + 1)
            if above is None:
                raise VmFault(f"access of {size} bytes at {address:#x}, where nothing is")
            raise VmFault(f"access of {size} bytes at {above.name}{address - above.base:+}, before its start")
        at = address & _LOW
        if at + size > region.size:
            raise VmFault(f"access of {size} bytes at {region.name}{at:+}, which has {region.size} bytes")
        if write and not region.writable:
            raise VmFault(f"write to {region.name}, which is read-only")
        return region, at

    def read(self, address: int, size: int) -> bytes:
        """Bytes that a program passes to a helper."""
        region, at = self.region_at(address, size)
        return bytes(region.data[at : at + size])

    def write(self, address: int, data: bytes) -> None:
        """Bytes that a helper hands to a program."""
        region, at = self.region_at(address, len(data), write=True)
        region.data[at : at + len(data)] = data

    def fault_for(self, address: int, size: int, write: bool) -> VmFault:
        """The reason why a direct access was refused, for the fast paths that only know that it was."""
        try:
            region, at = self.region_at(address & MASK64, size, write)
        except VmFault as fault:
            return fault
        return VmFault(f"misaligned access of {size} bytes at {region.name}{at:+}")

    def load_outside(self, address: int, size: int, pointer: int) -> bytes:
        """A direct load from kernel memory that a test supplied (a BTF pointer's target)."""
        data = self.peek(address & MASK64, size, user=False)
        if data is None and pointer in self.casts:
            return bytes(size)
        if data is None:
            raise self.fault_for(address, size, write=False)
        return data

    def peek(self, address: int, size: int, user: bool) -> bytes | None:
        """What the probe_read helpers see: bytes of either address space, None where nothing is mapped."""
        if not user:
            region = self.regions.get(address >> 32)
            if region is not None:
                at = address & _LOW
                return bytes(region.data[at : at + size]) if at + size <= region.size else None
        for memory in self.outside:
            at = address - memory.address
            if memory.user == user and at >= 0 and at + size <= len(memory.data):
                return memory.data[at : at + size]
        return None

    def peek_string(self, address: int, limit: int, user: bool) -> bytes | None:
        """At most `limit` bytes up to and without a NUL; None when unmapped memory comes before either."""
        for length in (limit, *self._mapped_after(address, limit, user)):
            data = self.peek(address, length, user)
            if data is not None and (length == limit or b"\0" in data):
                return data.partition(b"\0")[0]
        return None

    def _mapped_after(self, address: int, limit: int, user: bool) -> list[int]:
        """How many bytes follow an address in each piece of memory that has it, where less than `limit`."""
        ends = [memory.address + len(memory.data) for memory in self.outside if memory.user == user]
        region = None if user else self.regions.get(address >> 32)
        if region is not None:
            ends.append(region.base + region.size)
        return [end - address for end in ends if 0 < end - address < limit]
