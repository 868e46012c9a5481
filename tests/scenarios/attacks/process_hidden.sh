# what: a process is hidden by a mount
# rules: Process hidden by a mount
mkdir /srv/empty
sleep 5 &
mount --bind /srv/empty /proc/$!
umount /proc/$!
kill $!
