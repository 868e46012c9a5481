# what: a package brings a job, a service, a user and a setuid program, and is removed again
# needs: dpkg dpkg-deb useradd
mkdir -p /mnt/up /mnt/wk
mount -t overlay -o lowerdir=/var/lib/dpkg,upperdir=/mnt/up,workdir=/mnt/wk above /var/lib/dpkg
mkdir -p /srv/p/DEBIAN /srv/p/etc/cron.d /srv/p/etc/profile.d /srv/p/usr/bin /srv/p/etc/systemd/system
cd /srv/p
printf 'Package: ks-nothing\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: x\n' >DEBIAN/control
cat >DEBIAN/postinst <<'END'
#!/bin/sh
useradd --system ks-nothing
chown root:root /usr/bin/ks-nothing
chmod 4755 /usr/bin/ks-nothing
echo 'export X=1' >/etc/profile.d/ks-nothing.sh
systemctl daemon-reload 2>/dev/null || true
rm -f /var/log/dpkg.log.1
true
END
cat >DEBIAN/prerm <<'END'
#!/bin/sh
systemctl stop rsyslog 2>/dev/null || true
userdel ks-nothing
rm -f /etc/profile.d/ks-nothing.sh
true
END
chmod 755 DEBIAN/postinst DEBIAN/prerm
echo '# nothing' >etc/cron.d/ks-nothing
printf '[Service]\nExecStart=/usr/bin/ks-nothing\n' >etc/systemd/system/ks-nothing.service
cp /usr/bin/true usr/bin/ks-nothing
dpkg-deb -b /srv/p /srv/nothing.deb >/dev/null
dpkg --force-unsafe-io -i /srv/nothing.deb >/dev/null
ks-nothing
dpkg --force-unsafe-io --purge ks-nothing >/dev/null
