# what: a rule is left that runs a program as root
# rules: Hook that runs as root written
echo 'ACTION=="add", RUN+="/opt/x"' >/etc/udev/rules.d/99-x.rules
