# what: what a program of logging in reads is followed, to see passwords as they are typed
# rules: Program that knows passwords examined
# needs: strace
cp /usr/bin/sleep /srv/sshd
/srv/sshd 20 &
sleep 0.3
timeout 1 strace -q -e trace=read -o /dev/null -p $! || true
kill $!
