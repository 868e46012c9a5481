# what: permissions of many files are changed
mkdir /srv/site
for n in $(seq 30); do touch /srv/site/$n; done
chmod -R u=rwX,go=rX /srv/site
chown -R 65534 /srv/site
chmod g+s /srv/site
