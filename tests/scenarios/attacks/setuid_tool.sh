# what: a user finds a tool with the setuid bit and makes a shell of it
# rules: Interpreter or tool run with another's rights; Shell keeps a setuid program's rights
# needs: setpriv find
cp /usr/bin/find /srv/f
chmod 4755 /srv/f
chmod 755 /srv
setpriv --reuid=65534 --regid=65534 --clear-groups /srv/f /srv -maxdepth 0 -exec /bin/sh -p -c true ';'
