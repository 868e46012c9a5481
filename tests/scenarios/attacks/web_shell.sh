# what: a web server runs commands of its visitors
# rules: Shell run by a web server
# needs: perl
cp /usr/bin/perl /usr/sbin/nginx
/usr/sbin/nginx -e 'system("id >/dev/null; true")'
