# what: a program makes hundreds of copies of itself
# rules: Very many processes started at once
import os
import time

children = []
for _ in range(360):
    child = os.fork()
    if not child:
        time.sleep(0.2)
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
