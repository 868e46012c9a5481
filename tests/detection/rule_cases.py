"""What a table of cases is: for each rule, recordings in which it must fire, and some in which no rule may fire."""

from made_events import Recording

__all__ = ["Cases"]

Cases = dict[str, tuple[list[Recording], list[Recording]]]
