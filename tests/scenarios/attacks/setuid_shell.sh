# what: a shell gets the setuid bit
# rules: Setuid bit set
cp /bin/bash /var/tmp/b
chmod u+s /var/tmp/b
