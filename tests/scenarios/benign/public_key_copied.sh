# what: a public key is sent to another machine, and looks like a key that is stolen
# needs: ssh-keygen scp
ssh-keygen -q -t ed25519 -N "" -f /srv/id_ed25519
scp -o BatchMode=yes -o ConnectTimeout=1 /srv/id_ed25519.pub 127.0.0.1:/tmp 2>/dev/null || true
