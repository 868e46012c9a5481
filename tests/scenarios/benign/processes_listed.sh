# what: processes, sockets and open files are listed
ps aux >/dev/null
ss -tlnp >/dev/null 2>&1 || true
df -h >/dev/null
free -m >/dev/null 2>&1 || true
