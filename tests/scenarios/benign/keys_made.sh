# what: a key for logging in is made
# needs: ssh-keygen
ssh-keygen -q -t ed25519 -N '' -f /home/ann/.ssh/new
ssh-keygen -l -f /home/ann/.ssh/new.pub >/dev/null
