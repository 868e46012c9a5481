# what: many connections to the same service
import socket

server = socket.create_server(("127.0.0.1", 0), backlog=300)
for _ in range(200):
    socket.create_connection(server.getsockname()).close()
