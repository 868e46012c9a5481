# what: a script enters a namespace of another process
# rules: Namespace entered by an unusual program
import ctypes
import os

descriptor = os.open(f"/proc/{os.getppid()}/ns/uts", os.O_RDONLY)
assert ctypes.CDLL(None).setns(descriptor, 0) == 0
