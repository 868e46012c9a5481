# what: the file of password hashes gets a second name, and is read by that
# rules: Protected file given a second name
ln /etc/shadow /etc/words
head -c 100 /etc/words >/dev/null
rm /etc/words
