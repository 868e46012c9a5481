# what: files are encrypted and renamed
# rules: Many files given another ending
from pathlib import Path

for number in range(30):
    path = Path(f"/home/ann/picture{number}.jpg")
    path.write_bytes(b"x" * 1000)
for path in Path("/home/ann").glob("*.jpg"):
    path.write_bytes(bytes(b ^ 85 for b in path.read_bytes()))
    path.rename(f"{path}.zz9")
