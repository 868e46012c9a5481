# what: an account gets a password and another shell
# needs: useradd chpasswd
useradd -m new
echo 'new:secret' | chpasswd
usermod -s /bin/bash new
userdel -r new 2>/dev/null
