# what: logs are rotated by what is made for it
# needs: perl
cp /usr/bin/perl /usr/sbin/logrotate
/usr/sbin/logrotate -e 'for my $log (qw(auth.log syslog kern.log)) { rename "/var/log/$log", "/var/log/$log.1"; open my $new, ">", "/var/log/$log"; }'
