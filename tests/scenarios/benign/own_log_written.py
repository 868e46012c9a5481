# what: a program writes and renews its own log
from pathlib import Path

log = Path("/var/log/app/app.log")
log.parent.mkdir()
for number in range(3):
    log.write_text("one line\n" * number)
