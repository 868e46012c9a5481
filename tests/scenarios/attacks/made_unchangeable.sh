# what: a job is made unchangeable
# rules: File made unchangeable
# needs: chattr
echo >/etc/cron.d/x
chattr +i /etc/cron.d/x 2>/dev/null || true
chattr -i /etc/cron.d/x 2>/dev/null || true
