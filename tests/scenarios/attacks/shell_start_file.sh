# what: a line is added to what all shells read
# rules: Start file of all shells written
echo 'true' >/etc/profile.d/z.sh
