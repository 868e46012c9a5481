# what: an archive with a setuid program is unpacked for an image
mkdir -p /srv/root/bin /srv/image
cp /usr/bin/true /srv/root/bin/su
tar -C /srv/root -cf /srv/r.tar .
tar -C /srv/image -xpf /srv/r.tar
