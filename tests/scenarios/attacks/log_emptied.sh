# what: the log of logins is emptied
# rules: System log removed or emptied
: >/var/log/auth.log
