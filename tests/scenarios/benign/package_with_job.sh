# what: a package that brings a job and a service is installed
# needs: dpkg
mkdir -p /srv/p/DEBIAN /srv/p/etc/cron.d /srv/p/lib/systemd/system
printf 'Package: ks-nothing\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: x\n' >/srv/p/DEBIAN/control
echo '# nothing' >/srv/p/etc/cron.d/ks-nothing
mkdir -p /srv/root/var/lib/dpkg/info /srv/root/var/lib/dpkg/updates
: >/srv/root/var/lib/dpkg/status
dpkg-deb -b /srv/p /srv/nothing.deb >/dev/null
dpkg --root=/srv/root --force-all -i /srv/nothing.deb >/dev/null 2>&1
