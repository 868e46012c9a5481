# what: a program connects to some services again and again
import socket

for _ in range(20):
    for port in (5432, 6379, 8080, 9200):
        with socket.socket() as tried:
            tried.settimeout(0.2)
            tried.connect_ex(("127.0.0.1", port))
