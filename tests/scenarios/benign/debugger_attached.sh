# what: a debugger looks at a running program
# needs: gdb
sleep 5 &
timeout 10 gdb -q -batch -p $! -ex bt >/dev/null 2>&1 || true
kill $! || true
