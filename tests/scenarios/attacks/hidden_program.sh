# what: a hidden program is made executable and run
# rules: Hidden file made executable in a temporary directory; Hidden program run from a temporary directory
mkdir /tmp/.cache
cp /usr/bin/true /tmp/.cache/upd
chmod +x /tmp/.cache/upd
/tmp/.cache/upd
