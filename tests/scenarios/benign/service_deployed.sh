# what: a service is copied to its place and asked for
# needs: systemctl
mkdir -p /srv/app
printf '[Service]\nExecStart=/srv/app/x\n' >/srv/app/app.service
cp /srv/app/app.service /etc/systemd/system/
systemctl is-enabled app >/dev/null 2>&1 || true
