# what: a script leaves a job that starts it again
# rules: Scheduled job written
echo '* * * * * root /opt/x' >/etc/cron.d/update
