"""The detector as a service.

keys.py            the keys of its configuration: one table
configuration.py   the file, with every error at its place
loading.py         what it names
running.py         start, reload, end
compiling.py       a reload's program
handover.py        from one session to the next without losing or doubling events
privileges.py      which capabilities are needed
notify.py          telling systemd
unit.py            the systemd unit
"""

from __future__ import annotations

from kernscope.detector.service.configuration import default_text, read_configuration
from kernscope.detector.service.loading import ServiceError, load_configuration
from kernscope.detector.service.running import Service
from kernscope.detector.service.unit import unit_text

__all__ = [
    "Service",
    "ServiceError",
    "default_text",
    "load_configuration",
    "read_configuration",
    "unit_text",
]
