# what: many logs are deleted
# rules: Many logs removed
for name in a b c d e f g h; do echo x >/var/log/$name.log; done
rm -f /var/log/*.log
