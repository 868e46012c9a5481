# what: records of logins are changed in place
# rules: System log removed or emptied
from pathlib import Path

with Path("/var/log/wtmp").open("r+b") as records:
    records.write(b"\0" * 8)
