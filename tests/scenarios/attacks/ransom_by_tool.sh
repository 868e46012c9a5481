# what: files are encrypted one by one by a tool
# rules: Many files encrypted by a tool; Many files with endings of ransom programs
# needs: openssl
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do
  echo x >/srv/$n
  openssl enc -aes-256-cbc -pbkdf2 -pass pass:x -in /srv/$n -out /srv/$n.enc
done
