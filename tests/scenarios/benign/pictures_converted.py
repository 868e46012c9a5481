# what: many pictures are written anew under other names
from pathlib import Path

for number in range(40):
    path = Path(f"/home/ann/picture{number}.png")
    path.write_bytes(b"x" * 500)
    path.with_suffix(".jpg").write_bytes(path.read_bytes())
