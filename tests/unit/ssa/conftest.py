"""Tests here use the generator of `tests/fuzz`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "fuzz"))
