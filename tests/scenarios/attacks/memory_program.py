# what: a program is run that was never a file
# rules: Program run from memory
import os

descriptor = os.memfd_create("update")
with open("/usr/bin/true", "rb") as program:
    os.write(descriptor, program.read())
child = os.fork()
if not child:
    os.execve(descriptor, ["update"], {})
assert os.waitpid(child, 0)[1] == 0
