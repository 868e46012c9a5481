# what: a process writes its own read-only memory through /proc
# rules: Own memory written past its rights
import os

os.close(os.open("/proc/self/mem", os.O_RDWR))
