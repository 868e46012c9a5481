# what: a shell waits for whoever connects
# rules: Shell connected to the network
import os
import socket
import threading
import time

server = socket.create_server(("127.0.0.1", 0))


def visitor() -> None:
    with socket.create_connection(server.getsockname()) as connection:
        connection.sendall(b"exit 0\n")
        time.sleep(0.5)


threading.Thread(target=visitor).start()
connection, _ = server.accept()
child = os.fork()
if not child:
    for standard in (0, 1, 2):
        os.dup2(connection.fileno(), standard)
    os.execv("/bin/bash", ["bash"])
os.waitpid(child, 0)
