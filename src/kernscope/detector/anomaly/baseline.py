"""What all executables usually do: bounded, and kept in a file.

The file is JSON with a version, written whole or not at all, for its owner alone. Everything in it is checked when it
is read: a file that is not what it should be is refused, never half used.
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from contextlib import suppress

from kernscope.detector.anomaly.model import MOST_GRAMS, Model
from kernscope.detector.private_files import open_private, private_folder, state_folder

__all__ = ["VERSION", "Baseline", "BaselineError", "baseline_path"]

VERSION = 1
MOST_EXECUTABLES = 2000
MOST_ALL_GRAMS = 100_000
_KEPT_DAYS = 60
"""Calls and runs of calls that did not come for so long are forgotten."""
_MOST_BYTES = 64 << 20


class BaselineError(Exception):
    """The file is no baseline; the message says why."""


def baseline_path() -> str:
    """Where it is kept by default."""
    return os.path.join(state_folder(), "baseline.json")


class Baseline:
    """Models of executables, the one that was used longest ago first.

    Attributes:
        forgotten: executables that had to leave.
    """

    def __init__(self, most: int = MOST_EXECUTABLES, most_grams: int = MOST_ALL_GRAMS) -> None:
        self.models: OrderedDict[str, Model] = OrderedDict()
        self._most, self._most_grams = most, most_grams
        self.grams = self.forgotten = 0

    def get(self, exe: str) -> Model | None:
        found = self.models.get(exe)
        if found is not None:
            self.models.move_to_end(exe)
        return found

    def of(self, exe: str) -> Model:
        """An executable's model, a new one where there is none."""
        found = self.get(exe)
        if found is None:
            found = self.models[exe] = Model()
            self._shrink()
        return found

    def learn_gram(self, exe: str, gram: int, day: int) -> None:
        model = self.of(exe)
        before = len(model.grams)
        model.learn_gram(gram, day)
        self.grams += len(model.grams) - before
        self._shrink()

    def _shrink(self) -> None:
        while self.models and (len(self.models) > self._most or self.grams > self._most_grams):
            _, model = self.models.popitem(last=False)
            self.grams -= len(model.grams)
            self.forgotten += 1

    def forget(self, today: int) -> None:
        """Leave out what did not come for long."""
        for exe, model in list(self.models.items()):
            if model.day < today - _KEPT_DAYS:
                del self.models[exe]
            else:
                model.forget(today - _KEPT_DAYS)
        self.grams = sum(len(model.grams) for model in self.models.values())

    # --- the file ------------------------------------------------------------------------------------------

    def encode(self) -> bytes:
        """The file's content."""
        models = {
            exe: {
                "windows": model.windows,
                "periods": model.periods,
                "day": model.day,
                "stats": {name: [round(v, 6) for v in stat] for name, stat in model.stats.items()},
                "shares": {str(number): round(share, 6) for number, share in model.shares.items()},
                "calls": {str(number): day for number, day in model.calls.items()},
                "grams": _by_day(model.grams),
            }
            for exe, model in self.models.items()
        }
        return json.dumps(
            {"kernscope_baseline": VERSION, "executables": models}, separators=(",", ":")
        ).encode()

    @classmethod
    def decode(cls, content: bytes) -> Baseline:
        """Raises BaselineError."""
        try:
            data = json.loads(content)
        except (ValueError, RecursionError):
            raise BaselineError("not JSON") from None
        if not isinstance(data, dict) or "kernscope_baseline" not in data:
            raise BaselineError("no baseline of kernscope")
        if data["kernscope_baseline"] != VERSION:
            raise BaselineError(
                f"of version {data['kernscope_baseline']!r}, and this kernscope reads {VERSION}"
            )
        baseline = cls()
        try:
            for exe, entry in data["executables"].items():
                baseline.models[exe] = _model(entry)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            raise BaselineError("damaged") from None
        baseline.grams = sum(len(model.grams) for model in baseline.models.values())
        baseline._shrink()
        return baseline

    def save(self, path: str, *, today: int = 0) -> None:
        """Write the file, whole or not at all, mode 0600; without what did not come for long before the day `today`.

        Raises UnsafePath, OSError.
        """
        if today:
            self.forget(today)
        private_folder(os.path.dirname(path))
        new = f"{path}.new"
        with suppress(FileNotFoundError):
            os.unlink(new)  # left by one that was killed
        fd = open_private(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(self.encode())
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, path)
        except BaseException:
            os.unlink(new)
            raise

    @classmethod
    def load(cls, path: str) -> Baseline:
        """Raises BaselineError, UnsafePath, OSError."""
        with os.fdopen(open_private(path, os.O_RDONLY), "rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise BaselineError(f"larger than {_MOST_BYTES >> 20} MiB")
        return cls.decode(content)


def _by_day(grams: dict[int, int]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for gram, day in grams.items():
        found.setdefault(str(day), []).append(gram)
    return found


def _model(entry: dict[str, object]) -> Model:
    model = Model()
    model.windows, model.periods, model.day = (_int(entry[name]) for name in ("windows", "periods", "day"))
    for name, stat in _dict(entry["stats"]).items():
        mean, variance = (float(value) for value in stat)  # type: ignore[attr-defined]
        if not abs(mean) < 1e12 or not 0 <= variance < 1e12:
            raise ValueError
        model.stats[name] = [mean, variance]
    model.shares = {int(number): float(share) for number, share in _dict(entry["shares"]).items()}  # type: ignore[arg-type]
    model.calls = {int(number): _int(day) for number, day in _dict(entry["calls"]).items()}
    for day, grams in _dict(entry["grams"]).items():
        if not isinstance(grams, list):
            raise TypeError
        kept = int(day)  # one object for all
        for gram in grams[:MOST_GRAMS]:
            model.grams[_int(gram)] = kept
    return model


def _int(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError
    return value


def _dict(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError
    return value
