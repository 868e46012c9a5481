# what: old backups are removed by age
mkdir /srv/old
touch -d 2020-01-01 /srv/old/a.tgz
find /srv/old -name '*.tgz' -mtime +30 -delete
