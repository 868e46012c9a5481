# what: a program gets a capability that is as good as root
# rules: Capabilities given to a program
# needs: setcap
cp /usr/bin/true /srv/t
setcap cap_setuid+ep /srv/t || true
