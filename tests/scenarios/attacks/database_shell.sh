# what: a database server runs a shell
# rules: Shell run by a database
# needs: perl
cp /usr/bin/perl /usr/sbin/redis-server
/usr/sbin/redis-server -e 'system("id >/dev/null; true")'
