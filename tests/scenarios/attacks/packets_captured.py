# what: a script listens to all packets
# rules: Network packets captured
import socket

with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as all_packets:
    all_packets.bind(("lo", 0))
    all_packets.setblocking(False)
