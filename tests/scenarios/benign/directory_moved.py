# what: a directory of documents is copied and then removed
import shutil
from pathlib import Path

Path("/srv/old").mkdir()
for number in range(60):
    Path(f"/srv/old/{number}.txt").write_text("x")
shutil.copytree("/srv/old", "/srv/new")
shutil.rmtree("/srv/old")
