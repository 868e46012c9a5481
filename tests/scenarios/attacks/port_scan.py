# what: many ports of an address are tried
# rules: Many ports tried
import socket

for port in range(2000, 2060):
    with socket.socket() as tried:
        tried.settimeout(0.2)
        tried.connect_ex(("127.0.0.77", port))
