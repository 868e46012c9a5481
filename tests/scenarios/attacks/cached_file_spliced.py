# what: one byte of a file that a user may only read gets into a pipe without being copied
# rules: Cached file of the system handed to the kernel
import ctypes
import os

os.setgid(65534)
os.setuid(65534)
read, write = os.pipe()
source = os.open("/etc/passwd", os.O_RDONLY)
assert ctypes.CDLL(None).splice(source, None, write, None, ctypes.c_size_t(1), 0) == 1
