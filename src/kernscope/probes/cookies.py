"""Programs of many probes: the event's attach cookie, which the kernel keeps for each place, says which it is."""

from collections.abc import Sequence

from kernscope.tables.helpers import HELPER_IDS

from .base import EventReader, ProbeKind, Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.ssa import Value

__all__ = ["CookieKind", "in_order"]


class CookieKind(ProbeKind):
    """Base of the kinds whose cookies hold the place of the event's target among those of the program, `in_order`."""

    cookie_mask = 0
    """The bits of a cookie that hold it; 0: all of them."""

    def number(self, names: list[str], targets: Sequence[Target]) -> dict[str, int]:
        return super().number(names, in_order(targets))

    def probe_number(
        self, reader: EventReader, event: object, targets: Sequence[Target], numbers: dict[str, int]
    ) -> "Value":
        if len(numbers) == 1:
            return super().probe_number(reader, event, targets, numbers)
        from kernscope.ssa import Cond  # attaching a compiled program needs no compiler

        b = reader.builder
        number = b.call(HELPER_IDS["get_attach_cookie"], reader.context, pure=True)
        if self.cookie_mask:
            number = b.and_(number, self.cookie_mask)
        # The verifier knows nothing of cookies, and the number may be an index.
        number = b.select(b.cmp(Cond.ULT, number, len(numbers)), number, 0)
        return b.add(number, min(numbers.values()))


def in_order(targets: Sequence[Target]) -> list[Target]:
    """The targets of a program as `CookieKind.number` numbers them."""
    return sorted(targets, key=lambda target: target.name)
