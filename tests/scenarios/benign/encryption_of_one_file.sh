# what: one file is encrypted for somebody
# needs: openssl
echo x >/srv/x
openssl enc -aes-256-cbc -pbkdf2 -pass pass:x -in /srv/x -out /srv/x.enc
