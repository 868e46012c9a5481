# what: a line of the SSH server's settings is changed by sed
mkdir -p /etc/ssh
echo 'PermitRootLogin yes' >/tmp/c
cp /tmp/c /etc/ssh/sshd_config
sed -i 's/yes/no/' /etc/ssh/sshd_config
