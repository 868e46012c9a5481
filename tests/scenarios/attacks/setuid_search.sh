# what: programs with special rights are searched
# rules: Programs with special rights searched
find /usr/sbin -perm -4000 -type f >/dev/null
