# what: calls of a program are traced
# needs: strace
strace -f -o /dev/null ls / >/dev/null 2>&1 || true
