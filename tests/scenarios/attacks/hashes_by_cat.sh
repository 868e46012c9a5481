# what: the file of password hashes is shown
# rules: Password hashes read
cat /etc/shadow >/dev/null
