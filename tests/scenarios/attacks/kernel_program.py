# what: a script loads a program into the kernel
# rules: Program loaded into the kernel by an unusual program
import ctypes
import os
import struct

instructions = ctypes.create_string_buffer(struct.pack("<BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0))
license = ctypes.create_string_buffer(b"GPL")
attributes = struct.pack("<IIQQ", 1, 2, ctypes.addressof(instructions), ctypes.addressof(license)) + bytes(
    100
)
PROG_LOAD = 5
number = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
descriptor = ctypes.CDLL(None).syscall(
    number, PROG_LOAD, ctypes.create_string_buffer(attributes), len(attributes)
)
assert descriptor >= 0
