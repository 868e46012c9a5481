# what: the same port of many addresses is tried
# rules: Many addresses tried
import socket

for last in range(1, 60):
    with socket.socket() as tried:
        tried.settimeout(0.2)
        tried.connect_ex((f"127.0.3.{last}", 22))
