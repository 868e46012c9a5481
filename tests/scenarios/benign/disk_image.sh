# what: an image of a disk is made and looked at
# needs: mkfs.ext4 debugfs
dd if=/dev/zero of=/srv/disk.img bs=64k count=16 status=none
mkfs.ext4 -q /srv/disk.img
debugfs -R stats /srv/disk.img >/dev/null 2>&1
