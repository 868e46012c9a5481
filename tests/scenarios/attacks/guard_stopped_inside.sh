# what: a process that keeps logs is stopped by one that counts processes otherwise, as in a container
# rules: Guard killed
cp /usr/bin/sleep /srv/rsyslogd
unshare --pid --fork --mount-proc /bin/sh -c '/srv/rsyslogd 20 & sleep 0.5; kill -STOP $!; sleep 1; kill -KILL $!'
