# what: very many questions for names carry data
# rules: Very many questions for names
import os
import socket

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.53", 53))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    for _ in range(160):
        client.sendto(os.urandom(12) + b"\x20" + os.urandom(16).hex().encode() + b"\0", ("127.0.0.53", 53))
