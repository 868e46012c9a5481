# what: a tool writes many sources anew
from pathlib import Path

for number in range(40):
    Path(f"/srv/module{number}.py").write_text("x = 1")
for path in Path("/srv").glob("*.py"):
    path.write_text(path.read_text() + "\n")
