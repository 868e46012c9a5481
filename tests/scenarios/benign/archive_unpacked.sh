# what: an archive is unpacked, and what is in it made executable
mkdir -p /srv/a/bin && cp /usr/bin/true /srv/a/bin/tool && tar -C /srv -czf /tmp/a.tgz a
mkdir /home/ann/opt && tar -C /home/ann/opt -xzf /tmp/a.tgz
chmod +x /home/ann/opt/a/bin/tool && /home/ann/opt/a/bin/tool
