# what: where an option about passwords is set is looked for
mkdir -p /etc/ssh
grep -n PasswordAuthentication /etc/ssh/* >/dev/null 2>&1 || true
cd /srv && grep -rn secret . >/dev/null || true
