# what: all processes are killed
# rules: All processes killed
unshare --pid --fork --mount-proc /bin/sh -c 'sleep 20 & kill -9 -1; true' || true
