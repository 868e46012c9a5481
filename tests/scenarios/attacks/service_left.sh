# what: a script makes itself a service
# rules: System service written
cat >/etc/systemd/system/update.service <<'END'
[Service]
ExecStart=/opt/x
END
