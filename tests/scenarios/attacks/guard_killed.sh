# what: a process under the name of a guard is killed
# rules: Guard killed
cp /usr/bin/sleep /usr/sbin/auditd
/usr/sbin/auditd 20 &
sleep 0.5
kill -9 $!
