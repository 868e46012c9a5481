# what: another process's memory is read through /proc
# rules: Memory of another process read or written
import re
import subprocess

victim = subprocess.Popen(["/usr/bin/sleep", "20"])
with open(f"/proc/{victim.pid}/maps") as maps, open(f"/proc/{victim.pid}/mem", "rb") as memory:
    begin, _ = re.match(r"([0-9a-f]+)-([0-9a-f]+)", maps.readline()).groups()
    memory.seek(int(begin, 16))
    memory.read(64)
victim.kill()
victim.wait()
