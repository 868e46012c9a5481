"""Damaged copies of a file's bytes, for readers that must not be led astray by any."""

import random

__all__ = ["damaged"]


def damaged(content: bytes, chance: random.Random) -> bytes:
    """With some bytes changed, cut off somewhere, or with a piece of 0xff or of zeros. `content` is not empty."""
    made = bytearray(content)
    at = chance.randrange(len(made))
    match chance.randrange(4):
        case 0:
            for _ in range(chance.randrange(1, 10)):
                made[chance.randrange(len(made))] = chance.randrange(256)
        case 1:
            del made[at:]
        case how:
            made[at : at + 16] = (b"\xff" if how == 2 else b"\0") * len(made[at : at + 16])
    return bytes(made)
