# what: a running program renames itself like a thread of the kernel
# rules: Process renames itself as a thread of the kernel
import ctypes

PR_SET_NAME = 15
assert ctypes.CDLL(None).prctl(PR_SET_NAME, b"kworker/1:3", 0, 0, 0) == 0
