"""From a number to the names a C programmer would write for it."""

__all__ = ["FlagSet", "Names"]


class FlagSet:
    """Names of bits, tried in order, so that a name for several bits stands before its parts.

    `field` is `(mask, {value: name})` for bits that hold an enumeration (`O_ACCMODE`); `zero` is the name
    of the value 0 where it has one.
    """

    __slots__ = ("bits", "field", "zero")

    def __init__(
        self,
        bits: dict[int, str],
        *,
        field: tuple[int, dict[int, str]] | None = None,
        zero: str = "0",
    ) -> None:
        self.bits, self.field, self.zero = bits, field, zero

    def decode(self, value: int) -> str:
        """`0x80042` → `O_RDWR|O_CREAT|O_CLOEXEC`; bits without a name are added in hexadecimal."""
        value &= 0xFFFF_FFFF_FFFF_FFFF if value > 0xFFFF_FFFF else 0xFFFF_FFFF
        parts = []
        if self.field is not None:
            mask, names = self.field
            name = names.get(value & mask)
            if name is not None:
                parts.append(name)
                value &= ~mask
        for bit, name in self.bits.items():
            if value & bit == bit:
                parts.append(name)
                value &= ~bit
                if not value:
                    break
        if value:
            parts.append(hex(value))
        return "|".join(parts) or self.zero


class Names:
    """Names of values that exclude each other."""

    __slots__ = ("names",)

    def __init__(self, names: dict[int, str]) -> None:
        self.names = names

    def decode(self, value: int) -> str:
        """The value's name, or the number: decimal if small, else hexadecimal."""
        name = self.names.get(value)
        if name is None:
            low = value & 0xFFFF_FFFF
            name = self.names.get(low) or self.names.get(low - (1 << 32))
        if name is not None:
            return name
        return str(value) if -4096 < value < 4096 else hex(value & 0xFFFF_FFFF_FFFF_FFFF)
