# what: many files are renamed by date
from pathlib import Path

for number in range(40):
    path = Path(f"/home/ann/IMG_{number}.jpg")
    path.write_bytes(b"x")
    path.rename(f"/home/ann/2026-11-{number:02}.jpg")
