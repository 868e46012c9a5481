# what: processes start copies of themselves
# rules: Processes multiply
import os
import sys
import time

depth = 0
while depth < 8:
    if os.fork() == 0:
        depth += 1
        if os.fork() == 0:
            continue
        time.sleep(0.05)
        continue
    break
if depth:
    time.sleep(0.3)
    os._exit(0)
time.sleep(1)
sys.exit(0)
