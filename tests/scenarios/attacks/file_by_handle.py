# what: a file is opened by its number in the file system, without a path
# rules: File opened by its handle
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
handle = ctypes.create_string_buffer((128).to_bytes(4, "little") + bytes(132), 136)
mount = ctypes.c_int()
assert libc.name_to_handle_at(-100, b"/proc/self/ns", handle, ctypes.byref(mount), 0) in (0, -1)
handle[:4] = (128).to_bytes(4, "little")
assert libc.name_to_handle_at(-100, b"/usr/include", handle, ctypes.byref(mount), 0) == 0, os.strerror(
    ctypes.get_errno()
)
directory = os.open("/", os.O_RDONLY)
assert libc.open_by_handle_at(directory, handle, os.O_RDONLY) >= 0, os.strerror(ctypes.get_errno())
