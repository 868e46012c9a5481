# what: a shell is spoken to through pipes by a program that is connected
# rules: Interactive shell without a terminal
import subprocess

shell = subprocess.Popen(
    ["/bin/sh", "-i"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
)
shell.communicate(b"exit 0\n", timeout=10)
