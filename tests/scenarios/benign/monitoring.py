# what: an agent reads all processes in /proc
from contextlib import suppress
from pathlib import Path

for _ in range(3):
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            for name in ("stat", "status", "cmdline", "statm"):
                with suppress(OSError):
                    (process / name).read_bytes()
