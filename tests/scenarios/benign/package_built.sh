# what: a package is built and unpacked
# needs: dpkg-deb
mkdir -p /srv/p/DEBIAN /srv/p/usr/bin
printf 'Package: nothing\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: x\n' >/srv/p/DEBIAN/control
cp /usr/bin/true /srv/p/usr/bin/nothing
dpkg-deb -b /srv/p /srv/nothing.deb >/dev/null
dpkg-deb -x /srv/nothing.deb /srv/out
