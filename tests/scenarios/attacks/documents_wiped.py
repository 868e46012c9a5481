# what: documents are deleted by a program
# rules: Many documents deleted by a program
from pathlib import Path

for number in range(40):
    Path(f"/home/ann/sheet{number}.xlsx").write_bytes(b"x")
for path in Path("/home/ann").glob("*.xlsx"):
    path.unlink()
