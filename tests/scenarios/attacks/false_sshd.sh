# what: a program under the name of a service lies elsewhere
# rules: Program under the name of a system service
cp /usr/bin/true /home/ann/sshd
/home/ann/sshd
