# what: a library is put into all programs
# rules: Library loaded into all programs
import os

with open("/etc/ld.so.preload.new", "w") as file:
    file.write("")
os.rename("/etc/ld.so.preload.new", "/etc/ld.so.preload")
