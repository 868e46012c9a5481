# what: code is written into a running process by ptrace
# rules: Process stopped to be examined; Code put into another process
import ctypes
import os
import re
import subprocess

ATTACH, PEEK, POKE, DETACH = 16, 2, 5, 17
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
victim = subprocess.Popen(["/usr/bin/sleep", "20"])
assert libc.ptrace(ATTACH, victim.pid, None, None) == 0
os.waitpid(victim.pid, 0)
with open(f"/proc/{victim.pid}/maps") as maps:
    line = next(line for line in maps if "r-xp" in line)
begin = int(re.match(r"[0-9a-f]+", line).group(), 16)
word = libc.ptrace(PEEK, victim.pid, begin, None)
assert libc.ptrace(POKE, victim.pid, begin, word) == 0
libc.ptrace(DETACH, victim.pid, None, None)
victim.kill()
victim.wait()
