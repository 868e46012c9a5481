# what: logs are read and searched
# needs: logger
tail -n 3 /var/log/auth.log >/dev/null
grep -c line /var/log/syslog >/dev/null
logger -t test hello || true
