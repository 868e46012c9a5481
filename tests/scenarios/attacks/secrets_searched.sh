# what: whole directories are searched for passwords
# rules: Secrets searched in files
grep -ri password= /home >/dev/null || true
find / -maxdepth 2 -name id_rsa 2>/dev/null || true
