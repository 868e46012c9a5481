# what: another process's memory is copied by process_vm_readv
# rules: Memory of another process copied
import ctypes
import re
import subprocess

victim = subprocess.Popen(["/usr/bin/sleep", "20"])


class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


with open(f"/proc/{victim.pid}/maps") as maps:
    begin, _ = re.match(r"([0-9a-f]+)-([0-9a-f]+)", maps.readline()).groups()
room = ctypes.create_string_buffer(64)
near, far = Vector(ctypes.addressof(room), 64), Vector(int(begin, 16), 64)
libc = ctypes.CDLL(None, use_errno=True)
copied = libc.process_vm_readv(victim.pid, ctypes.byref(near), 1, ctypes.byref(far), 1, 0)
victim.kill()
victim.wait()
assert copied == 64, ctypes.get_errno()
