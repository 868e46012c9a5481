# what: files are encrypted to new ones and deleted
# rules: Many documents read and deleted
from pathlib import Path

for number in range(30):
    Path(f"/home/ann/letter{number}.txt").write_text("x" * 1000)
for path in sorted(Path("/home/ann").glob("*.txt")):
    Path(f"{path}.owned").write_bytes(bytes(b ^ 85 for b in path.read_bytes()))
    path.unlink()
