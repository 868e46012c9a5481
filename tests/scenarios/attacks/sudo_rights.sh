# what: rights of sudo are given by a script
# rules: Rights of sudo changed
echo 'ann ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/ann
