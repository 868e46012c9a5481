# what: the service that keeps logs is stopped
# rules: Guard stopped
# needs: systemctl pkill
systemctl stop rsyslog >/dev/null 2>&1 || true
pkill -x falco || true
