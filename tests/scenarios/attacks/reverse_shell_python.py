# what: a shell whose input and output are a connection that it made
# rules: Shell connected to the network; Shell started on a socket
import os
import socket

server = socket.create_server(("127.0.0.1", 0))
child = os.fork()
if not child:
    connection = socket.create_connection(server.getsockname())
    for standard in (0, 1, 2):
        os.dup2(connection.fileno(), standard)
    os.execv("/bin/sh", ["sh", "-i"])
connection, _ = server.accept()
connection.sendall(b"exit 0\n")
os.waitpid(child, 0)
