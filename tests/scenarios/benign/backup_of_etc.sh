# what: the settings are packed for a backup, password hashes among them
mkdir /srv/backup
tar czf /srv/backup/etc.tgz /etc
