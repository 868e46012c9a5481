# what: a program is run after its file was deleted
# rules: Program run from memory
import os
import shutil

shutil.copy("/usr/bin/true", "/home/ann/job")
descriptor = os.open("/home/ann/job", os.O_RDONLY)
os.unlink("/home/ann/job")
child = os.fork()
if not child:
    os.execve(descriptor, ["job"], {})
assert os.waitpid(child, 0)[1] == 0
