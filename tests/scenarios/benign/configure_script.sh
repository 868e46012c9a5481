# what: a script asks about the machine before a build
# needs: gcc
mkdir /srv/project && cd /srv/project
cat >configure <<'END'
#!/bin/sh
uname -s >/dev/null; uname -m >/dev/null; hostname >/dev/null; arch >/dev/null 2>&1; id -u >/dev/null
echo 'int main(void) { return 0; }' >conftest.c
gcc -o conftest conftest.c && ./conftest
rm -f conftest conftest.c
END
chmod +x configure
./configure
