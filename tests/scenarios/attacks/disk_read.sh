# what: a file is read past the file system that it is in
# rules: Disk read past the file system
# needs: mkfs.ext4 debugfs
dd if=/dev/zero of=/srv/disk.img bs=64k count=16 status=none
mkfs.ext4 -q /srv/disk.img
debugfs -R 'cat /secret' /srv/disk.img >/dev/null 2>&1 || true
