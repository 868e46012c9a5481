# what: files are searched by name and size
find /etc -name '*.conf' -size -10k >/dev/null
find /usr/share/doc -maxdepth 1 -newer /etc/passwd >/dev/null 2>&1 || true
find /srv -perm 644 >/dev/null
