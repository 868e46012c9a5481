# what: a home directory with keys is copied as a whole
mkdir /srv/backup
cp -a /home /srv/backup/
