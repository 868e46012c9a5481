# what: a key for logging in is added
# rules: Keys for logging in added
echo 'ssh-ed25519 AAAA x' >>/home/ann/.ssh/authorized_keys
