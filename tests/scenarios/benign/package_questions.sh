# what: packages are listed and asked for
# needs: dpkg
dpkg -l >/dev/null
dpkg -S /bin/ls >/dev/null 2>&1 || true
apt-cache policy bash >/dev/null 2>&1 || true
