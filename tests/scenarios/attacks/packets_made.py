# what: data leaves in the answers to no questions of ICMP
# rules: Raw packets made by an unusual program
import os
import socket

with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
    for n in range(10):
        raw.sendto(b"\x08\0\0\0" + n.to_bytes(4, "big") + os.urandom(400), ("127.0.0.1", 0))
