# what: a script waits until a port is open
for n in 1 2 3; do (timeout 1 bash -c '</dev/tcp/127.0.0.1/5999') 2>/dev/null || true; done
