# what: somebody else's SSH key is copied
# rules: Private keys read
cp /home/ann/.ssh/id_ed25519 /tmp/k
