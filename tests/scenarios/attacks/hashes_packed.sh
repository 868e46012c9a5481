# what: password hashes are packed by name
# rules: Password hashes read; Sensitive directories packed
tar czf /tmp/a.tgz /etc/shadow 2>/dev/null
