# what: a server hands each connection to a program, which looks like a remote shell
import socket
import subprocess

server = socket.create_server(("127.0.0.1", 0))
for _ in range(3):
    with socket.create_connection(server.getsockname()) as visitor:
        connection, _ = server.accept()
        with connection:
            subprocess.run(["cat", "/etc/hostname"], stdin=connection, stdout=connection, check=False)
        visitor.recv(100)
