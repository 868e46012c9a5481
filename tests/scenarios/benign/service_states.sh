# what: states of services are looked at
# needs: systemctl journalctl
systemctl status ssh >/dev/null 2>&1 || true
systemctl list-units >/dev/null 2>&1 || true
journalctl -n 5 >/dev/null 2>&1 || true
