# what: an interpreter with a capability makes its user root
# rules: Root's rights without a program that gives them
# needs: setcap setpriv
cp "$(readlink -f /usr/bin/python3)" /srv/p
setcap cap_setuid+ep /srv/p
setpriv --reuid=65534 --regid=65534 --clear-groups /srv/p -c 'import os; os.setuid(0); os.system("true")'
