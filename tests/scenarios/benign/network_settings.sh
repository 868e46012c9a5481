# what: addresses and routes are looked at
# needs: ip
ip addr >/dev/null
ip route >/dev/null
ss -s >/dev/null 2>&1 || true
